#pragma once

#include <optional>
#include <span>

#include "ingest/apply.h"

namespace kafka_fdw::ingest {

/// Rejections of the statement one after the other, with one SQLSTATE and nothing taken in between: when there are very
/// many, it is not the messages that are at fault. Lives longer than a batch.
class Streak {
 public:
  static constexpr int longest = 100;

  /// Whether this one may still be rejected.
  bool add(const std::string& sqlstate);
  void end() noexcept { count_ = 0; }
  int count() const noexcept { return count_; }

 private:
  std::string sqlstate_;
  int count_ = 0;
};

/// Applies what can be applied of some messages, in the current transaction, and finds those that cannot. Pieces of the
/// batch are applied in subtransactions; a piece that fails is divided at the message that seems to be at fault, or in
/// halves: for k bad messages among n that takes O(k log n) attempts.
class Sieve {
 public:
  /// `most_rejected`: how many messages may be rejected; absent: any number. `streak` null: these messages have failed
  /// before, and each is to blame for its own failure, however many fail alike, and also where it is too much for
  /// PostgreSQL.
  Sieve(const Consumer& consumer, Applier& applier, pg::Spi& spi, std::optional<int64_t> most_rejected, Streak* streak)
      : consumer_(consumer), applier_(applier), spi_(spi), most_rejected_(most_rejected), streak_(streak) {}

  /// The messages must lie in memory one after the other. Throws pg::Error for what is no message's fault. `failed`:
  /// for what reason they have failed together, where that is known, so that it need not be tried again.
  void run(std::span<const kafka::Message> messages, const Failure* failed = nullptr);

  /// Applied or rejected: the first ones, up to the one that stops the consumer.
  std::span<const kafka::Message> settled() const noexcept { return settled_; }
  const Rejections& rejections() const noexcept { return rejections_; }
  const Tallies& tallies() const noexcept { return tallies_; }
  /// Why not all were settled, with the coordinates of the first that was not.
  const std::optional<Failure>& stop() const noexcept { return stop_; }

 private:
  using Messages = std::span<const kafka::Message>;

  void sift(Messages messages, bool trust_culprit);
  void divide(Messages messages, bool trust_culprit);
  bool attempt(Messages messages);
  bool apply(Messages messages, Rejections* rejections);
  bool is_of_messages(const Failure& failure) const;
  bool keep(const Rejections& found, Messages messages);
  void reject(const kafka::Message& message);
  void stop_at(const kafka::Message& message, Failure failure);
  void retry_for_parents();
  bool retry(const kafka::Message& message);
  void add(const Tallies& tallies);

  const Consumer& consumer_;
  Applier& applier_;
  pg::Spi& spi_;
  std::optional<int64_t> most_rejected_;
  Streak* streak_;
  Messages settled_;
  Rejections rejections_;
  Tallies tallies_;
  std::optional<Failure> stop_;
  Failure failure_;                           ///< of the last attempt
  const kafka::Message* stops_at_ = nullptr;  ///< of the last attempt: it would have been one rejection too many
};

/// The failure with the coordinates of the message.
Failure at_message(Failure failure, const Consumer& consumer, const kafka::Message& message);

}  // namespace kafka_fdw::ingest
