#pragma once

#include <string>
#include <vector>

#include "pg/boundary.h"

namespace kafka_fdw::ingest {

/// A column of a primary key.
struct KeyColumn {
  std::string name;
  Oid type = InvalidOid;
  Oid equality = InvalidOid;  ///< the operator by which the key is unique

  /// The condition that both are equal, by that operator whatever the search_path is.
  std::string equal(const std::string& left, const std::string& right) const;
};

/// In the order of the key. Throws pg::Error 55000 where the relation has none, or one that ON CONFLICT cannot use.
std::vector<KeyColumn> require_primary_key(Oid relation);

}  // namespace kafka_fdw::ingest
