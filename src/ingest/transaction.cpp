#include "ingest/transaction.h"

extern "C" {
#include "access/xact.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace kafka_fdw::ingest {

Transaction::Transaction() {
  pg::call([] {
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    SetCurrentStatementStartTimestamp();
  });
}

void Transaction::commit() {
  pg::call([] {
    PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_stat(false);
    MemoryContextSwitchTo(TopMemoryContext);
  });
  open_ = false;
}

Transaction::~Transaction() {
  if (!open_) return;
  // What goes wrong while rolling back is PostgreSQL's to escalate.
  AbortCurrentTransaction();
  MemoryContextSwitchTo(TopMemoryContext);
}

}  // namespace kafka_fdw::ingest
