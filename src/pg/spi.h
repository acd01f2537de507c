#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pg/boundary.h"

extern "C" {
#include "executor/spi.h"
#include "utils/snapshot.h"
}

namespace kafka_fdw::pg {

/// An argument of a query. The Datum must hold until the query has run.
struct Param {
  Oid type;
  Datum value;
  bool null = false;

  static Param int4(int32 value);
  static Param int8(int64 value);
  static Param int4(const std::optional<int32>& value);
  static Param int8(const std::optional<int64>& value);
  static Param boolean(bool value);
  static Param oid(Oid value);
  static Param text(std::string_view value);  ///< copied into the current memory context
  static Param text(const std::optional<std::string>& value);
  static Param texts(std::span<const std::string> values);  ///< text[]
  static Param int4s(std::span<const int32> values);        ///< integer[]
  static Param int8s(std::span<const int64> values);        ///< bigint[]
  static Param null_of(Oid type);
};

/// Rows that a query returned; holds until the Spi that ran it ends.
class Rows {
 public:
  explicit Rows(SPITupleTable* table, uint64 processed) : table_(table), processed_(processed) {}
  uint64 processed() const noexcept { return processed_; }  ///< rows returned or changed
  size_t size() const noexcept { return table_ == nullptr ? 0 : table_->numvals; }
  bool empty() const noexcept { return size() == 0; }

  /// Columns are counted from 1.
  std::optional<std::string> text(size_t row, int column) const;
  std::string string(size_t row, int column) const;            ///< empty for NULL
  std::optional<int64> integer(size_t row, int column) const;  ///< int2, int4, int8, oid, regclass
  bool boolean(size_t row, int column) const;                  ///< false for NULL
  Datum datum(size_t row, int column, bool* null) const;

 private:
  SPITupleTable* table_;
  uint64 processed_;
};

/// A connection to SPI for a scope. Ends with it; after an error the transaction's or subtransaction's abort ends it.
class Spi {
 public:
  Spi();
  ~Spi();
  Spi(const Spi&) = delete;
  Spi& operator=(const Spi&) = delete;

  /// Any statement; a fresh snapshot unless read_only, which uses the active one.
  Rows execute(const char* sql, std::initializer_list<Param> params = {}, bool read_only = false);
  Rows execute(const std::string& sql, std::initializer_list<Param> params = {}) {
    return execute(sql.c_str(), params);
  }

 private:
  int exceptions_;
};

/// A statement prepared once, kept until it is destroyed; replanned by PostgreSQL when the catalog changes.
class Plan {
 public:
  Plan() = default;
  Plan(const std::string& sql, std::initializer_list<Oid> types);  ///< inside an Spi
  ~Plan();
  Plan(Plan&& other) noexcept { std::swap(plan_, other.plan_); }
  Plan& operator=(Plan&& other) noexcept {
    std::swap(plan_, other.plan_);
    return *this;
  }
  explicit operator bool() const noexcept { return plan_ != nullptr; }
  SPIPlanPtr get() const noexcept { return plan_; }

  /// Inside an Spi, with a fresh snapshot.
  Rows execute(std::initializer_list<Param> params = {}) const;

 private:
  SPIPlanPtr plan_ = nullptr;
};

/// Makes a snapshot the active one for a scope. After an error the abort takes it back.
class ActiveSnapshot {
 public:
  explicit ActiveSnapshot(Snapshot snapshot);
  ~ActiveSnapshot();
  ActiveSnapshot(const ActiveSnapshot&) = delete;
  ActiveSnapshot& operator=(const ActiveSnapshot&) = delete;

 private:
  int exceptions_;
};

/// What others have committed meanwhile is seen in it, whatever the isolation level.
class LatestSnapshot : public ActiveSnapshot {
 public:
  LatestSnapshot();
};

/// Acts as another role for a scope, with a search_path of its own, as a security definer function does. Where the role
/// is not the current one, the scope is a security-restricted operation: code of the one role can leave nothing behind
/// (cursors WITH HOLD, deferred triggers, temporary tables) that would run with the rights of the other.
class AsUser {
 public:
  /// The default path keeps operators and functions of the caller's schemas out of what runs with the other role's
  /// rights.
  explicit AsUser(Oid user, const char* search_path = "pg_catalog, pg_temp");
  ~AsUser();
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  Oid user_;
  int context_;
  int settings_level_;
};

/// `"schema"."name"`, quoted only where it must be, whatever quote_all_identifiers is: such names are stored and
/// compared.
std::string qualified_name(Oid relation);
std::string qualified_name(const char* schema, const char* name);
std::string quoted(const std::string& identifier);
std::string quoted_literal(const std::string& value);

}  // namespace kafka_fdw::pg
