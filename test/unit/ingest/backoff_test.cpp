#include "ingest/backoff.h"

#include <gtest/gtest.h>

namespace kafka_fdw::ingest {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(Backoff, DoublesToHalfAMinuteAndStaysThereForAnHour) {
  Backoff backoff;
  milliseconds passed{0};
  milliseconds before{0};
  int attempts = 0;
  for (; passed < hours(1); ++attempts) {
    const milliseconds wait = backoff.next();
    EXPECT_EQ(wait, attempts == 0 ? Backoff::shortest : std::min(before * 2, Backoff::longest));
    passed += wait;
    before = wait;
  }
  EXPECT_EQ(before, Backoff::longest);
  EXPECT_LT(attempts, 150);
}

TEST(Backoff, BeginsAnewAfterASuccess) {
  Backoff backoff;
  for (int i = 0; i < 20; ++i) (void)backoff.next();
  backoff.reset();
  EXPECT_EQ(backoff.next(), Backoff::shortest);
}

}  // namespace
}  // namespace kafka_fdw::ingest
