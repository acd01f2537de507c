#include "decode/datetime.h"

#include <chrono>

namespace kafka_fdw::decode {
namespace {

constexpr int64_t microseconds_per_second = 1'000'000;
constexpr int64_t seconds_per_day = 86'400;

constexpr int no_number = 1'000'000;  ///< fails every check of a range

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

int two_digits(const char* p) {
  return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + (p[1] - '0') : no_number;
}

std::optional<int64_t> take_date(std::string_view& text) {
  using namespace std::chrono;
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const int y = two_digits(&text[0]) * 100 + two_digits(&text[2]);
  const int m = two_digits(&text[5]);
  const int d = two_digits(&text[8]);
  if (y < 1 || y > 9999 || m > 12 || d > 31) return std::nullopt;
  const year_month_day date{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
  if (!date.ok()) return std::nullopt;
  text.remove_prefix(10);
  constexpr sys_days epoch = year(2000) / January / 1;
  return (sys_days(date) - epoch).count();
}

/// One to six digits, in microseconds.
std::optional<int> take_fraction(std::string_view& text) {
  int fraction = 0;
  size_t digits = 0;
  for (; digits < 6 && digits < text.size() && is_digit(text[digits]); ++digits) {
    fraction = fraction * 10 + (text[digits] - '0');
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  for (; digits < 6; ++digits) fraction *= 10;
  return fraction;
}

/// Microseconds since midnight.
std::optional<int64_t> take_time(std::string_view& text) {
  if (text.size() < 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const int hour = two_digits(&text[0]);
  const int minute = two_digits(&text[3]);
  const int second = two_digits(&text[6]);
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  text.remove_prefix(8);
  std::optional<int> fraction = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_fraction(text);
    if (!fraction) return std::nullopt;
  }
  return (hour * 3600 + minute * 60 + second) * microseconds_per_second + *fraction;
}

/// Seconds east of Greenwich.
std::optional<int64_t> parse_zone(std::string_view text) {
  if (text == "Z") return 0;
  if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int hours = two_digits(&text[1]);
  std::string_view rest = text.substr(3);
  if (rest.starts_with(':') && rest.size() == 3) rest.remove_prefix(1);
  if (!rest.empty() && rest.size() != 2) return std::nullopt;
  const int minutes = rest.empty() ? 0 : two_digits(rest.data());
  if (minutes > 59 || hours * 60 + minutes > 14 * 60) return std::nullopt;
  const int64_t offset = hours * 3600 + minutes * 60;
  return text[0] == '-' ? -offset : offset;
}

std::optional<int64_t> take_local(std::string_view& text) {
  const auto days = take_date(text);
  if (!days || !(text.starts_with('T') || text.starts_with(' '))) return std::nullopt;
  text.remove_prefix(1);
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  return *days * seconds_per_day * microseconds_per_second + *time;
}

}  // namespace

std::optional<int64_t> parse_date(std::string_view text) {
  const auto days = take_date(text);
  return text.empty() ? days : std::nullopt;
}

std::optional<int64_t> parse_timestamp(std::string_view text) {
  const auto local = take_local(text);
  if (!local || text.empty()) return local;
  return parse_zone(text) ? local : std::nullopt;
}

std::optional<int64_t> parse_timestamptz(std::string_view text) {
  const auto local = take_local(text);
  if (!local) return std::nullopt;
  const auto offset = parse_zone(text);
  if (!offset) return std::nullopt;
  return *local - *offset * microseconds_per_second;
}

}  // namespace kafka_fdw::decode
