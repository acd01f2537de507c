#pragma once

#include <string>

#include "pg/boundary.h"

extern "C" {
#include "foreign/foreign.h"
}

/// Look-ups of the extension's own objects. They may raise: call them inside pg::call.
namespace kafka_fdw::fdw {

/// Whether the server belongs to the extension itself, as pipeline_kafka does.
bool belongs_to_extension(const ForeignServer* server);

/// The user's mapping or that of PUBLIC, or null.
struct MappingOptions {
  Oid mapping;  ///< InvalidOid: there is none
  List* options;
};
MappingOptions look_up_mapping(Oid server, Oid user);

/// The rows of pipeline_kafka_brokers, comma separated; empty where there are none.
char* registered_brokers(const ForeignServer* server);

}  // namespace kafka_fdw::fdw
