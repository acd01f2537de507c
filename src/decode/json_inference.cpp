#include "decode/json_inference.h"

#include <simdjson.h>

#include <algorithm>
#include <map>
#include <new>
#include <unordered_map>

#include "decode/decoder.h"
#include "decode/json_text.h"

namespace kafka_fdw::decode {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t max_nodes = 10000;
constexpr size_t max_depth = 16;  ///< of objects within each other that are flattened
/// An object with more keys than this, over all messages, is a map whose keys are data, not a record.
constexpr size_t max_flattened_keys = 100;
/// A row of pg_attribute, with its options, must fit into a page.
constexpr size_t max_path_size = 1000;

/// The key as the decoder reads it. One that it cannot read, or that has U+0000, gets a zero byte at its end: no
/// option can name it.
std::string unescape(std::string_view raw_key) {
  if (raw_key.find('\\') == raw_key.npos) return std::string(raw_key);
  std::vector<uint8_t> space(raw_key.size() + simdjson::SIMDJSON_PADDING);
  const ondemand::raw_json_string raw(reinterpret_cast<const uint8_t*>(raw_key.data()));
  uint8_t* end = space.data();
  ondemand::parser parser;
  if (parser.allocate(1) != simdjson::SUCCESS) throw std::bad_alloc();
  std::string_view key;
  const bool readable = parser.unescape(raw, end).get(key) == simdjson::SUCCESS && key.find('\0') == key.npos;
  return readable ? std::string(key) : std::string(raw_key) + '\0';
}

/// Whether the text, behind which is a zero byte, is one JSON value.
bool is_json(const char* text, size_t size) {
  const BadField* fault = nullptr;
  return json_value_end(text, 0, fault) == text + size;
}

bool has_name(const std::string& key) { return !key.ends_with('\0'); }

size_t path_size(const std::vector<std::string>& path) {
  size_t size = 0;
  for (const std::string& key : path) size += key.size() + 1;
  return size;
}

}  // namespace

struct JsonInference::Node {
  std::string key;
  Shape shape = Shape::nothing;
  int64_t messages = 0;
  std::vector<std::unique_ptr<Node>> children;  ///< in the order in which they were met
  std::map<std::string, Node*, std::less<>> by_key;
};

/// A field of the result, with what decides whether it stays there.
struct JsonInference::Leaf {
  InferredField field;
  int64_t messages;
};

JsonInference::JsonInference(bool flatten) : flatten_(flatten), root_(std::make_unique<Node>()) {}

JsonInference::~JsonInference() = default;

void JsonInference::add(std::string_view message) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (message.starts_with(byte_order_mark)) message.remove_prefix(byte_order_mark.size());
  while (!message.empty() && is_json_space(message.front())) message.remove_prefix(1);
  while (!message.empty() && is_json_space(message.back())) message.remove_suffix(1);
  buffer_.assign(message).append(simdjson::SIMDJSON_PADDING, '\0');
  const bool object = message.starts_with('{') && is_utf8(message) && is_json(buffer_.data(), message.size());
  ++(object ? objects_ : others_);
  if (object) observe(*root_, buffer_.data(), 1);
}

/// The object at `object` is good, and stands in `depth` objects, itself included.
void JsonInference::observe(Node& node, const char* object, size_t depth) {
  std::unordered_map<Node*, std::string_view> values;
  std::vector<Node*> met;
  for (const JsonMember& member : json_members(object)) {
    Node* found = child(node, member.key);
    if (found != nullptr && values.insert_or_assign(found, member.value).second) met.push_back(found);
  }
  for (Node* found : met) {
    const std::string_view value = values.at(found);
    found->shape = widen(found->shape, shape_of_json(value));
    ++found->messages;
    if (value[0] == '{' && is_flattened(*found, depth)) observe(*found, value.data(), depth + 1);
  }
}

/// Null: nobody remembers it.
JsonInference::Node* JsonInference::child(Node& node, std::string_view raw_key) {
  std::string key = unescape(raw_key);
  if (const auto known = node.by_key.find(key); known != node.by_key.end()) return known->second;
  if (nodes_ == max_nodes) {
    uncounted_ = true;
    return nullptr;
  }
  ++nodes_;
  Node* made = node.children.emplace_back(std::make_unique<Node>()).get();
  made->key = key;
  node.by_key.emplace(std::move(key), made);
  return made;
}

/// Whether the fields of a node that stands in `depth` objects are fields of their own.
bool JsonInference::is_flattened(const Node& node, size_t depth) const {
  return flatten_ && node.shape == Shape::object && depth < max_depth && node.children.size() <= max_flattened_keys;
}

void JsonInference::collect(const Node& node, std::vector<std::string>& path, Result& result,
                            std::vector<Leaf>& leaves) const {
  for (const auto& child : node.children) {
    path.push_back(child->key);
    if (!has_name(child->key) || path_size(path) > max_path_size)
      ++result.left_out;
    else if (is_flattened(*child, path.size()) && !child->children.empty())
      collect(*child, path, result, leaves);
    else
      leaves.push_back({{path, type_of_shape(child->shape)}, child->messages});
    path.pop_back();
  }
}

/// Of those that equally many messages have, the first ones; the order stays.
void JsonInference::keep_most_frequent(std::vector<Leaf>& leaves, size_t limit) {
  std::vector<int64_t> counts;
  counts.reserve(leaves.size());
  for (const Leaf& leaf : leaves) counts.push_back(leaf.messages);
  std::ranges::nth_element(counts, counts.begin() + static_cast<ptrdiff_t>(limit), std::greater());
  const int64_t threshold = counts[limit];
  auto kept = std::ranges::count_if(leaves, [&](const Leaf& leaf) { return leaf.messages > threshold; });
  std::erase_if(leaves, [&](const Leaf& leaf) {
    return leaf.messages < threshold || (leaf.messages == threshold && ++kept > static_cast<ptrdiff_t>(limit));
  });
}

JsonInference::Result JsonInference::result(size_t limit) const {
  Result result{.fields = {}, .left_out = 0, .uncounted = uncounted_};
  std::vector<Leaf> leaves;
  std::vector<std::string> path;
  collect(*root_, path, result, leaves);
  if (leaves.size() > limit) {
    result.left_out += leaves.size() - limit;
    keep_most_frequent(leaves, limit);
  }
  for (Leaf& leaf : leaves) result.fields.push_back(std::move(leaf.field));
  return result;
}

}  // namespace kafka_fdw::decode
