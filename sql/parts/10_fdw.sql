
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
