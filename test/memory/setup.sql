-- What scans.sql reads: psql -v bootstrap=HOST:PORT -f setup.sql
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION kafka_fdw;
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE SERVER nobody FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:9');
CREATE DOMAIN cheap AS numeric NOT NULL CHECK (VALUE < 1000);
CREATE TYPE address AS (city text, zip text);
CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'),
    ts timestamptz OPTIONS ("timestamp" 'true'), n int, twice int GENERATED ALWAYS AS (2 * n) STORED)
  SERVER kafka OPTIONS (topic 'numbers');
CREATE FOREIGN TABLE orders (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'),
    ts timestamptz OPTIONS ("timestamp" 'true'), key text OPTIONS ("key" 'true'), hdrs jsonb OPTIONS (headers 'true'),
    id bigint, what text OPTIONS (field 'item'), price numeric, city text OPTIONS (field '/address/city'),
    tag text OPTIONS (json '/tags/0'), tags text[], address address, paid boolean, at timestamptz,
    gone boolean OPTIONS (tombstone 'true'), doc jsonb OPTIONS (payload 'true'))
  SERVER kafka OPTIONS (topic 'orders');
CREATE FOREIGN TABLE prices (price cheap) SERVER kafka OPTIONS (topic 'orders', ignore_junk 'true');
CREATE FOREIGN TABLE mixed (offs bigint OPTIONS ("offset" 'true'), id int, amount smallint, note text)
  SERVER kafka OPTIONS (topic 'mixed');
CREATE FOREIGN TABLE mixed_junk (offs bigint OPTIONS ("offset" 'true'), id int, amount smallint, note varchar(5),
    raw text OPTIONS (junk 'true'), why text OPTIONS (junk_error 'true'))
  SERVER kafka OPTIONS (topic 'mixed', strict 'true');
CREATE FOREIGN TABLE mixed_text (id int, word text, raw text OPTIONS (junk 'true'), why text OPTIONS (junk_error 'true'))
  SERVER kafka OPTIONS (topic 'mixed_text', format 'text', strict 'true');
CREATE FOREIGN TABLE people_text (id int, name text, born date, note text) SERVER kafka OPTIONS (topic 'people_text', format 'text');
CREATE FOREIGN TABLE people_csv (id int, name text, born date, note text) SERVER kafka OPTIONS (topic 'people_csv', format 'csv');
CREATE FOREIGN TABLE people_latin1 (id int, name text, born text, note text)
  SERVER kafka OPTIONS (topic 'people_latin1', format 'csv', delimiter ';', encoding 'latin1');
CREATE FOREIGN TABLE bytes (value bytea) SERVER kafka OPTIONS (topic 'bytes', format 'raw');
CREATE FOREIGN TABLE no_text (value text) SERVER kafka OPTIONS (topic 'bytes', format 'raw');
CREATE FOREIGN TABLE recent (n int) SERVER kafka OPTIONS (topic 'numbers', start '2024-01-01 00:01:00+00');
CREATE FOREIGN TABLE misspelt (n int) SERVER kafka OPTIONS (topic 'nummers');
CREATE FOREIGN TABLE unreachable (n int) SERVER nobody OPTIONS (topic 'numbers');
CREATE FUNCTION counters() RETURNS text AS '$libdir/kafka_fdw', 'kafka_test_counters' LANGUAGE C;
CREATE TABLE local AS SELECT n FROM generate_series(0, 399, 7) n;
ANALYZE local;
CREATE TABLE stream (n int, id int, amount int);
