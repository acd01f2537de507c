
-- Foreign tables

CREATE FUNCTION kafka_fdw_handler() RETURNS fdw_handler
  AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION kafka_fdw_handler() IS 'callbacks of the foreign data wrapper kafka_fdw';

CREATE FUNCTION kafka_fdw_validator(options text[], catalog oid) RETURNS void
  AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION kafka_fdw_validator(text[], oid) IS 'checks options of servers, user mappings, foreign tables and columns';

CREATE FOREIGN DATA WRAPPER kafka_fdw HANDLER kafka_fdw_handler VALIDATOR kafka_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER kafka_fdw IS 'topics of Apache Kafka as foreign tables';

CREATE SERVER pipeline_kafka FOREIGN DATA WRAPPER kafka_fdw;
COMMENT ON SERVER pipeline_kafka IS 'the brokers in pipeline_kafka_brokers';

CREATE FUNCTION kafka_get_watermarks(
    relation regclass, OUT partition int, OUT offset_low bigint, OUT offset_high bigint)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kafka_get_watermarks(regclass) IS
  'first offset and end (the last stable offset) of each partition of a foreign table''s topic';

CREATE FUNCTION kafka_topics(
    server name DEFAULT 'pipeline_kafka',
    OUT topic text, OUT partitions int, OUT replication_factor int, OUT internal boolean)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kafka_topics(name) IS 'topics of a server that the user may use; internal: the cluster keeps it for itself';

CREATE FUNCTION kafka_messages(
    topic text, start text DEFAULT '-10', partition int DEFAULT NULL, max_messages bigint DEFAULT 10,
    server name DEFAULT 'pipeline_kafka',
    OUT partition int, OUT "offset" bigint, OUT "timestamp" timestamptz, OUT key bytea, OUT value bytea, OUT headers jsonb)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kafka_messages(text, text, int, bigint, name) IS
  'messages of a topic, by partition and offset; of several partitions the newest where start is -N, else the oldest';

CREATE FUNCTION kafka_suggest_table(
    topic text, format text DEFAULT 'json', sample int DEFAULT 1000, server name DEFAULT 'pipeline_kafka')
  RETURNS text
  AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kafka_suggest_table(text, text, int, name) IS
  'a CREATE FOREIGN TABLE statement for a topic, with columns inferred from a sample of its newest messages';

-- Not within a parallel query: settings are looked at in a subtransaction.
CREATE FUNCTION kafka_check(
    topic text DEFAULT NULL, server name DEFAULT 'pipeline_kafka',
    OUT step text, OUT ok boolean, OUT detail text, OUT hint text)
  RETURNS SETOF record
  AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION kafka_check(text, name) IS
  'tries step after step what a scan does, and says what to change where one fails; ok is null for what was not tried';
