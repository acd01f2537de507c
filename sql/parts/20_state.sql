-- State of the consumers. Written by the extension's functions and workers as the extension's owner; read under row-level
-- security: every role sees its own consumers, members of pg_monitor see all.

CREATE TABLE pipeline_kafka_brokers (
    host text PRIMARY KEY CHECK (host <> '')
);
COMMENT ON TABLE pipeline_kafka_brokers IS 'Brokers (host:port) of servers that name none themselves, first of all of pipeline_kafka';

CREATE TABLE pipeline_kafka_consumers (
    id bigserial PRIMARY KEY,
    stream regclass NOT NULL,
    stream_name text NOT NULL,
    topic text NOT NULL,
    topics text[] NOT NULL,
    source regclass,
    owns_source boolean NOT NULL,
    statement text,
    columns text[],
    server name NOT NULL,
    parallelism integer NOT NULL CHECK (parallelism >= 0),
    format text NOT NULL,
    delimiter text,
    start text NOT NULL,
    until text,
    batch_size integer NOT NULL CHECK (batch_size > 0),
    batch_bytes bigint NOT NULL CHECK (batch_bytes > 0),
    batch_delay interval NOT NULL CHECK (batch_delay >= interval '0'),
    on_error text NOT NULL,
    reject_limit bigint,
    on_gap text NOT NULL,
    envelope text NOT NULL,
    key_format text NOT NULL,
    max_rate integer,
    shard text,
    group_id text,
    search_path text NOT NULL,
    owner name NOT NULL,
    enabled boolean NOT NULL,
    epoch bigint NOT NULL DEFAULT 1,
    system_identifier bigint NOT NULL,
    database_oid oid NOT NULL,
    UNIQUE (stream, topic)
);
COMMENT ON TABLE pipeline_kafka_consumers IS 'One row per consumer: what kafka_consume_begin stored';
COMMENT ON COLUMN pipeline_kafka_consumers.topics IS 'Every topic whose scans read the batch, the consumer''s own first';
COMMENT ON COLUMN pipeline_kafka_consumers.owns_source IS 'The source was made by kafka_consume_begin and goes with the consumer';
COMMENT ON COLUMN pipeline_kafka_consumers.epoch IS 'Raised by every change that running workers must not miss';
COMMENT ON COLUMN pipeline_kafka_consumers.system_identifier IS 'With database_oid: the place where it was begun; elsewhere it does not start by itself';

CREATE TABLE pipeline_kafka_offsets (
    consumer_id bigint NOT NULL REFERENCES pipeline_kafka_consumers ON DELETE CASCADE,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    until_offset bigint,
    messages bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    tombstones bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    rejected_since_begin bigint NOT NULL DEFAULT 0,
    last_timestamp timestamptz,
    identity_offset bigint,
    identity_timestamp bigint,
    identity_checksum bigint,
    identity_topic_id text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer_id, topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE pipeline_kafka_offsets IS 'Per partition the offset of the next message to take, committed together with the rows of those before it';
COMMENT ON COLUMN pipeline_kafka_offsets.rows IS 'Rows that the statement wrote; of a batch over several partitions they count for its first';

COMMENT ON COLUMN pipeline_kafka_offsets.until_offset IS 'Where the consumer ends';
COMMENT ON COLUMN pipeline_kafka_offsets.identity_offset IS 'Of the last message that was taken, with its timestamp (ms) and checksum: tells whether the log is still the same';
COMMENT ON COLUMN pipeline_kafka_offsets.identity_topic_id IS 'Of the topic then, where it is known: another one after it was deleted and made again';
COMMENT ON COLUMN pipeline_kafka_offsets.rejected IS 'Messages that were not taken: ignored, or kept in pipeline_kafka_errors';
COMMENT ON COLUMN pipeline_kafka_offsets.rejected_since_begin IS 'Of these, since the last begin or seek: what reject_limit limits';

CREATE TABLE pipeline_kafka_workers (
    consumer_id bigint NOT NULL REFERENCES pipeline_kafka_consumers ON DELETE CASCADE,
    slot integer NOT NULL,
    pid integer,
    state text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    detail text,
    hint text,
    apply text,
    apply_reason text,
    rate double precision,
    last_commit_at timestamptz,
    end_offsets jsonb,
    end_offsets_at timestamptz,
    last_error text,
    last_error_at timestamptz,
    error_sqlstate text,
    error_topic text,
    error_partition integer,
    error_offset bigint,
    error_detail text,
    error_column text,
    PRIMARY KEY (consumer_id, slot)
) WITH (fillfactor = 50);
COMMENT ON TABLE pipeline_kafka_workers IS 'What each worker does now, or did last; written by the workers in transactions of their own';
COMMENT ON COLUMN pipeline_kafka_workers.apply IS 'fast: rows are inserted in batches; general: by the statement';
COMMENT ON COLUMN pipeline_kafka_workers.apply_reason IS 'Why it is not fast';
COMMENT ON COLUMN pipeline_kafka_workers.rate IS 'Messages a second over the last minute';
COMMENT ON COLUMN pipeline_kafka_workers.error_detail IS 'Of last_error alone; detail is of the present state';
COMMENT ON COLUMN pipeline_kafka_workers.end_offsets IS 'Per topic and partition the end of the log as the worker saw it last: {"topic": {"partition": offset}}';

CREATE TABLE pipeline_kafka_errors (
    id bigserial PRIMARY KEY,
    consumer_id bigint NOT NULL REFERENCES pipeline_kafka_consumers ON DELETE CASCADE,
    topic text NOT NULL,
    partition integer NOT NULL,
    message_offset bigint NOT NULL,
    message_timestamp timestamptz,
    key bytea,
    value bytea,
    headers jsonb,
    sqlstate text NOT NULL,
    error text NOT NULL,
    detail text,
    column_name text,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE pipeline_kafka_errors IS 'Messages that a consumer could not take, with the reason; their owner may delete them';
COMMENT ON COLUMN pipeline_kafka_errors.sqlstate IS '58P01: this is no message, but what was not in the log any more';

CREATE INDEX ON pipeline_kafka_errors (consumer_id, topic, partition, message_offset);

ALTER TABLE pipeline_kafka_consumers ENABLE ROW LEVEL SECURITY;
ALTER TABLE pipeline_kafka_offsets ENABLE ROW LEVEL SECURITY;
ALTER TABLE pipeline_kafka_workers ENABLE ROW LEVEL SECURITY;
ALTER TABLE pipeline_kafka_errors ENABLE ROW LEVEL SECURITY;

-- Who sees which consumer. Expressions are parsed where only PostgreSQL has made functions and operators: in the
-- schema of the extension others may have, and of those that fit the one that needs no conversion is taken, wherever
-- it is.
SET LOCAL search_path = pg_catalog, pg_temp;

-- An owner may be gone, and then nobody acts for it.
CREATE FUNCTION @extschema@.kafka_consumer_manageable(consumer_owner name) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN coalesce((SELECT pg_has_role(r.oid, CASE WHEN current_setting('server_version_num')::int >= 160000
                                                THEN 'USAGE, SET' ELSE 'MEMBER' END)
                   FROM pg_roles r WHERE r.rolname = consumer_owner), false);
COMMENT ON FUNCTION @extschema@.kafka_consumer_manageable(name) IS 'Whether the current role has the rights of that owner, or may take them';

CREATE FUNCTION @extschema@.kafka_consumer_visible(consumer_owner name) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN pg_has_role('pg_monitor', 'USAGE') OR @extschema@.kafka_consumer_manageable(consumer_owner);
COMMENT ON FUNCTION @extschema@.kafka_consumer_visible(name) IS 'Whether the current role may see the consumers of that owner';

CREATE POLICY visible ON @extschema@.pipeline_kafka_consumers FOR SELECT USING (@extschema@.kafka_consumer_visible(owner));
CREATE POLICY visible ON @extschema@.pipeline_kafka_offsets FOR SELECT
    USING (EXISTS (SELECT FROM @extschema@.pipeline_kafka_consumers c WHERE c.id = consumer_id));
CREATE POLICY visible ON @extschema@.pipeline_kafka_workers FOR SELECT
    USING (EXISTS (SELECT FROM @extschema@.pipeline_kafka_consumers c WHERE c.id = consumer_id));
CREATE POLICY visible ON @extschema@.pipeline_kafka_errors FOR SELECT
    USING (EXISTS (SELECT FROM @extschema@.pipeline_kafka_consumers c
                   WHERE c.id = consumer_id AND @extschema@.kafka_consumer_manageable(c.owner)));
CREATE POLICY erasable ON @extschema@.pipeline_kafka_errors FOR DELETE
    USING (EXISTS (SELECT FROM @extschema@.pipeline_kafka_consumers c
                   WHERE c.id = consumer_id AND @extschema@.kafka_consumer_manageable(c.owner)));

SET LOCAL search_path = @extschema@, pg_temp;

GRANT SELECT ON pipeline_kafka_brokers, pipeline_kafka_consumers, pipeline_kafka_offsets, pipeline_kafka_workers TO PUBLIC;
GRANT SELECT, DELETE ON pipeline_kafka_errors TO PUBLIC;

-- What pg_dump carries. A dangling stream would name another table after a restore, so such consumers stay behind.
-- pg_dump runs the conditions with an empty search path.
SELECT pg_catalog.pg_extension_config_dump('pipeline_kafka_brokers', '');
SELECT pg_catalog.pg_extension_config_dump('pipeline_kafka_consumers_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pipeline_kafka_errors_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pipeline_kafka_consumers', $$
    WHERE stream IN (SELECT oid FROM pg_catalog.pg_class)
      AND (source IS NULL OR source IN (SELECT oid FROM pg_catalog.pg_class))
      AND owner IN (SELECT rolname FROM pg_catalog.pg_roles)$$);
SELECT pg_catalog.pg_extension_config_dump('pipeline_kafka_offsets', $$
    WHERE consumer_id IN (SELECT id FROM @extschema@.pipeline_kafka_consumers
                          WHERE stream IN (SELECT oid FROM pg_catalog.pg_class)
                            AND (source IS NULL OR source IN (SELECT oid FROM pg_catalog.pg_class))
                            AND owner IN (SELECT rolname FROM pg_catalog.pg_roles))$$);
SELECT pg_catalog.pg_extension_config_dump('pipeline_kafka_errors', $$
    WHERE consumer_id IN (SELECT id FROM @extschema@.pipeline_kafka_consumers
                          WHERE stream IN (SELECT oid FROM pg_catalog.pg_class)
                            AND (source IS NULL OR source IN (SELECT oid FROM pg_catalog.pg_class))
                            AND owner IN (SELECT rolname FROM pg_catalog.pg_roles))$$);
