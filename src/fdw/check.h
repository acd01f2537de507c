#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fdw/connection.h"

namespace kafka_fdw::fdw {

/// What became of one step of a check.
struct CheckedStep {
  std::string name;
  std::optional<bool> ok;  ///< absent: it was not tried
  std::string detail;
  std::string hint;
};

/// Tries, as the current user, what a scan would do, step after step, within kafka_fdw.connect_timeout in all. What
/// does not work is a step that failed, with a hint what to change, and no error; those that then make no sense are not
/// tried. Waits interruptibly. No secret is in any text.
std::vector<CheckedStep> check_server(Oid server, const std::optional<std::string>& topic);

}  // namespace kafka_fdw::fdw
