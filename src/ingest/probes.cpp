#include "ingest/probes.h"

#include <algorithm>
#include <utility>

namespace kafka_fdw::ingest {

namespace {

constexpr std::chrono::seconds timeout{2};

}  // namespace

void Probes::ask(bool ends, bool partitions) {
  if (ends_ || partitions_ || (!ends && !partitions)) return;
  topic_ = (topic_ + 1) % static_cast<int32_t>(consumer_.topics.size());
  const std::string& name = consumer_.topics[static_cast<size_t>(topic_)];
  const std::vector<int32_t> followed = feed_.partitions(topic_);
  if (ends && !followed.empty()) ends_ = feed_.client().watermarks(name, followed, timeout);
  if (partitions) partitions_ = feed_.client().topics(name, timeout);
}

Probes::Answer Probes::look() {
  Answer answer = Answer::none;
  if (ends_ && ends_->ready()) answer = look_at_ends();
  if (partitions_ && partitions_->ready()) answer = std::max(answer, look_at_partitions());
  return answer;
}

Probes::Answer Probes::look_at_ends() {
  auto answer = *std::exchange(ends_, std::nullopt);
  try {
    for (const kafka::Watermarks& marks : answer.take()) status_.note_end({topic_, marks.partition}, marks.high);
    return Answer::alive;
  } catch (const kafka::Error&) {
    trouble_ = failure_of_current_exception();
    if (trouble_.failure_class != FailureClass::transient) throw;
    return Answer::silent;
  }
}

Probes::Answer Probes::look_at_partitions() {
  auto answer = *std::exchange(partitions_, std::nullopt);
  try {
    const auto own = [this](const kafka::PartitionInfo& partition) { return slots_.take(consumer_, partition.id); };
    const auto topics = answer.take();
    const auto count = static_cast<size_t>(std::ranges::count_if(topics.at(0).partitions, own));
    return count == feed_.partitions(topic_).size() ? Answer::alive : Answer::changed;
  } catch (const kafka::Error&) {
    if (failure_of_current_exception().failure_class != FailureClass::transient) throw;
    return Answer::none;
  }
}

}  // namespace kafka_fdw::ingest
