#include "pg/fail.h"

#include "pg/utf8.h"

namespace kafka_fdw::pg {

void fail(int sqlstate, const std::string& message, const std::string& hint, const std::string& detail) {
  call([&] {
    ereport(ERROR, (errcode(sqlstate), errmsg_internal("%s", message.c_str()),
                    detail.empty() ? 0 : errdetail_internal("%s", detail.c_str()),
                    hint.empty() ? 0 : errhint("%s", hint.c_str())));
  });
  pg_unreachable();
}

void tell(int level, const std::string& message, const std::string& hint) {
  call([&] {
    ereport(level, (errmsg_internal("%s", readable(message.c_str())),
                    hint.empty() ? 0 : errhint("%s", readable(hint.c_str()))));
  });
}

}  // namespace kafka_fdw::pg
