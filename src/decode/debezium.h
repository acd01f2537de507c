#pragma once

#include <memory>
#include <vector>

#include "decode/decoder.h"

namespace kafka_fdw::decode {

/// Change events of Debezium's connectors for relational databases, as JSON with or without the schema that Kafka
/// Connect may put around them: `op` c, u and r (the row is `after` now), d (it was `before`); m is about no row.
/// (https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events)
///
/// What an event says in another way than a column would understand:
/// - a json column arrives as a string: the JSON that it holds is taken;
/// - a value that did not change and was not read for that reason is a placeholder: it is `bad`;
/// - a date may be the number of days since 1970;
/// - times and intervals may be numbers in units that depend on the connector's settings, and bytes are base64: see
///   Column::refusal.
std::unique_ptr<Decoder> make_debezium_decoder(std::vector<Column> columns);

}  // namespace kafka_fdw::decode
