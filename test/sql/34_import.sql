-- Tables made from topics: IMPORT FOREIGN SCHEMA for many, kafka_suggest_table for the statement of one.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
RESET client_min_messages;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE SCHEMA shop;
SET search_path = shop, public;
\set VERBOSITY default

-- What the columns of a table are.
CREATE VIEW public.columns AS
  SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attfdwoptions AS options
    FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid JOIN pg_attribute a ON a.attrelid = c.oid
   WHERE a.attnum > 0 AND c.relnamespace = to_regnamespace('shop') ORDER BY c.relname, a.attnum;

-- The remote schema is the beginning of the names of topics; a table has its topic's name, dots and dashes included.
-- Columns are the metadata, and the fields of the newest messages: their types widen until they take all of them.
IMPORT FOREIGN SCHEMA "shop.o" FROM SERVER kafka INTO shop;
SELECT * FROM columns;
SELECT ftrelid::regclass, ftoptions FROM pg_foreign_table WHERE ftrelid = '"shop.orders"'::regclass;
SELECT kafka_partition, kafka_offset, kafka_key, id, total, at AT TIME ZONE 'UTC' AS at, due, paid, ref, code, big
  FROM "shop.orders" ORDER BY 1, 2;

-- A consumer that reads such a table fills the columns of its stream that have the same names.
CREATE TABLE kept (kafka_partition int, kafka_offset bigint, id bigint);
SELECT kafka_consume_begin('kept', 'shop.orders', 0, source => '"shop.orders"') IS NOT NULL AS begun;
SELECT kafka_consume_once('kept', 'shop.orders');
SELECT * FROM kept ORDER BY 1, 2;
SELECT kafka_consume_drop('kept', 'shop.orders');
DROP TABLE kept;
DROP FOREIGN TABLE "shop.orders";

-- flatten gives the fields of nested objects columns of their own, by a JSON pointer. No name is taken from a field at
-- the top.
IMPORT FOREIGN SCHEMA "shop." LIMIT TO ("shop.orders") FROM SERVER kafka INTO shop OPTIONS (flatten 'true');
SELECT attname, type, options FROM columns WHERE attname LIKE 'customer%';
SELECT customer_name, customer_name_1, customer_address_city, customer_address_zip, customer_address_floor
  FROM "shop.orders" ORDER BY kafka_partition, kafka_offset;
DROP FOREIGN TABLE "shop.orders";

-- A sample is of the newest messages, and at least one of each partition.
IMPORT FOREIGN SCHEMA "shop." LIMIT TO ("shop.orders") FROM SERVER kafka INTO shop OPTIONS (sample '1');
SELECT string_agg(attname || ' ' || type, ', ') FROM columns WHERE attname NOT LIKE 'kafka%';
DROP FOREIGN TABLE "shop.orders";

-- LIMIT TO and EXCEPT name tables; topics that are not wanted are not looked at. Names cut at 63 bytes are told apart.
IMPORT FOREIGN SCHEMA "shop." EXCEPT ("shop.orders", "shop.gone", "shop.empty") FROM SERVER kafka INTO shop;
SELECT relname, string_agg(attname, ', ') FROM columns WHERE attname NOT LIKE 'kafka%' GROUP BY relname ORDER BY relname;
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
RESET client_min_messages;
CREATE SCHEMA shop;
IMPORT FOREIGN SCHEMA "shop." LIMIT TO ("shop.long-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_1")
  FROM SERVER kafka INTO shop;
SELECT ftrelid::regclass, ftoptions FROM pg_foreign_table WHERE ftrelid::regclass::text LIKE '%long%';
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
RESET client_min_messages;
CREATE SCHEMA shop;
IMPORT FOREIGN SCHEMA "*" LIMIT TO (clickz, clicks, "__consumer_offsets") FROM SERVER kafka INTO shop;
IMPORT FOREIGN SCHEMA "shop." LIMIT TO (clicks) FROM SERVER kafka INTO shop;
IMPORT FOREIGN SCHEMA shopping FROM SERVER kafka INTO shop;
IMPORT FOREIGN SCHEMA clicks FROM SERVER kafka INTO shop;

-- "*" stands for all topics, but those that the cluster keeps for itself.
CREATE SCHEMA everything;
SET client_min_messages = error;
IMPORT FOREIGN SCHEMA "*" FROM SERVER kafka INTO everything;
RESET client_min_messages;
SELECT (SELECT count(*) FROM kafka_topics('kafka') WHERE NOT internal) =
       (SELECT count(*) FROM pg_class WHERE relnamespace = 'everything'::regnamespace AND relkind = 'f') AS all_of_them;
SET client_min_messages = warning;
DROP SCHEMA everything CASCADE;
RESET client_min_messages;

-- Topics that do not show what their columns should be.
DROP FOREIGN TABLE clicks;
IMPORT FOREIGN SCHEMA "shop." LIMIT TO ("shop.empty", "shop.gone") FROM SERVER kafka INTO shop;
IMPORT FOREIGN SCHEMA lines FROM SERVER kafka INTO shop;
IMPORT FOREIGN SCHEMA bytes FROM SERVER kafka INTO shop;
IMPORT FOREIGN SCHEMA people_text FROM SERVER kafka INTO shop;
SELECT * FROM columns WHERE attname !~ 'kafka_(partition|offset|timestamp|headers)';
SELECT kafka_key, payload FROM "shop.gone";
SELECT payload FROM people_text;

-- The other formats: text and csv have as many columns as a message of the sample has fields, raw has one.
DROP FOREIGN TABLE lines, bytes, people_text;
IMPORT FOREIGN SCHEMA people_text FROM SERVER kafka INTO shop OPTIONS (format 'text');
IMPORT FOREIGN SCHEMA people_latin1 FROM SERVER kafka INTO shop
  OPTIONS (format 'csv', delimiter ';', encoding 'LATIN1', null 'NIX');
IMPORT FOREIGN SCHEMA lines FROM SERVER kafka INTO shop OPTIONS (format 'raw');
IMPORT FOREIGN SCHEMA bytes FROM SERVER kafka INTO shop OPTIONS (format 'raw');
IMPORT FOREIGN SCHEMA empty FROM SERVER kafka INTO shop OPTIONS (format 'csv');
SELECT relname, attname, type FROM columns WHERE attname NOT LIKE 'kafka%' AND relname NOT LIKE 'shop%';
SELECT column1, column2, column3 FROM people_latin1;
SELECT payload FROM lines;
SELECT payload FROM bytes;
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'people_latin1'::regclass;

-- Keys that cannot be the names of columns. What has no column is in the whole message.
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (ignore_junk 'true');
SELECT attname, type, options FROM columns WHERE relname = 'odd';
SELECT unnamed, "/slash", "til~de/", "Quote""d", "quote'd", "back\slash", id, "ID", ctid_1, kafka_offset_1, "select",
       twice, payload, left(payload_1::text, 40) AS payload_1
  FROM odd ORDER BY kafka_offset;
IMPORT FOREIGN SCHEMA wide LIMIT TO (wide) FROM SERVER kafka INTO shop;
SELECT count(*) FILTER (WHERE attname LIKE 'k%' AND attname NOT LIKE 'kafka%') AS fields, max(attname) FROM columns
 WHERE relname = 'wide';
SELECT k0, k998, k1199, payload ->> 'k1000' AS k1000 FROM wide;

IMPORT FOREIGN SCHEMA wide_csv FROM SERVER kafka INTO shop OPTIONS (format 'csv');
SELECT column1, column1000, right(convert_from(payload, 'UTF8'), 9) AS payload FROM wide_csv;

-- kafka_suggest_table gives the statement that IMPORT would run.
SELECT kafka_suggest_table('shop.orders', server => 'kafka');
SELECT kafka_suggest_table('people_csv', 'csv', 2, 'kafka');
DROP FOREIGN TABLE odd;
SELECT kafka_suggest_table('odd', server => 'kafka') \gexec
SELECT "Quote""d", "quote'd", "back\slash" FROM odd WHERE kafka_offset = 0;

-- Options, arguments and privileges.
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (smaple '10');
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (quite_different '10');
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (sample '0');
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (sample 'all');
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (flatten 'perhaps');
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (flatten 'true', format 'csv');
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (format 'jsn');
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (format 'raw', delimiter ',');
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (topic 'odd');
IMPORT FOREIGN SCHEMA odd FROM SERVER kafka INTO shop OPTIONS (brokers '127.0.0.1:9');
SELECT kafka_suggest_table('shop.oders', server => 'kafka');
SELECT kafka_suggest_table('shop.orders', 'xml', server => 'kafka');
SELECT kafka_suggest_table('shop.orders', sample => 0, server => 'kafka');
SELECT kafka_suggest_table(NULL, server => 'kafka');
SELECT kafka_suggest_table('shop.orders', sample => NULL, server => 'kafka');
SELECT kafka_suggest_table('shop.orders', server => NULL);
CREATE ROLE importer;
GRANT USAGE ON SCHEMA shop TO importer;
SET ROLE importer;
IMPORT FOREIGN SCHEMA growing FROM SERVER kafka INTO shop;
SELECT kafka_suggest_table('growing', server => 'kafka');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER kafka TO importer;
SET ROLE importer;
IMPORT FOREIGN SCHEMA growing FROM SERVER kafka INTO shop;
SELECT kafka_suggest_table('clicks', sample => 1, server => 'kafka') LIKE 'CREATE FOREIGN TABLE clicks (%' AS allowed;
RESET ROLE;
GRANT CREATE ON SCHEMA shop TO importer;
SET ROLE importer;
IMPORT FOREIGN SCHEMA clicks FROM SERVER kafka INTO shop;
SELECT id, page_url, geo FROM clicks ORDER BY id LIMIT 1;
RESET ROLE;

SET client_min_messages = warning;
DROP SERVER kafka CASCADE;
DROP SCHEMA shop CASCADE;
DROP VIEW columns;
DROP ROLE importer;
