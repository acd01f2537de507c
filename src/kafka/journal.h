#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kafka/properties.h"

namespace kafka_fdw::kafka {

/// What a client has lived through: for the error that says why nothing came. Used by the client's owner alone.
class Journal {
 public:
  explicit Journal(const Properties& properties);

  void note_success() noexcept;
  void note_trouble(std::string_view trouble);  ///< redacted and put in short words here
  const std::string& trouble() const noexcept { return trouble_; }

  /// The text without the values of secret properties.
  std::string redacted(std::string_view text) const;

  /// Throws unreachable where no broker could be reached, else timed_out with `what` ("could not …").
  [[noreturn]] void throw_unanswered(const std::string& what) const;

 private:
  std::string brokers_;
  std::vector<std::string> secrets_;
  std::string trouble_;
  bool reached_ = false;
};

}  // namespace kafka_fdw::kafka
