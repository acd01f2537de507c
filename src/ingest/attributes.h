#pragma once

#include <string>
#include <vector>

#include "pg/boundary.h"

namespace kafka_fdw::ingest {

/// A live column of a relation.
struct Attribute {
  std::string name;
  Oid type = InvalidOid;
  int32 typmod = -1;
  Oid collation = InvalidOid;
  bool generated = false;
  bool identity_always = false;
};

/// The columns in their order. Throws pg::Error 42P01 where there is no such relation.
std::vector<Attribute> attributes_of(Oid relation);

const Attribute* find_attribute(const std::vector<Attribute>& attributes, const std::string& name) noexcept;

/// Whether a stream column of that name receives metadata instead of a field of the message.
bool is_metadata_name(const std::string& name) noexcept;

/// The stream's columns that a message fills: those of `columns` in that order, or without it all but generated and
/// GENERATED ALWAYS ones; then those that receive metadata. Throws pg::Error for a column list that COPY would refuse.
std::vector<Attribute> filled_columns(const std::vector<Attribute>& stream, const std::vector<std::string>& columns);

/// The elements of a text[] that has no nulls. Throws pg::Error 22004 where it has.
std::vector<std::string> strings_of(Datum array);

}  // namespace kafka_fdw::ingest
