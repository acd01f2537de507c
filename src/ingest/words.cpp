#include <charconv>
#include <span>

#include "ingest/consumer.h"

namespace kafka_fdw::ingest {

namespace {

/// Words in the order of an enum.
constexpr const char* on_error_words[] = {"stop", "ignore", "dead_letter"};
constexpr const char* on_gap_words[] = {"stop", "earliest", "latest"};
constexpr const char* envelope_words[] = {"none", "upsert", "debezium"};

template <class Enum>
std::optional<Enum> parse(std::span<const char* const> words, std::string_view text) noexcept {
  for (size_t i = 0; i < words.size(); ++i)
    if (text == words[i]) return static_cast<Enum>(i);
  return std::nullopt;
}

std::optional<int> parse_number(std::string_view text) noexcept {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

const char* name_of(OnError on_error) noexcept { return on_error_words[static_cast<size_t>(on_error)]; }
const char* name_of(OnGap on_gap) noexcept { return on_gap_words[static_cast<size_t>(on_gap)]; }
const char* name_of(Envelope envelope) noexcept { return envelope_words[static_cast<size_t>(envelope)]; }

std::optional<OnError> parse_on_error(std::string_view text) noexcept { return parse<OnError>(on_error_words, text); }
std::optional<OnGap> parse_on_gap(std::string_view text) noexcept { return parse<OnGap>(on_gap_words, text); }
std::optional<Envelope> parse_envelope(std::string_view text) noexcept { return parse<Envelope>(envelope_words, text); }

std::optional<Shard> parse_shard(std::string_view text) noexcept {
  if (text.empty()) return Shard{};
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto index = parse_number(text.substr(0, slash));
  const auto count = parse_number(text.substr(slash + 1));
  if (!index || !count || *index >= *count) return std::nullopt;
  return Shard{.index = *index, .count = *count};
}

std::string text_of(const Shard& shard) {
  return shard.count == 1 ? "" : std::to_string(shard.index) + "/" + std::to_string(shard.count);
}

}  // namespace kafka_fdw::ingest
