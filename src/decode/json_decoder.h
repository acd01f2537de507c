#pragma once

#include <memory>
#include <vector>

#include "decode/decoder.h"

namespace kafka_fdw::decode {

struct JsonRules {
  bool strict = false;        ///< missing or extra fields are errors
  bool any_document = false;  ///< a document need not be an object
  /// A document that is an object of just the fields `schema`, an object or null, and `payload` is what its payload is:
  /// so Kafka Connect's JsonConverter writes with schemas.enable. But for columns that ask for one of the two.
  bool unwrap = false;
  bool debezium = false;  ///< of strings that hold JSON, and of what is left out, see debezium.h
};

/// Of columns with the parts `field`, `document`, `sole` (at most one) and `deletion`: whether the document is null,
/// which it may be then.
std::unique_ptr<Decoder> make_json_decoder(const JsonRules& rules, std::vector<Column> columns);

}  // namespace kafka_fdw::decode
