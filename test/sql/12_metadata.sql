-- Columns that show what a message has besides its value, and functions that look at a topic.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
SET timezone = 'UTC';

CREATE FOREIGN TABLE orders (
    part int         OPTIONS (partition 'true'),
    offs bigint      OPTIONS ("offset" 'true'),
    ts   timestamptz OPTIONS ("timestamp" 'true'),
    key  text        OPTIONS ("key" 'true'),
    hdrs jsonb       OPTIONS (headers 'true'),
    gone boolean     OPTIONS (tombstone 'true'),
    doc  jsonb       OPTIONS (payload 'true'),
    id   bigint)
  SERVER kafka OPTIONS (topic 'orders');
SELECT part, offs, ts, key, hdrs, gone FROM orders ORDER BY part, offs;
SELECT doc FROM orders WHERE part = 1 ORDER BY offs;
SELECT tableoid::regclass, o IS NULL AS is_null, o.id FROM orders o ORDER BY part, offs;

-- Of the metadata columns a table needs none; some can have other types.
CREATE FOREIGN TABLE other_types (
    ts bigint OPTIONS ("timestamp" 'true'), local timestamp, key bytea OPTIONS ("key" 'true'),
    whole text OPTIONS (payload 'true'), address json)
  SERVER kafka OPTIONS (topic 'orders');
ALTER FOREIGN TABLE other_types DROP local;
SELECT * FROM other_types WHERE key = 'alice';
ALTER FOREIGN TABLE other_types ALTER ts TYPE timestamp;
SELECT ts FROM other_types WHERE key = 'bob';

-- A topic without messages.
CREATE FOREIGN TABLE empty (n int) SERVER kafka OPTIONS (topic 'empty');
SELECT * FROM empty;
SELECT count(*) FROM empty;
SELECT * FROM kafka_get_watermarks('empty');
SELECT * FROM kafka_get_watermarks('orders');

RESET timezone;
DROP SERVER kafka CASCADE;
