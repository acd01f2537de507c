#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ingest/consumer.h"

/// Consumers as the callers of the SQL functions name them, and what those callers may do.
namespace kafka_fdw::ingest {

/// A relation by its name as ::regclass takes it, by the caller's search_path; InvalidOid where there is none. Takes no
/// lock.
Oid resolve_relation(const std::string& name);

/// The consumer of that topic into the relation, or, where it has none or is InvalidOid, into a stream that was dropped
/// and is stored by that name.
std::optional<Consumer> look_up_consumer(pg::Spi& spi, Oid relation, const std::string& stream,
                                         const std::string& topic);

/// The consumer of the topic into the stream of that name. Throws pg::Error 42P01 for a stream and 42704 for a consumer
/// that does not exist.
Consumer require_consumer(pg::Spi& spi, const std::string& stream, const std::string& topic);

/// Those that the current user may change, which is a superuser where the owner is gone. By id: whoever locks several
/// does it in this order.
std::vector<ConsumerId> manageable_consumers(pg::Spi& spi);

/// The owner's role. Throws pg::Error 42704 where it does not exist any more.
Oid owner_of(const Consumer& consumer);

/// Whether the current user is the role that the owner's name stands for now: a role that was renamed takes its rights
/// along, but not its consumers.
bool owner_is_current_user(const Consumer& consumer);

/// Throws pg::Error 42501 unless the current user is the owner, may act as that role, or is a superuser.
void check_may_change(const Consumer& consumer);

/// Throws pg::Error 42501 unless the current user may change the consumer or is a member of pg_monitor.
void check_may_see(const Consumer& consumer);

/// "consumer 3 of topic "t" into s", for messages.
std::string describe(const Consumer& consumer);

}  // namespace kafka_fdw::ingest
