#include "decode/datetime.h"

#include <chrono>

namespace kafka_fdw::decode {
namespace {

constexpr int64_t microseconds_per_second = 1'000'000;
constexpr int64_t seconds_per_day = 86'400;

/// Reads a text from left to right; a step that does not match leaves the position where it was.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  /// Exactly `count` digits, at most `max`; -1 if they are not there.
  int take_number(size_t count, int max) {
    if (rest_.size() < count) return -1;
    int number = 0;
    for (size_t i = 0; i < count; ++i) {
      if (!is_digit(rest_[i])) return -1;
      number = number * 10 + (rest_[i] - '0');
    }
    if (number > max) return -1;
    rest_.remove_prefix(count);
    return number;
  }

  bool at_digit() const { return !rest_.empty() && is_digit(rest_.front()); }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::string_view rest_;
};

std::optional<int64_t> take_date(Reader& reader) {
  using namespace std::chrono;
  int y = reader.take_number(4, 9999);
  if (y < 1 || !reader.take('-')) return std::nullopt;
  int m = reader.take_number(2, 12);
  if (m < 1 || !reader.take('-')) return std::nullopt;
  int d = reader.take_number(2, 31);
  if (d < 1) return std::nullopt;
  year_month_day date{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
  if (!date.ok()) return std::nullopt;
  constexpr sys_days epoch = year(2000) / January / 1;
  return (sys_days(date) - epoch).count();
}

/// Up to six digits after the point, in microseconds; -1 if there is none.
int take_fraction(Reader& reader) {
  int fraction = 0;
  int digits = 0;
  for (; digits < 6 && reader.at_digit(); ++digits) fraction = fraction * 10 + reader.take_number(1, 9);
  if (digits == 0) return -1;
  for (; digits < 6; ++digits) fraction *= 10;
  return fraction;
}

/// Microseconds since midnight.
std::optional<int64_t> take_time(Reader& reader) {
  int hour = reader.take_number(2, 23);
  if (hour < 0 || !reader.take(':')) return std::nullopt;
  int minute = reader.take_number(2, 59);
  if (minute < 0 || !reader.take(':')) return std::nullopt;
  int second = reader.take_number(2, 59);
  if (second < 0) return std::nullopt;
  int fraction = reader.take('.') ? take_fraction(reader) : 0;
  if (fraction < 0) return std::nullopt;
  return (hour * 3600 + minute * 60 + second) * microseconds_per_second + fraction;
}

/// Seconds east of Greenwich.
std::optional<int64_t> take_zone(Reader& reader) {
  if (reader.take('Z')) return 0;
  bool west = reader.take('-');
  if (!west && !reader.take('+')) return std::nullopt;
  int hours = reader.take_number(2, 14);
  if (hours < 0) return std::nullopt;
  int minutes = 0;
  if (!reader.done()) {
    reader.take(':');
    minutes = reader.take_number(2, hours == 14 ? 0 : 59);
    if (minutes < 0) return std::nullopt;
  }
  int64_t offset = hours * 3600 + minutes * 60;
  return west ? -offset : offset;
}

std::optional<int64_t> take_local(Reader& reader) {
  auto days = take_date(reader);
  if (!days || !(reader.take('T') || reader.take(' '))) return std::nullopt;
  auto time = take_time(reader);
  if (!time) return std::nullopt;
  return *days * seconds_per_day * microseconds_per_second + *time;
}

}  // namespace

std::optional<int64_t> parse_date(std::string_view text) {
  Reader reader(text);
  auto days = take_date(reader);
  return reader.done() ? days : std::nullopt;
}

std::optional<int64_t> parse_timestamp(std::string_view text) {
  Reader reader(text);
  auto local = take_local(reader);
  if (!local || reader.done()) return local;
  return take_zone(reader) && reader.done() ? local : std::nullopt;
}

std::optional<int64_t> parse_timestamptz(std::string_view text) {
  Reader reader(text);
  auto local = take_local(reader);
  if (!local) return std::nullopt;
  auto offset = take_zone(reader);
  if (!offset || !reader.done()) return std::nullopt;
  return *local - *offset * microseconds_per_second;
}

}  // namespace kafka_fdw::decode
