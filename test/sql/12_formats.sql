-- Formats, and the columns that show what a message has besides its value.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');

-- JSON: columns by name or by pointer, of duplicates the last, numbers with all their digits.
CREATE FOREIGN TABLE orders (
    part  int         OPTIONS (partition 'true'),
    offs  bigint      OPTIONS ("offset" 'true'),
    ts    timestamptz OPTIONS ("timestamp" 'true'),
    key   text        OPTIONS ("key" 'true'),
    hdrs  jsonb       OPTIONS (headers 'true'),
    id    bigint,
    what  text        OPTIONS (field 'item'),
    price numeric,
    city  text        OPTIONS (field '/address/city'),
    tag   text        OPTIONS (json '/tags/0'),
    tags  jsonb,
    paid  boolean,
    at    timestamptz,
    gone  boolean     OPTIONS (tombstone 'true'),
    doc   jsonb       OPTIONS (payload 'true'))
  SERVER kafka OPTIONS (topic 'orders');
SET timezone = 'UTC';
SELECT part, offs, ts, key, hdrs, gone FROM orders ORDER BY part, offs;
SELECT id, what, price, city, tag, tags, paid, at FROM orders ORDER BY part, offs;
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

-- text and csv: COPY's rules.
CREATE FOREIGN TABLE people_text (id int, name text, born date, note text, offs bigint OPTIONS ("offset" 'true'))
  SERVER kafka OPTIONS (topic 'people_text', format 'text');
\pset null '(null)'
SELECT id, name, born, replace(note, E'\n', '/') AS note FROM people_text ORDER BY offs;
CREATE FOREIGN TABLE people_csv (
    id int, name text, born date, note text, offs bigint OPTIONS ("offset" 'true'))
  SERVER kafka OPTIONS (topic 'people_csv', format 'csv');
SELECT id, name, born, replace(note, E'\n', '/') AS note FROM people_csv ORDER BY offs;
ALTER FOREIGN TABLE people_csv ALTER note OPTIONS (ADD force_not_null 'true');
ALTER FOREIGN TABLE people_csv ALTER name OPTIONS (ADD force_null 'true');
SELECT id, name, note FROM people_csv WHERE offs IN (0, 2) ORDER BY offs;
CREATE FOREIGN TABLE people_latin1 (id int, name text, born date, note text)
  SERVER kafka OPTIONS (topic 'people_latin1', format 'csv', delimiter ';', "null" 'NIX', encoding 'latin1');
SELECT * FROM people_latin1;

-- raw: the value as it is.
CREATE FOREIGN TABLE lines (line text, offs bigint OPTIONS ("offset" 'true'))
  SERVER kafka OPTIONS (topic 'lines', format 'raw');
SELECT offs, line, length(line) FROM lines ORDER BY offs;
CREATE FOREIGN TABLE bytes (key bytea OPTIONS ("key" 'true'), value bytea)
  SERVER kafka OPTIONS (topic 'bytes', format 'raw');
SELECT * FROM bytes;
ALTER FOREIGN TABLE bytes ALTER value TYPE text;
SELECT value FROM bytes;
\echo :LAST_ERROR_SQLSTATE
SELECT key FROM bytes;

-- A topic without messages.
CREATE FOREIGN TABLE empty (n int) SERVER kafka OPTIONS (topic 'empty');
SELECT * FROM empty;
SELECT count(*) FROM empty;
SELECT * FROM kafka_get_watermarks('empty');
SELECT * FROM kafka_get_watermarks('orders');

\pset null ''
RESET timezone;
DROP SERVER kafka CASCADE;
