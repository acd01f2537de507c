#include "fdw/async.h"

#include "fdw/scan.h"
#include "pg/wait.h"

extern "C" {
#include "executor/execAsync.h"
#include "storage/latch.h"
}

namespace kafka_fdw::fdw {

namespace {

ForeignScanState* node_of(const AsyncRequest* request) {
  return reinterpret_cast<ForeignScanState*>(request->requestee);
}

Scan& scan_of(const AsyncRequest* request) { return *static_cast<Scan*>(node_of(request)->fdw_state); }

/// A row if there is one by now: the scan says that it waits instead of waiting.
void answer(AsyncRequest* request) {
  const Scan& scan = scan_of(request);
  pg::call([&] {
    PlanState* node = &node_of(request)->ss.ps;
    TupleTableSlot* slot = node->ExecProcNodeReal(node);
    if (TupIsNull(slot) && scan.is_waiting())
      ExecAsyncRequestPending(request);
    else
      ExecAsyncRequestDone(request, slot);
  });
}

}  // namespace

/// One that keeps an order waits as it needs to.
bool kafkaIsForeignPathAsyncCapable(ForeignPath* path) { return path->path.pathkeys == NIL; }

void kafkaForeignAsyncRequest(AsyncRequest* request) {
  pg::entry([&] { answer(request); });
}

void kafkaForeignAsyncConfigureWait(AsyncRequest* request) {
  pg::entry([&] {
    const int descriptor = scan_of(request).event_descriptor();
    auto* append = reinterpret_cast<AppendState*>(request->requestor);
    pg::call([&] { AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE, descriptor, nullptr, request); });
  });
}

void kafkaForeignAsyncNotify(AsyncRequest* request) {
  pg::entry([&] {
    pg::check_interrupts();
    scan_of(request).drain_event();
    answer(request);
  });
}

}  // namespace kafka_fdw::fdw
