#include <array>
#include <memory>
#include <random>

#include "decode/field_parser.h"
#include "decode/json_paths.h"
#include "decode_testing.h"

namespace kafka_fdw::decode {
namespace {

/// A JSON value with its text and with what a slow, obvious reader finds in it.
struct Tree {
  enum class Kind { null, literal, string, object, array };
  Kind kind = Kind::null;
  std::string raw;
  std::string text;           ///< literal, string: its text form
  std::vector<Tree> members;  ///< of an object or array
  std::string name = {};      ///< of a member of an object

  const Tree* find(std::span<const std::string> parts) const {
    if (parts.empty()) return this;
    const Tree* found = nullptr;
    for (size_t i = 0; i < members.size(); ++i) {
      const bool match = kind == Kind::array ? std::to_string(i) == parts[0] : members[i].name == parts[0];
      if (match) found = &members[i];
    }
    return found == nullptr ? nullptr : found->find(parts.subspan(1));
  }
};

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }

  std::string key() {
    static const std::array<std::string, 10> keys = {"a", "b", "c", "0", "1", "d/e", "m~n", "ä", "q\"\\", ""};
    return keys[below(keys.size())];
  }

  std::string pointer() {
    if (below(3) == 0) return key();
    std::string result;
    for (size_t i = 0, n = 1 + below(3); i < n; ++i) {
      result += '/';
      for (char c : key()) result += c == '/' ? "~1" : c == '~' ? "~0" : std::string(1, c);
    }
    return result;
  }

  Tree object(size_t depth) { return container(Tree::Kind::object, depth); }

 private:
  Tree value(size_t depth) {
    switch (below(depth < 4 ? 6 : 3)) {
      case 0:
        return literal();
      case 1:
        return string();
      case 2:
        return Tree{Tree::Kind::null, "null", {}, {}};
      case 3:
        return container(Tree::Kind::array, depth + 1);
      default:
        return container(Tree::Kind::object, depth + 1);
    }
  }

  Tree literal() {
    static const std::array<std::string, 9> literals = {
        "true", "false", "0", "-1", "12345", "1.50", "-0.0e3", "1e99", "99999999999999999999"};
    const std::string& text = literals[below(literals.size())];
    return Tree{Tree::Kind::literal, text, text, {}};
  }

  Tree string() {
    static const std::array<std::string, 10> pieces = {"x", "12", " ", "\"", "\\", "/", "\n", "ä", "€", "😀"};
    Tree result{Tree::Kind::string, {}, {}, {}};
    for (size_t i = below(below(8) == 0 ? 60 : 6); i > 0; --i) result.text += pieces[below(pieces.size())];
    result.raw = quote(result.text);
    return result;
  }

  Tree container(Tree::Kind kind, size_t depth) {
    const bool is_object = kind == Tree::Kind::object;
    Tree result{kind, is_object ? "{" : "[", {}, {}};
    for (size_t i = 0, n = below(6); i < n; ++i) {
      if (i > 0) result.raw += ',';
      result.raw += space();
      std::string name = is_object ? key() : "";
      if (is_object) result.raw += quote(name) + space() + ":" + space();
      result.members.push_back(value(depth));
      result.members.back().name = name;
      result.raw += result.members.back().raw + space();
    }
    result.raw += is_object ? "}" : "]";
    return result;
  }

  std::string space() {
    static const std::array<std::string, 8> spaces = {"", "", "", "", " ", "\n", "\t", " \r\n  "};
    return spaces[below(spaces.size())];
  }

  /// Escapes what must be and, at random, what may be.
  std::string quote(std::string_view text) {
    std::string result = "\"";
    for (char c : text) {
      const bool ascii = static_cast<unsigned char>(c) < 0x80;
      if (c == '"' || c == '\\') {
        result += {'\\', c};
      } else if (c == '\n' || (ascii && below(8) == 0)) {
        char escape[8];
        std::snprintf(escape, sizeof(escape), below(2) == 0 ? "\\u%04x" : "\\u%04X", static_cast<unsigned>(c));
        result += escape;
      } else {
        result += c;
      }
    }
    return result + '"';
  }

  std::mt19937 random_;
};

std::string expected(const Tree* tree, Type type) {
  if (tree == nullptr) return "missing";
  if (tree->kind == Tree::Kind::null) return "null";
  const bool scalar = tree->kind == Tree::Kind::literal || tree->kind == Tree::Kind::string;
  if (!scalar && type == Type::other) return "nested " + tree->raw;
  return show(parse_field(type, scalar && type != Type::json ? tree->text : tree->raw));
}

std::vector<Column> random_columns(Generator& random) {
  constexpr std::array types = {Type::text,   Type::json,    Type::int4, Type::numeric,
                                Type::float8, Type::boolean, Type::other};
  std::vector<Column> columns;
  for (size_t i = 0, n = 1 + random.below(6); i < n; ++i) {
    columns.push_back(column(random.pointer(), types[random.below(types.size())]));
    columns.back().needed = random.below(5) != 0;
  }
  return columns;
}

TEST(JsonRandom, AgreesWithASlowReader) {
  Generator random(20240501);
  for (int round = 0; round < 1000; ++round) {
    const std::vector<Column> columns = random_columns(random);
    auto decoder = make_decoder({}, columns);
    Tree tree = random.object(0);
    for (int message = 0; message < 10; ++message) {
      if (random.below(3) == 0) tree = random.object(0);
      Row row;
      for (const Column& c : columns) {
        row.push_back(c.needed ? expected(tree.find(json_path_parts(c.path)), c.type) : "missing");
      }
      ASSERT_EQ(decode_row(*decoder, columns.size(), tree.raw), row) << tree.raw;
    }
  }
}

TEST(JsonRandom, StrictAgreesOnWhatIsThere) {
  Generator random(7);
  for (int round = 0; round < 3000; ++round) {
    const std::vector<Column> columns = random_columns(random);
    const Tree tree = random.object(0);
    bool complete = true;
    for (const Column& c : columns) complete &= tree.find(json_path_parts(c.path)) != nullptr;
    for (const auto& member : tree.members) {
      bool known = false;
      for (const Column& c : columns) known |= json_path_parts(c.path)[0] == member.name;
      complete &= known;
    }
    Format strict;
    strict.strict = true;
    const Row row = decode_row(strict, columns, tree.raw);
    ASSERT_EQ(row[0].substr(0, 5) != "22P04", complete) << tree.raw;
  }
}

}  // namespace
}  // namespace kafka_fdw::decode
