
-- Consumers. The functions check their caller: only a consumer's owner, a member of that role or a superuser may change it.

CREATE FUNCTION kafka_consume_begin(
    stream text,
    topic text,
    parallelism int DEFAULT NULL,
    format text DEFAULT NULL,
    delimiter text DEFAULT NULL,
    source regclass DEFAULT NULL,
    statement text DEFAULT NULL,
    columns text[] DEFAULT NULL,
    server name DEFAULT NULL,
    start text DEFAULT NULL,
    until text DEFAULT NULL,
    batch_size int DEFAULT NULL,
    batch_bytes bigint DEFAULT NULL,
    batch_delay interval DEFAULT NULL,
    on_error text DEFAULT NULL,
    reject_limit bigint DEFAULT NULL,
    on_gap text DEFAULT NULL,
    envelope text DEFAULT NULL,
    key_format text DEFAULT NULL,
    max_rate int DEFAULT NULL,
    shard text DEFAULT NULL,
    group_id text DEFAULT NULL)
  RETURNS bigint
  AS 'MODULE_PATHNAME', 'kafka_consume_begin' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_begin(text, text, int, text, text, regclass, text, text[], name, text, text, int, bigint,
    interval, text, bigint, text, text, text, int, text, text) IS
  'makes a consumer of the topic into the stream, or changes and restarts it, when the transaction commits; arguments that are NULL keep what is stored; returns its id';

CREATE FUNCTION kafka_consume_begin(parallelism int DEFAULT NULL, format text DEFAULT NULL, delimiter text DEFAULT NULL)
  RETURNS bigint
  AS 'MODULE_PATHNAME', 'kafka_consume_begin_all' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_begin(int, text, text) IS
  'begins all consumers of this database that the caller may change, with the settings that are stored or given; returns how many';

CREATE FUNCTION kafka_consume_end(stream text, topic text) RETURNS boolean
  AS 'MODULE_PATHNAME', 'kafka_consume_end' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_end(text, text) IS
  'stops the consumer: when it has returned, no more rows become visible, unless its transaction rolls back; false: it was not running';

CREATE FUNCTION kafka_consume_end() RETURNS bigint
  AS 'MODULE_PATHNAME', 'kafka_consume_end_all' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_end() IS
  'stops all consumers of this database that the caller may change; returns how many were running';

CREATE FUNCTION kafka_consume_drop(stream text, topic text) RETURNS jsonb
  AS 'MODULE_PATHNAME', 'kafka_consume_drop' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_drop(text, text) IS
  'stops and forgets the consumer, with the foreign table that was made for it; returns the positions it had';

CREATE FUNCTION kafka_consume_seek(stream text, topic text, target text) RETURNS jsonb
  AS 'MODULE_PATHNAME', 'kafka_consume_seek' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_seek(text, text, text) IS
  'moves the consumer to earliest, latest, an offset, -N, a timestamp or {"partition": position}; one that an error stopped goes on; returns the positions it had';

CREATE FUNCTION kafka_consume_skip(stream text, topic text) RETURNS bigint
  AS 'MODULE_PATHNAME', 'kafka_consume_skip' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_skip(text, text) IS
  'moves the message that stopped the consumer to pipeline_kafka_errors, and the consumer goes on behind it; returns the id of the row';

CREATE FUNCTION kafka_consume_position(stream text, topic text) RETURNS jsonb
  AS 'MODULE_PATHNAME', 'kafka_consume_position' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kafka_consume_position(text, text) IS
  'the next offset of each partition, in the snapshot of the statement: {"partition": offset}';

CREATE FUNCTION kafka_consume_once(stream text, topic text, max_messages bigint DEFAULT NULL) RETURNS bigint
  AS 'MODULE_PATHNAME', 'kafka_consume_once' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_once(text, text, bigint) IS
  'takes what is in the topic now, at most max_messages, in the caller''s transaction and without a worker; returns how many messages, 0 only at the end';

CREATE FUNCTION kafka_consume_retry(stream text, topic text, ids bigint[] DEFAULT NULL, reorder boolean DEFAULT false)
  RETURNS bigint
  AS 'MODULE_PATHNAME', 'kafka_consume_retry' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_retry(text, text, bigint[], boolean) IS
  'runs the consumer''s messages in pipeline_kafka_errors, or those with the ids, through its statement again, and removes those that succeed; returns how many';

CREATE FUNCTION kafka_consume_wait(
    stream text, topic text, timeout interval DEFAULT '1 min', target text DEFAULT 'latest')
  RETURNS boolean
  AS 'MODULE_PATHNAME', 'kafka_consume_wait' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_consume_wait(text, text, interval, text) IS
  'waits until the consumer has committed everything up to the target, as it was at the call; false: the timeout was over before';

-- They write pipeline_kafka_brokers as their caller, so that its privileges decide as well.

CREATE FUNCTION kafka_add_broker(host text) RETURNS void
  AS 'MODULE_PATHNAME', 'kafka_add_broker' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_add_broker(text) IS 'adds host:port, or host with port 9092, to pipeline_kafka_brokers';

CREATE FUNCTION kafka_remove_broker(host text) RETURNS void
  AS 'MODULE_PATHNAME', 'kafka_remove_broker' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kafka_remove_broker(text) IS 'takes a broker out of pipeline_kafka_brokers';

REVOKE EXECUTE ON FUNCTION kafka_add_broker(text), kafka_remove_broker(text) FROM PUBLIC;
