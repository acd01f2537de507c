#pragma once

#include <optional>
#include <span>
#include <string>

#include "ingest/consumer.h"
#include "ingest/fast_apply.h"
#include "ingest/reject.h"
#include "ingest/tally.h"

namespace kafka_fdw::ingest {

/// Applies messages in the current transaction, as the current role: by the consumer's statement, or faster where the
/// catalog allows it. Belongs to the consumer and the catalog as they were when it was made.
class Applier {
 public:
  /// How messages are applied, and why not fast.
  struct Way {
    bool fast = false;
    std::string reason;
  };
  /// Thrown where a message was rejected that another scan of the same statement may have taken: nothing of it holds.
  /// With the rejections that are known now, it will.
  struct Inconsistent {};

  /// Whose transaction it is: of somebody else's, deferred constraints that are not the stream's are left alone.
  enum class Transaction : uint8_t { own, of_caller };

  Applier(const Consumer& consumer, Oid server, Transaction transaction)
      : consumer_(consumer), server_(server), transaction_(transaction) {}

  /// Errors come out as they are. With rejections, messages in it are left out, and those that do not decode are added.
  /// Throws Inconsistent.
  Tallies run(pg::Spi& spi, std::span<const kafka::Message> messages, Rejections* rejections = nullptr);

  /// After an error, the message that was probably at fault; null: none in particular.
  const kafka::Message* culprit() const noexcept { return culprit_; }
  /// Whether that did not decode.
  bool failed_to_decode() const noexcept { return failed_to_decode_; }

  /// Of the last run.
  const Way& way() const noexcept { return way_; }

 private:
  void choose_way();
  Tallies run_fast(std::span<const kafka::Message> messages, Rejections* rejections);
  void check_deferred_constraints(pg::Spi& spi) const;
  Tallies run_statement(pg::Spi& spi, std::span<const kafka::Message> messages, Rejections* rejections);

  const Consumer& consumer_;
  Oid server_;
  Transaction transaction_;
  Way way_;
  bool looked_ = false;  ///< for an obstacle
  std::optional<std::string> obstacle_;
  std::optional<FastApply> fast_;
  pg::Plan statement_;
  const kafka::Message* culprit_ = nullptr;
  bool failed_to_decode_ = false;
};

}  // namespace kafka_fdw::ingest
