#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "decode/shape.h"

namespace kafka_fdw::decode {

/// A field that a column can show.
struct InferredField {
  std::vector<std::string> path;  ///< keys from the top, UTF-8; more than one where objects are flattened
  Type type;
};

/// Finds out from JSON messages what fields they have, and of which types. Messages come from anybody: what one
/// remembers of them is bounded.
class JsonInference {
 public:
  /// flatten: the fields of nested objects are fields of their own.
  explicit JsonInference(bool flatten);
  ~JsonInference();
  JsonInference(const JsonInference&) = delete;
  JsonInference& operator=(const JsonInference&) = delete;

  /// Looks at one message; of a key that it has twice the last one counts, as in decoding. One that is no JSON object
  /// is counted and otherwise ignored.
  void add(std::string_view message);

  int64_t objects() const noexcept { return objects_; }
  int64_t others() const noexcept { return others_; }  ///< messages that were no JSON object

  /// What was found, in the order in which it was met, of nested objects at the place of the object. Where there are
  /// more than `limit`, those that most messages have.
  struct Result {
    std::vector<InferredField> fields;
    size_t left_out = 0;     ///< fields without a column: past the limit, or with a key that no option can name
    bool uncounted = false;  ///< and there were more, which were not even counted
  };
  Result result(size_t limit) const;

 private:
  struct Node;
  struct Leaf;
  void observe(Node& node, const char* object, size_t depth);
  Node* child(Node& node, std::string_view raw_key);
  bool is_flattened(const Node& node, size_t depth) const;
  void collect(const Node& node, std::vector<std::string>& path, Result& result, std::vector<Leaf>& leaves) const;
  static void keep_most_frequent(std::vector<Leaf>& leaves, size_t limit);

  const bool flatten_;
  std::unique_ptr<Node> root_;
  size_t nodes_ = 0;
  bool uncounted_ = false;
  int64_t objects_ = 0;
  int64_t others_ = 0;
  std::string buffer_;  ///< the message, and behind it as many zero bytes as simdjson wants
};

}  // namespace kafka_fdw::decode
