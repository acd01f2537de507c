#include "decode/json_text.h"

#include <bitset>
#include <cstring>

#include "decode/sqlstate.h"

namespace kafka_fdw::decode {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex_digit(char c) {
  char lower = static_cast<char>(c | 0x20);
  return is_digit(c) || (lower >= 'a' && lower <= 'f');
}

const char* skip_space(const char* p) {
  while (is_json_space(*p)) ++p;
  return p;
}

const char* skip_digits(const char* p) {
  while (is_digit(*p)) ++p;
  return p;
}

/// Each of these returns the end of what stands at `p`, or null if it is not what its name says.

const char* number_end(const char* p) {
  if (*p == '-') ++p;
  if (!is_digit(*p)) return nullptr;
  p = *p == '0' ? p + 1 : skip_digits(p);
  if (*p == '.') {
    if (!is_digit(*++p)) return nullptr;
    p = skip_digits(p);
  }
  if (*p == 'e' || *p == 'E') {
    ++p;
    if (*p == '+' || *p == '-') ++p;
    if (!is_digit(*p)) return nullptr;
    p = skip_digits(p);
  }
  return p;
}

const char* escape_end(const char* p) {
  ++p;
  if (*p == 'u') {
    for (int i = 0; i < 4; ++i) {
      if (!is_hex_digit(*++p)) return nullptr;
    }
    return p + 1;
  }
  return *p != '\0' && std::strchr("\"\\/bfnrt", *p) != nullptr ? p + 1 : nullptr;
}

const char* string_end(const char* p) {
  if (*p != '"') return nullptr;
  ++p;
  while (p != nullptr && *p != '"') {
    if (static_cast<unsigned char>(*p) < 0x20) return nullptr;
    p = *p == '\\' ? escape_end(p) : p + 1;
  }
  return p == nullptr ? nullptr : p + 1;
}

const char* word_end(const char* p, std::string_view word) {
  return std::strncmp(p, word.data(), word.size()) == 0 ? p + word.size() : nullptr;
}

const char* scalar_end(const char* p) {
  switch (*p) {
    case '"':
      return string_end(p);
    case 't':
      return word_end(p, "true");
    case 'f':
      return word_end(p, "false");
    case 'n':
      return word_end(p, "null");
    default:
      return number_end(p);
  }
}

/// The colon's end behind a key.
const char* key_end(const char* p) {
  p = string_end(skip_space(p));
  if (p == nullptr) return nullptr;
  p = skip_space(p);
  return *p == ':' ? p + 1 : nullptr;
}

/// Keeps which of the open containers are objects; no recursion, as the depth comes from outside.
class Walk {
 public:
  explicit Walk(size_t depth) : base_(depth), depth_(depth) {}

  const char* run(const char* p) {
    do {
      p = skip_space(p);
      bool container = *p == '{' || *p == '[';
      p = container ? open(p) : leave(scalar_end(p));
    } while (p != nullptr && !finished_);
    return p;
  }

  const BadField& fault() const { return too_deep_ ? json_too_deep : invalid_json; }

 private:
  // Each of these returns where to go on, or null.

  const char* open(const char* p) {
    if (depth_ == max_json_depth) {
      too_deep_ = true;
      return nullptr;
    }
    is_object_[depth_++] = *p == '{';
    const char* inside = skip_space(p + 1);
    if (*inside == closing()) return leave(close(inside));
    return in_object() ? key_end(inside) : inside;
  }

  /// A value has ended at `p`: goes to where the next one begins.
  const char* leave(const char* p) {
    while (p != nullptr && depth_ > base_) {
      p = skip_space(p);
      if (*p == ',') return in_object() ? key_end(p + 1) : p + 1;
      p = *p == closing() ? close(p) : nullptr;
    }
    finished_ = true;
    return p;
  }

  const char* close(const char* p) {
    --depth_;
    return p + 1;
  }

  bool in_object() const { return is_object_[depth_ - 1]; }
  char closing() const { return in_object() ? '}' : ']'; }

  std::bitset<max_json_depth> is_object_;
  const size_t base_;
  size_t depth_;
  bool finished_ = false;
  bool too_deep_ = false;
};

}  // namespace

const char* json_value_end(const char* begin, size_t depth, const BadField*& fault) {
  Walk walk(depth);
  const char* end = walk.run(begin);
  if (end == nullptr) fault = &walk.fault();
  return end;
}

std::vector<JsonMember> json_members(const char* object) {
  std::vector<JsonMember> members;
  const char* p = skip_space(object + 1);
  while (*p != '}') {
    const char* key = p + 1;
    p = string_end(p);
    const auto key_size = static_cast<size_t>(p - 1 - key);
    const char* value = skip_space(skip_space(p) + 1);
    p = Walk(0).run(value);
    members.push_back({{key, key_size}, {value, static_cast<size_t>(p - value)}});
    p = skip_space(p);
    if (*p == ',') p = skip_space(p + 1);
  }
  return members;
}

bool is_json_number(std::string_view text) { return number_end(text.data()) == text.data() + text.size(); }

}  // namespace kafka_fdw::decode
