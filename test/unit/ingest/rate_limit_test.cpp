#include "ingest/rate_limit.h"

#include <gtest/gtest.h>

namespace kafka_fdw::ingest {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t all = 1'000'000;

TEST(RateLimit, AllowsEverythingWhereThereIsNone) {
  RateLimit rate(std::nullopt);
  EXPECT_EQ(rate.allowed(all), all);
  rate.take(all);
  EXPECT_EQ(rate.allowed(all), all);
  EXPECT_EQ(rate.wait(), milliseconds(0));
}

TEST(RateLimit, AllowsTheRateOverAnySpanAndASecondsWorthMore) {
  const auto start = RateLimit::Clock::now();
  RateLimit rate(100, start);
  size_t taken = 0;
  for (milliseconds passed{0}; passed <= seconds(60); passed += milliseconds(7)) {
    const size_t now = rate.allowed(all, start + passed);
    rate.take(now);
    taken += now;
    EXPECT_LE(static_cast<double>(taken), 1 + static_cast<double>(passed.count()) / 10);
  }
  EXPECT_GE(taken, 5990U);
}

TEST(RateLimit, KeepsNoMoreThanASecondsWorthOverASilence) {
  const auto start = RateLimit::Clock::now();
  RateLimit rate(100, start);
  EXPECT_EQ(rate.allowed(all, start + hours(1)), 100U);
  EXPECT_EQ(rate.allowed(7, start + hours(1)), 7U);
}

TEST(RateLimit, AllowsWholeMessagesOfARateBelowOne) {
  const auto start = RateLimit::Clock::now();
  RateLimit rate(0.5, start);
  EXPECT_EQ(rate.allowed(all, start + seconds(1)), 1U);
  rate.take(1);
  EXPECT_EQ(rate.allowed(all, start + milliseconds(2900)), 0U);
  EXPECT_EQ(rate.allowed(all, start + seconds(4)), 1U);
}

TEST(RateLimit, SaysHowLongNothingIsAllowed) {
  const auto start = RateLimit::Clock::now();
  RateLimit rate(10, start);
  EXPECT_EQ(rate.allowed(all, start), 1U);
  EXPECT_EQ(rate.wait(), milliseconds(0));
  rate.take(1);
  EXPECT_EQ(rate.wait(), milliseconds(100));
  EXPECT_EQ(rate.allowed(all, start + milliseconds(100)), 1U);
}

}  // namespace
}  // namespace kafka_fdw::ingest
