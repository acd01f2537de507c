#include "ingest/transaction.h"

extern "C" {
#include "access/xact.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
}

namespace kafka_fdw::ingest {

Transaction::Transaction() {
  pg::call([] {
    SetCurrentStatementStartTimestamp();  // what now() gives
    StartTransactionCommand();
    // The fence needs a fresh snapshot, whatever a statement has set for the session.
    XactIsoLevel = XACT_READ_COMMITTED;
    XactReadOnly = false;
    PushActiveSnapshot(GetTransactionSnapshot());
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

Transaction::~Transaction() { roll_back(); }

void Transaction::roll_back() {
  if (!open_) return;
  open_ = false;
  disable_all_timeouts(false);
  // What goes wrong while rolling back is PostgreSQL's to escalate.
  AbortCurrentTransaction();
  MemoryContextSwitchTo(TopMemoryContext);
}

}  // namespace kafka_fdw::ingest
