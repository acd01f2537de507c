#include "pg/spi.h"

#include <utility>

extern "C" {
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
}

namespace kafka_fdw::pg {

namespace {

/// Raises unless an SPI function succeeded; inside a guard.
void check(int code, const char* what) {
  if (code < 0) elog(ERROR, "%s failed: %s", what, SPI_result_code_string(code));
}

template <class T, class ToDatum>
Param array_param(std::span<const T> values, Oid element, Oid array, ToDatum to_datum) {
  return call([&] {
    auto* datums = static_cast<Datum*>(palloc(sizeof(Datum) * (values.size() + 1)));
    for (size_t i = 0; i < values.size(); ++i) datums[i] = to_datum(values[i]);
    int16 length = 0;
    bool by_value = false;
    char align = 0;
    get_typlenbyvalalign(element, &length, &by_value, &align);
    ArrayType* result = construct_array(datums, static_cast<int>(values.size()), element, length, by_value, align);
    return Param{array, PointerGetDatum(result)};
  });
}

/// What SPI wants of parameters, on the stack of a guarded call.
struct Arguments {
  static constexpr size_t most = 40;
  int count = 0;
  Oid types[most];
  Datum values[most];
  char nulls[most + 1];

  Arguments(std::initializer_list<Param> params) {
    Assert(params.size() <= most);
    for (const Param& param : params) {
      types[count] = param.type;
      values[count] = param.value;
      nulls[count] = param.null ? 'n' : ' ';
      ++count;
    }
    nulls[count] = '\0';
  }
};

/// For a scope names are quoted only where they must be.
class QuotedAsNeeded {
 public:
  QuotedAsNeeded() : before_(std::exchange(quote_all_identifiers, false)) {}
  ~QuotedAsNeeded() { quote_all_identifiers = before_; }
  QuotedAsNeeded(const QuotedAsNeeded&) = delete;
  QuotedAsNeeded& operator=(const QuotedAsNeeded&) = delete;

 private:
  bool before_;
};

}  // namespace

Param Param::int4(int32 value) { return {INT4OID, Int32GetDatum(value)}; }
Param Param::int8(int64 value) { return {INT8OID, Int64GetDatum(value)}; }
Param Param::int4(const std::optional<int32>& value) { return value ? int4(*value) : null_of(INT4OID); }
Param Param::int8(const std::optional<int64>& value) { return value ? int8(*value) : null_of(INT8OID); }
Param Param::boolean(bool value) { return {BOOLOID, BoolGetDatum(value)}; }
Param Param::oid(Oid value) { return {OIDOID, ObjectIdGetDatum(value)}; }
Param Param::null_of(Oid type) { return {type, static_cast<Datum>(0), true}; }

Param Param::text(std::string_view value) {
  return call([&] {
    return Param{TEXTOID, PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size())))};
  });
}

Param Param::text(const std::optional<std::string>& value) {
  return value ? text(std::string_view(*value)) : null_of(TEXTOID);
}

Param Param::texts(std::span<const std::string> values) {
  return array_param(values, TEXTOID, TEXTARRAYOID, [](const std::string& value) {
    return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size())));
  });
}

Param Param::int4s(std::span<const int32> values) {
  return array_param(values, INT4OID, INT4ARRAYOID, [](int32 value) { return Int32GetDatum(value); });
}

Param Param::int8s(std::span<const int64> values) {
  return array_param(values, INT8OID, INT8ARRAYOID, [](int64 value) { return Int64GetDatum(value); });
}

std::optional<std::string> Rows::text(size_t row, int column) const {
  const char* value = call([&] { return SPI_getvalue(table_->vals[row], table_->tupdesc, column); });
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::string Rows::string(size_t row, int column) const { return text(row, column).value_or(std::string()); }

Datum Rows::datum(size_t row, int column, bool* null) const {
  return call([&] { return SPI_getbinval(table_->vals[row], table_->tupdesc, column, null); });
}

std::optional<int64> Rows::integer(size_t row, int column) const {
  bool null = false;
  const Datum value = datum(row, column, &null);
  if (null) return std::nullopt;
  switch (SPI_gettypeid(table_->tupdesc, column)) {
    case INT8OID:
      return DatumGetInt64(value);
    case INT2OID:
      return DatumGetInt16(value);
    case OIDOID:
    case REGCLASSOID:
      return DatumGetObjectId(value);
    default:
      return DatumGetInt32(value);
  }
}

bool Rows::boolean(size_t row, int column) const {
  bool null = false;
  const Datum value = datum(row, column, &null);
  return !null && DatumGetBool(value);
}

Spi::Spi() : exceptions_(std::uncaught_exceptions()) {
  call([] { check(SPI_connect(), "SPI_connect"); });
}

Spi::~Spi() {
  if (std::uncaught_exceptions() == exceptions_) SPI_finish();
}

Rows Spi::execute(const char* sql, std::initializer_list<Param> params, bool read_only) {
  Arguments arguments(params);
  call([&] {
    const int code =
        SPI_execute_with_args(sql, arguments.count, arguments.types, arguments.values, arguments.nulls, read_only, 0);
    check(code, "SPI_execute");
  });
  return Rows(SPI_tuptable, SPI_processed);
}

Plan::Plan(const std::string& sql, std::initializer_list<Oid> types) {
  plan_ = call([&] {
    SPIPlanPtr plan = SPI_prepare(sql.c_str(), static_cast<int>(types.size()), const_cast<Oid*>(types.begin()));
    if (plan == nullptr) check(SPI_result, "SPI_prepare");
    check(SPI_keepplan(plan), "SPI_keepplan");
    return plan;
  });
}

Plan::~Plan() {
  if (plan_ != nullptr) SPI_freeplan(plan_);
}

Rows Plan::execute(std::initializer_list<Param> params) const {
  Arguments arguments(params);
  call([&] { check(SPI_execute_plan(plan_, arguments.values, arguments.nulls, false, 0), "SPI_execute_plan"); });
  return Rows(SPI_tuptable, SPI_processed);
}

ActiveSnapshot::ActiveSnapshot(Snapshot snapshot) : exceptions_(std::uncaught_exceptions()) {
  call([&] { PushActiveSnapshot(snapshot); });
}

ActiveSnapshot::~ActiveSnapshot() {
  if (std::uncaught_exceptions() == exceptions_) PopActiveSnapshot();
}

LatestSnapshot::LatestSnapshot() : ActiveSnapshot(call([] { return GetLatestSnapshot(); })) {}

AsUser::AsUser(Oid user, const char* search_path) {
  GetUserIdAndSecContext(&user_, &context_);
  settings_level_ = NewGUCNestLevel();
  call([&] {
    (void)set_config_option("search_path", search_path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  });
  const int restriction = user == user_ ? 0 : SECURITY_RESTRICTED_OPERATION;
  SetUserIdAndSecContext(user, context_ | SECURITY_LOCAL_USERID_CHANGE | restriction);
}

AsUser::~AsUser() {
  AtEOXact_GUC(false, settings_level_);
  SetUserIdAndSecContext(user_, context_);
}

std::string qualified_name(Oid relation) {
  const char* schema = nullptr;
  const char* name = call([&] {
    const char* found = get_rel_name(relation);
    if (found == nullptr) elog(ERROR, "cache lookup failed for relation %u", relation);
    schema = get_namespace_name(get_rel_namespace(relation));
    return found;
  });
  return qualified_name(schema, name);
}

std::string qualified_name(const char* schema, const char* name) {
  const QuotedAsNeeded quoting;
  return call([&] { return quote_qualified_identifier(schema, name); });
}

std::string quoted(const std::string& identifier) {
  return call([&] { return quote_identifier(identifier.c_str()); });
}

std::string quoted_literal(const std::string& value) {
  return call([&] { return quote_literal_cstr(value.c_str()); });
}

}  // namespace kafka_fdw::pg
