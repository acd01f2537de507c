#include "fdw/import_sample.h"

#include <algorithm>
#include <numeric>

extern "C" {
#include "miscadmin.h"
}

namespace kafka_fdw::fdw {

namespace {

constexpr size_t max_sample_bytes = size_t{16} << 20;

/// Partitions are fetched side by side, in small responses: so that each has its part of the bytes.
Table with_small_fetches(Table table) {
  for (const char* name : {"fetch.message.max.bytes", "max.partition.fetch.bytes"})
    if (table.properties.contains(name)) return table;
  table.properties.emplace("fetch.message.max.bytes", "65536");
  return table;
}

/// How many of `count` messages to take of each partition, when they have so many: as evenly as they allow, at least
/// one of each.
std::vector<int64_t> share_out(int64_t count, std::span<const int64_t> sizes) {
  std::vector<size_t> by_size(sizes.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::ranges::sort(by_size, {}, [&](size_t i) { return sizes[i]; });
  std::vector<int64_t> shares(sizes.size());
  auto partitions_left = static_cast<int64_t>(sizes.size());
  for (const size_t i : by_size) {
    const int64_t even = (count + partitions_left - 1) / partitions_left;
    --partitions_left;
    shares[i] = std::min(sizes[i], std::max<int64_t>(even, 1));
    count = std::max<int64_t>(count - shares[i], 0);
  }
  return shares;
}

std::vector<kafka::Range> newest(std::vector<kafka::Range> ranges, int64_t count) {
  std::vector<int64_t> sizes;
  sizes.reserve(ranges.size());
  for (const kafka::Range& range : ranges) sizes.push_back(range.to - range.from);
  const std::vector<int64_t> taken = share_out(count, sizes);
  for (size_t i = 0; i < ranges.size(); ++i) ranges[i].from = ranges[i].to - taken[i];
  return ranges;
}

}  // namespace

TopicSample::TopicSample(Table table, int64_t count)
    : reading_(with_small_fetches(std::move(table)), GetUserId()),
      batches_(pg::make_owned<Batches>(reading_.context())) {
  reading_.source().read(newest(reading_.topic().ranges(kafka::OffsetSet::all()), count));
  size_t bytes = 0;
  const size_t limit = std::min(max_sample_bytes, fetch_buffer_bytes());
  kafka::MessageBatch batch;
  while (bytes < limit && reading_.source().next_batch(batch, limit - bytes)) {
    bytes += batch.bytes();
    for (const kafka::Message& message : batch.messages()) messages_.push_back(&message);
    batches_.push_back(std::move(batch));
  }
  std::ranges::sort(messages_, {}, [](const kafka::Message* m) { return std::pair(m->partition, m->offset); });
  reading_.close();
}

}  // namespace kafka_fdw::fdw
