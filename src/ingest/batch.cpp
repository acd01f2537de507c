#include "ingest/batch.h"

#include "ingest/fail.h"

#include <algorithm>
#include <map>

namespace kafka_fdw::ingest {

namespace {

/// The messages of one topic in the batch. Holds no reference to the binding, which an error or a cursor may outlive.
class BatchSource : public fdw::MessageSource {
 public:
  BatchSource(std::shared_ptr<BoundMessages> bound, int32_t topic, bool tombstones, const fdw::ScanOrder& order)
      : bound_(std::move(bound)), topic_(topic), tombstones_(tombstones), order_(order) {}

  void open(const kafka::OffsetSet& wanted) override {
    place_ = 0;
    wanted_ = wanted;
    everything_ = wanted == kafka::OffsetSet::all();
    intervals_.clear();
    ++bound_->scans[static_cast<size_t>(topic_)];
    ++counters_.ranges;
  }

  const kafka::Message* next() override {
    if (!bound_->messages)
      fail(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "the consumer's batch is over",
           "A cursor that reads a topic of a consumer ends with the consumer's statement.");
    const std::span<const kafka::Message> messages = *bound_->messages;
    if (ordered_.empty() && order_.kind != fdw::ScanOrder::Kind::none) sort(messages);
    while (place_ < messages.size()) {
      const kafka::Message& message = ordered_.empty() ? messages[place_] : *ordered_[place_];
      ++place_;
      if (message.topic != topic_ || (!message.value && !tombstones_) || !selects(message)) continue;
      ++counters_.messages;
      counters_.bytes += static_cast<int64_t>(message.bytes());
      return bound_->last_given = &message;
    }
    return nullptr;
  }

  void close() override {}
  Counters counters() const override { return counters_; }

 private:
  void sort(std::span<const kafka::Message> messages) {
    for (const kafka::Message& message : messages) ordered_.push_back(&message);
    std::ranges::sort(ordered_, [this](const auto* a, const auto* b) { return order_.precedes(*a, *b); });
  }

  bool selects(const kafka::Message& message) {
    if (!bound_->left_out.empty() && bound_->left_out.contains(&message)) return false;
    if (everything_) return true;
    auto found = intervals_.find(message.partition);
    if (found == intervals_.end())
      found = intervals_.emplace(message.partition, wanted_.of_partition(message.partition)).first;
    const auto holds = [&](const kafka::Interval& interval) {
      return interval.from <= message.offset && message.offset < interval.to;
    };
    return std::ranges::any_of(found->second, holds);
  }

  std::shared_ptr<BoundMessages> bound_;
  int32_t topic_;
  bool tombstones_;
  fdw::ScanOrder order_;
  std::vector<const kafka::Message*> ordered_;  ///< the batch in the order, where there is one
  size_t place_ = 0;
  kafka::OffsetSet wanted_ = kafka::OffsetSet::all();
  bool everything_ = true;
  std::map<int32_t, std::vector<kafka::Interval>> intervals_;
  Counters counters_;
};

}  // namespace

bool can_show_tombstones(const fdw::Table& table) {
  const bool upsert = table.shape.format.envelope == decode::Envelope::upsert;
  return upsert || std::ranges::any_of(table.shape.columns, [](const pg::RowColumn& column) {
           const bool keyed = column.role == pg::ColumnRole::row_key && (column.whole_key || !column.key_path.empty());
           return keyed || column.role == pg::ColumnRole::tombstone || column.role == pg::ColumnRole::payload;
         });
}

BatchBinding::BatchBinding(const Consumer& consumer, Oid server, std::span<const kafka::Message> messages,
                           Rejections* rejections)
    : consumer_(consumer),
      server_(server),
      bound_(std::make_shared<BoundMessages>()),
      rejections_(rejections),
      topics_(consumer.topics.size()),
      outer_(fdw::bound_batch()) {
  bound_->messages = messages;
  bound_->scans.resize(consumer.topics.size());
  if (rejections != nullptr)
    for (const auto& [message, rejection] : *rejections) bound_->left_out.insert(message);
  fdw::set_bound_batch(this);
}

BatchBinding::~BatchBinding() {
  bound_->messages.reset();
  fdw::set_bound_batch(outer_);
}

int32_t BatchBinding::topic_of(const fdw::Table& table) const {
  if (table.server != server_) return -1;
  const auto found = std::ranges::find(consumer_.topics, table.topic);
  return found == consumer_.topics.end() ? -1 : static_cast<int32_t>(found - consumer_.topics.begin());
}

std::unique_ptr<fdw::MessageSource> BatchBinding::source_for(const fdw::Table& table, const fdw::ScanOrder& order) {
  const int32_t topic = topic_of(table);
  if (topic < 0) return nullptr;
  const bool tombstones = can_show_tombstones(table);
  TopicState& state = topics_[static_cast<size_t>(topic)];
  state.read = true;
  state.shows_tombstones |= tombstones;
  return std::make_unique<BatchSource>(bound_, topic, tombstones, order);
}

void BatchBinding::reject(const kafka::Message& message, const pg::RowError& error) {
  bound_->left_out.insert(&message);
  rejections_->emplace(&message, Rejection{.failure = failure_of_row(error), .by_statement = false});
}

bool BatchBinding::was_scanned_again() const {
  return std::ranges::any_of(bound_->scans, [](int count) { return count > 1; });
}

double BatchBinding::expected_rows(const fdw::Table& table) const {
  return topic_of(table) < 0 ? -1 : consumer_.batch_size;
}

}  // namespace kafka_fdw::ingest
