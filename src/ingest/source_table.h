#pragma once

#include "ingest/consumer.h"

/// The foreign table that kafka_consume_begin makes for a consumer that has neither a source nor a statement of its
/// own.
namespace kafka_fdw::ingest {

/// Creates `<stream>_kafka_<id>` beside the stream, as the current user, and returns it.
Oid make_source(pg::Spi& spi, const Consumer& consumer);

/// Drops it, if it is there and the consumer's own; what depends on it refuses that.
void drop_source(pg::Spi& spi, const Consumer& consumer);

/// Follows the catalog: a stream that was dropped and made again, or renamed, is stored anew, and the columns of a
/// source of the consumer's own are brought in line with the stream. As the consumer's owner, in a transaction of its
/// own, when the catalog has changed. True: something changed and the consumer must be loaded again.
bool sync_source(pg::Spi& spi, const Consumer& consumer);

/// The same for a worker, which never waits for the stream: throws StreamLocked.
bool sync_source_softly(pg::Spi& spi, const Consumer& consumer);

/// Whether the stream gives messages of that format to its one column as whole documents.
bool takes_documents(const Consumer& consumer);

}  // namespace kafka_fdw::ingest
