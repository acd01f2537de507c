#include "kafka/offset_set.h"

#include <gmock/gmock.h>

#include <random>

namespace kafka_fdw::kafka {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t max = OffsetSet::max_offset;

TEST(OffsetSet, NoneAndAllAreComplements) {
  EXPECT_TRUE(OffsetSet::none().empty());
  EXPECT_EQ(~OffsetSet::none(), OffsetSet::all());
  EXPECT_EQ(~OffsetSet::all(), OffsetSet::none());
  EXPECT_THAT(OffsetSet::all().of_partition(2147483647), ElementsAre(Interval{0, max}));
}

TEST(OffsetSet, ClampsWhatNoPartitionOrOffsetCanBe) {
  constexpr int64_t least = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(OffsetSet::partitions(least, max), OffsetSet::all());
  EXPECT_EQ(OffsetSet::offsets(least, max), OffsetSet::all());
  EXPECT_EQ(OffsetSet::offsets(least, 0), OffsetSet::none());
  EXPECT_EQ(OffsetSet::partitions(int64_t{1} << 31, max), OffsetSet::none());
  EXPECT_EQ(OffsetSet::offsets(7, 3), OffsetSet::none());
}

TEST(OffsetSet, JoinsAdjacentIntervalsAndStripes) {
  EXPECT_EQ(OffsetSet::offsets(0, 5) | OffsetSet::offsets(5, 10), OffsetSet::offsets(0, 10));
  EXPECT_EQ(OffsetSet::partitions(0, 5) | OffsetSet::partitions(5, 10), OffsetSet::partitions(0, 10));
}

TEST(OffsetSet, AListOfIntervalsIsTheirUnion) {
  std::mt19937 random(20261128);
  for (int round = 0; round < 1000; ++round) {
    std::vector<Interval> intervals(random() % 8);
    OffsetSet each = OffsetSet::none();
    for (auto& [from, to] : intervals) {
      from = static_cast<int64_t>(random() % 30) - 5;
      to = random() % 10 == 0 ? max : static_cast<int64_t>(random() % 30) - 5;
      each = each | OffsetSet::offsets(from, to);
    }
    ASSERT_EQ(OffsetSet::offsets(intervals), each) << "round " << round;
  }
}

TEST(OffsetSet, AConditionWithOrSelectsEachOffsetOnce) {
  auto set = (OffsetSet::partitions(0, 1) & OffsetSet::offsets(10, 20)) | OffsetSet::offsets(15, 30);
  EXPECT_THAT(set.of_partition(0), ElementsAre(Interval{10, 30}));
  EXPECT_THAT(set.of_partition(1), ElementsAre(Interval{15, 30}));
  EXPECT_THAT((set & OffsetSet::offsets(40, max)).of_partition(0), IsEmpty());
}

/// The same set as a table of bits, for a world of 6 partitions and 12 offsets that touches both ends of the real one.
class Model {
 public:
  static constexpr int partitions = 6, offsets = 12;
  bool at(int partition, int offset) const { return bits_[partition][offset]; }
  template <class F>
  static Model make(F f) {
    Model model;
    for (int p = 0; p < partitions; ++p) {
      for (int o = 0; o < offsets; ++o) model.bits_[p][o] = f(p, o);
    }
    return model;
  }

 private:
  bool bits_[partitions][offsets] = {};
};

/// The last place of the model stands for the last one there is.
int64_t real_partition(int p) { return p == Model::partitions - 1 ? 2147483647 : p; }
int64_t real_offset(int o) { return o == Model::offsets - 1 ? max - 1 : o; }

struct Pair {
  OffsetSet set;
  Model model;
};

Pair random_pair(std::mt19937& random, int depth) {
  auto below = [&](int n) { return static_cast<int>(random() % n); };
  switch (depth == 0 ? below(2) : below(5)) {
    case 0: {
      int from = below(Model::partitions), to = below(Model::partitions + 1);
      int64_t real_to = to == Model::partitions ? int64_t{1} << 31 : real_partition(to);
      return {OffsetSet::partitions(real_partition(from), real_to),
              Model::make([=](int p, int) { return p >= from && p < to; })};
    }
    case 1: {
      int from = below(Model::offsets), to = below(Model::offsets + 1);
      int64_t real_to = to == Model::offsets ? max : real_offset(to);
      return {OffsetSet::offsets(real_offset(from), real_to),
              Model::make([=](int, int o) { return o >= from && o < to; })};
    }
    case 2: {
      Pair a = random_pair(random, depth - 1), b = random_pair(random, depth - 1);
      return {a.set | b.set, Model::make([&](int p, int o) { return a.model.at(p, o) || b.model.at(p, o); })};
    }
    case 3: {
      Pair a = random_pair(random, depth - 1), b = random_pair(random, depth - 1);
      return {a.set & b.set, Model::make([&](int p, int o) { return a.model.at(p, o) && b.model.at(p, o); })};
    }
    default: {
      Pair a = random_pair(random, depth - 1);
      return {~a.set, Model::make([&](int p, int o) { return !a.model.at(p, o); })};
    }
  }
}

TEST(OffsetSet, AgreesWithATableOfBits) {
  std::mt19937 random(20261122);
  for (int round = 0; round < 5000; ++round) {
    Pair pair = random_pair(random, 5);
    for (int p = 0; p < Model::partitions; ++p) {
      std::vector<Interval> intervals = pair.set.of_partition(static_cast<int32_t>(real_partition(p)));
      for (size_t i = 0; i < intervals.size(); ++i) {
        ASSERT_LT(intervals[i].from, intervals[i].to) << "round " << round;
        ASSERT_TRUE(i == 0 || intervals[i - 1].to < intervals[i].from) << "round " << round;
      }
      for (int o = 0; o < Model::offsets; ++o) {
        int64_t offset = real_offset(o);
        bool found = std::ranges::any_of(intervals, [&](Interval i) { return offset >= i.from && offset < i.to; });
        ASSERT_EQ(found, pair.model.at(p, o)) << "round " << round << " partition " << p << " offset " << o;
      }
    }
    ASSERT_EQ(~~pair.set, pair.set);
  }
}

}  // namespace
}  // namespace kafka_fdw::kafka
