#include "decode/unique_names.h"

namespace kafka_fdw::decode {

std::string UniqueNames::take(std::string_view wanted) {
  if (wanted.empty()) wanted = "unnamed";
  std::string name(wanted.substr(0, clip_(wanted, max_bytes_)));
  for (int number = 1; !taken_.insert(name).second; ++number) {
    const std::string suffix = "_" + std::to_string(number);
    name = std::string(wanted.substr(0, clip_(wanted, max_bytes_ - suffix.size()))) + suffix;
  }
  return name;
}

}  // namespace kafka_fdw::decode
