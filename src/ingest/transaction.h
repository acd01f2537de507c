#pragma once

#include "pg/boundary.h"

namespace kafka_fdw::ingest {

/// A transaction of a background worker: rolled back at the end of its scope unless it has ended before.
class Transaction {
 public:
  Transaction();
  ~Transaction();
  void commit();
  void roll_back();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

 private:
  bool open_ = true;
};

}  // namespace kafka_fdw::ingest
