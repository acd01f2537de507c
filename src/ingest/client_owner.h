#pragma once

namespace kafka_fdw::ingest {

/// Who holds clients of Kafka. A process that is terminated ends without destructors, and the clients' threads must not
/// run on while it takes down what they use: before it exits, all owners let go of their clients.
class ClientOwner {
 public:
  ClientOwner();
  virtual ~ClientOwner();
  ClientOwner(const ClientOwner&) = delete;
  ClientOwner& operator=(const ClientOwner&) = delete;

 private:
  static void abandon_all() noexcept;
  virtual void abandon() noexcept = 0;
};

}  // namespace kafka_fdw::ingest
