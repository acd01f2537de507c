#include "pg/wait.h"

#include "pg/compat.h"

extern "C" {
#include "miscadmin.h"
#include "storage/latch.h"
}

namespace kafka_fdw::pg {

namespace {

void wait(int events, int descriptor, std::chrono::milliseconds timeout) {
  static uint32 wait_event = 0;
  call([&] {
    if (wait_event == 0) wait_event = wait_event_extension("KafkaRead");
    (void)WaitLatchOrSocket(MyLatch, events | WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, descriptor,
                            static_cast<long>(timeout.count()), wait_event);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  });
}

}  // namespace

void check_interrupts() {
  call([] { CHECK_FOR_INTERRUPTS(); });
}

void wait_readable(int descriptor, std::chrono::milliseconds timeout) { wait(WL_SOCKET_READABLE, descriptor, timeout); }

void wait_latch(std::chrono::milliseconds timeout) { wait(0, PGINVALID_SOCKET, timeout); }

}  // namespace kafka_fdw::pg
