#include "decode/unique_names.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kafka_fdw::decode {
namespace {

size_t clip_bytes(std::string_view name, size_t limit) { return std::min(name.size(), limit); }

/// As clip_bytes, with characters of two bytes.
size_t clip_pairs(std::string_view name, size_t limit) { return std::min(name.size(), limit) / 2 * 2; }

TEST(UniqueNames, AreTheNamesThemselvesWhileTheseAreFree) {
  UniqueNames names(63, clip_bytes);
  EXPECT_EQ(names.take("id"), "id");
  EXPECT_EQ(names.take("Id"), "Id");
  EXPECT_EQ(names.take("a \"b\""), "a \"b\"");
}

TEST(UniqueNames, GetANumberWhereTheyAreTaken) {
  UniqueNames names(63, clip_bytes);
  names.reserve("ctid");
  EXPECT_EQ(names.take("ctid"), "ctid_1");
  EXPECT_EQ(names.take("a"), "a");
  EXPECT_EQ(names.take("a_1"), "a_1");
  EXPECT_EQ(names.take("a"), "a_2");
}

TEST(UniqueNames, AreNeverEmpty) {
  UniqueNames names(63, clip_bytes);
  EXPECT_EQ(names.take(""), "unnamed");
  EXPECT_EQ(names.take(""), "unnamed_1");
}

TEST(UniqueNames, AreCutBetweenCharacters) {
  UniqueNames names(5, clip_pairs);
  EXPECT_EQ(names.take("aabbcc"), "aabb");
  EXPECT_EQ(names.take("aabbdd"), "aa_1");
  EXPECT_EQ(names.take("aabbee"), "aa_2");
}

}  // namespace
}  // namespace kafka_fdw::decode
