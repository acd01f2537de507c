#include "decode/json_paths.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace kafka_fdw::decode {
namespace {

/// RFC 6901, section 4: ~1 is a slash, ~0 a tilde; any other tilde stands for itself.
std::string unescape_token(std::string_view token) {
  std::string result;
  for (size_t i = 0; i < token.size(); ++i) {
    bool escape = token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
    result += escape ? (token[++i] == '0' ? '~' : '/') : token[i];
  }
  return result;
}

std::optional<size_t> array_index(std::string_view key) {
  if (key.empty() || (key[0] == '0' && key.size() > 1)) return std::nullopt;
  size_t index = 0;
  auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
  if (error != std::errc() || end != key.data() + key.size()) return std::nullopt;
  return index;
}

}  // namespace

std::vector<std::string> json_path_parts(const std::string& path) {
  if (!path.starts_with('/')) return {path};
  std::vector<std::string> parts;
  std::string_view rest = path;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    size_t length = std::min(rest.find('/'), rest.size());
    parts.push_back(unescape_token(rest.substr(0, length)));
    rest.remove_prefix(length);
  }
  return parts;
}

std::unique_ptr<JsonPlace> JsonPlace::make_root(const std::vector<Column>& columns, bool all) {
  auto root = std::make_unique<JsonPlace>();
  for (size_t i = 0; i < columns.size(); ++i) {
    if ((!all && !columns[i].needed) || columns[i].part == Part::deletion) continue;
    if (columns[i].part == Part::document) {
      root->columns_.push_back(static_cast<int>(i));
      continue;
    }
    JsonPlace* place = root.get();
    for (const std::string& part : json_path_parts(columns[i].path)) {
      place->below_.push_back(static_cast<int>(i));
      place = &place->make_child(part);
    }
    place->columns_.push_back(static_cast<int>(i));
  }
  return root;
}

JsonPlace* JsonPlace::child(std::string_view key) const {
  auto found = children_.find(key);
  return found == children_.end() ? nullptr : found->second.get();
}

JsonPlace& JsonPlace::make_child(const std::string& key) {
  auto& child = children_[key];
  if (child == nullptr) {
    child = std::make_unique<JsonPlace>();
    if (auto index = array_index(key)) {
      elements_.emplace_back(*index, child.get());
      std::sort(elements_.begin(), elements_.end());
    }
  }
  return *child;
}

}  // namespace kafka_fdw::decode
