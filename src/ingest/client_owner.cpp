#include "ingest/client_owner.h"

#include <vector>

#include "pg/boundary.h"

extern "C" {
#include "storage/ipc.h"
}

namespace kafka_fdw::ingest {

namespace {

std::vector<ClientOwner*>& owners() {
  static auto& all = *new std::vector<ClientOwner*>;
  return all;
}

}  // namespace

ClientOwner::ClientOwner() {
  static bool registered = false;
  if (!registered) pg::call([] { before_shmem_exit([](int, Datum) { abandon_all(); }, 0); });
  registered = true;
  owners().push_back(this);
}

ClientOwner::~ClientOwner() { std::erase(owners(), this); }

void ClientOwner::abandon_all() noexcept {
  for (ClientOwner* owner : owners()) owner->abandon();
}

}  // namespace kafka_fdw::ingest
