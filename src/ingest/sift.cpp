#include "ingest/sift.h"

#include <algorithm>
#include <vector>

namespace kafka_fdw::ingest {

namespace {

/// Large enough that subtransactions cost little, small enough that a bad message spoils little; and not more than 64
/// pieces of a batch, beyond which snapshots of others get slow.
constexpr size_t smallest_piece = 1024;
constexpr size_t most_pieces = 48;

constexpr const char* foreign_key_violation = "23503";
constexpr const char* query_canceled = "57014";

/// Has an attempt rolled back that would reject one message too many.
struct TooManyRejected {};

}  // namespace

bool Streak::add(const std::string& sqlstate) {
  count_ = sqlstate == sqlstate_ ? count_ + 1 : 1;
  sqlstate_ = sqlstate;
  return count_ < longest;
}

Failure at_message(Failure failure, const Consumer& consumer, const kafka::Message& message) {
  failure.failure_class = FailureClass::bad_message;
  failure.topic = consumer.topics[static_cast<size_t>(message.topic)];
  failure.partition = message.partition;
  failure.offset = message.offset;
  return failure;
}

void Sieve::run(Messages messages, const Failure* failed) {
  settled_ = messages.first(0);
  if (failed == nullptr && attempt(messages)) {
    settled_ = messages;
  } else {
    if (failed != nullptr) failure_ = *failed;
    const size_t length = std::max(smallest_piece, messages.size() / most_pieces + 1);
    if (messages.size() == 1) {
      divide(messages, false);
    } else {
      for (size_t from = 0; from < messages.size() && !stop_; from += length)
        sift(messages.subspan(from, std::min(length, messages.size() - from)), true);
    }
  }
  if (!stop_) retry_for_parents();
}

void Sieve::sift(Messages messages, bool trust_culprit) {
  if (messages.empty() || stop_) return;
  if (attempt(messages))
    settled_ = Messages(settled_.data(), settled_.size() + messages.size());
  else
    divide(messages, trust_culprit);
}

/// After a failed attempt. The culprit is only a guess where a statement works on many messages at once: where its
/// neighbours fail too it is not believed any more.
void Sieve::divide(Messages messages, bool trust_culprit) {
  if (messages.size() == 1) return reject(messages.front());
  const kafka::Message* culprit = stops_at_ != nullptr ? stops_at_ : applier_.culprit();
  const bool known = trust_culprit && culprit >= messages.data() && culprit < messages.data() + messages.size();
  if (known) {
    const auto place = static_cast<size_t>(culprit - messages.data());
    sift(messages.first(place), false);
    sift(messages.subspan(place, 1), true);
    sift(messages.subspan(place + 1), true);
  } else {
    sift(messages.first(messages.size() / 2), trust_culprit);
    sift(messages.subspan(messages.size() / 2), trust_culprit);
  }
}

/// False: rolled back; failure_ says why.
bool Sieve::attempt(Messages messages) {
  stops_at_ = nullptr;
  if (consumer_.on_error == OnError::stop) return apply(messages, nullptr);
  Rejections found;
  for (;;) {
    try {
      return apply(messages, &found);
    } catch (const Applier::Inconsistent&) {
      // What is known to be bad is left out from the start now.
    }
  }
}

bool Sieve::apply(Messages messages, Rejections* rejections) {
  pg::ErrorPtr error;
  {
    pg::Subtransaction subtransaction;
    try {
      const Tallies tallies = applier_.run(spi_, messages, rejections);
      if (rejections != nullptr && !keep(*rejections, messages)) return false;
      subtransaction.commit();
      add(tallies);
      const size_t rejected = rejections == nullptr ? 0 : rejections->size();
      if (rejected < messages.size() && streak_ != nullptr) streak_->end();
      if (rejections != nullptr) rejections_.merge(*rejections);
      return true;
    } catch (const pg::Error& raised) {
      error = raised.data();
    }
  }
  failure_ = failure_of_error(*error);
  if (!is_of_messages(failure_)) throw pg::Error(error);
  return false;
}

bool Sieve::is_of_messages(const Failure& failure) const {
  if (failure.failure_class == FailureClass::bad_message) return true;
  return streak_ == nullptr && is_too_much(failure) && failure.sqlstate != query_canceled;
}

/// Whether so many may be rejected. If not, stops_at_ is the first that may not.
bool Sieve::keep(const Rejections& found, Messages) {
  if (!most_rejected_) return true;
  const auto room = *most_rejected_ - static_cast<int64_t>(rejections_.size());
  if (static_cast<int64_t>(found.size()) <= room) return true;
  const auto& [message, rejection] = *std::next(found.begin(), std::max<int64_t>(0, room));
  stops_at_ = message;
  failure_ = rejection.failure;
  return false;
}

/// A message that failed alone.
void Sieve::reject(const kafka::Message& message) {
  const bool by_statement = stops_at_ == nullptr;
  const bool full = most_rejected_ && static_cast<int64_t>(rejections_.size()) >= *most_rejected_;
  if (consumer_.on_error == OnError::stop || full) {
    Failure failure = failure_;
    if (full && consumer_.on_error != OnError::stop)
      failure.detail += (failure.detail.empty() ? "" : "\n") +
                        ("It would be rejected message number " + std::to_string(*most_rejected_ + 1)) +
                        " where reject_limit allows fewer.";
    return stop_at(message, failure);
  }
  if (by_statement && streak_ != nullptr && !streak_->add(failure_.sqlstate)) {
    Failure failure = failure_;
    failure.detail += (failure.detail.empty() ? "" : "\n") + std::to_string(Streak::longest) +
                      " messages in a row failed with SQLSTATE " + failure_.sqlstate +
                      ", so that the messages are hardly to blame.";
    return stop_at(message, failure);
  }
  rejections_.emplace(&message, Rejection{.failure = failure_, .by_statement = true});
  tallies_[{message.topic, message.partition}].add({.messages = 1, .rejected = 1, .identity = identity_of(message)});
  settled_ = Messages(settled_.data(), settled_.size() + 1);
}

void Sieve::stop_at(const kafka::Message& message, Failure failure) {
  stop_ = at_message(std::move(failure), consumer_, message);
}

/// A row whose parent came behind it, in another piece of the batch, was rejected for no fault of its own. From the end
/// to the beginning, as parents that are children came before their own; then the other way, for children of those.
void Sieve::retry_for_parents() {
  if (consumer_.envelope != Envelope::none) return;
  std::vector<const kafka::Message*> lacking;
  for (const auto& [message, rejection] : rejections_)
    if (rejection.by_statement && rejection.failure.sqlstate == foreign_key_violation) lacking.push_back(message);
  for (size_t before = lacking.size() + 1; lacking.size() < before;) {
    before = lacking.size();
    std::ranges::reverse(lacking);
    std::erase_if(lacking, [this](const kafka::Message* message) { return retry(*message); });
  }
}

/// Whether the message that was rejected is taken now.
bool Sieve::retry(const kafka::Message& message) {
  if (!apply({&message, 1}, nullptr)) return false;
  Tally& tally = tallies_[{message.topic, message.partition}];
  --tally.messages;  // counted twice now
  --tally.rejected;
  rejections_.erase(&message);
  return true;
}

void Sieve::add(const Tallies& tallies) {
  for (const auto& [place, tally] : tallies) tallies_[place].add(tally);
}

}  // namespace kafka_fdw::ingest
