#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "decode/value.h"

namespace kafka_fdw::decode {

/// A place in a JSON document that columns ask for, or that leads to one: a node of the trie of their paths.
class JsonPlace {
 public:
  /// The root for the paths of the columns, of all or of the needed ones only: plain names of top-level fields, and
  /// RFC 6901 pointers where they start with '/'.
  static std::unique_ptr<JsonPlace> make_root(const std::vector<Column>& columns, bool all);

  const std::vector<int>& columns() const { return columns_; }  ///< ask for the value of this place
  const std::vector<int>& below() const { return below_; }      ///< ask for something within it
  bool has_children() const { return !children_.empty(); }

  JsonPlace* child(std::string_view key) const;
  /// The children whose names are array indexes (RFC 6901: no leading zeros), in ascending order.
  const std::vector<std::pair<size_t, JsonPlace*>>& elements() const { return elements_; }

  /// A key as it is written at some position of the object here, escapes included, and what it led to (null: nothing).
  /// Messages of a topic nearly always have the same keys in the same order, so that one comparison finds the child.
  struct Seen {
    std::string raw_key;
    JsonPlace* child = nullptr;
  };
  std::vector<Seen>& seen() { return seen_; }

 private:
  JsonPlace& make_child(const std::string& key);

  std::vector<int> columns_;
  std::vector<int> below_;
  std::map<std::string, std::unique_ptr<JsonPlace>, std::less<>> children_;
  std::vector<std::pair<size_t, JsonPlace*>> elements_;
  std::vector<Seen> seen_;
};

/// The parts of a path: the name itself, or the unescaped reference tokens of a pointer.
std::vector<std::string> json_path_parts(const std::string& path);

}  // namespace kafka_fdw::decode
