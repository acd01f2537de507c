-- Keys that are decoded, and consumers whose messages say what becomes of rows. Taken by kafka_consume_once: no worker runs.
\getenv bootstrap KAFKA_BOOTSTRAP
SET client_min_messages = warning;
SELECT kafka_add_broker(:'bootstrap'), setval('pipeline_kafka_consumers_id_seq', 3500, false);
CREATE SCHEMA envelope_test;
RESET client_min_messages;
SET search_path = envelope_test, public;

-- key_format text: the key as a value of any type
CREATE FOREIGN TABLE by_text (id int OPTIONS ("key" 'true'), name text, offs bigint OPTIONS ("offset" 'true'))
    SERVER pipeline_kafka OPTIONS (topic 'accounts', key_format 'text');
SELECT id, name FROM by_text WHERE offs IN (0, 1, 9);
\set SHOW_CONTEXT always
SELECT id, name FROM by_text WHERE offs = 2;
\set SHOW_CONTEXT errors

-- key_format json: fields by name, or the document; of one field alone, the key itself or its one field will do
CREATE FOREIGN TABLE by_field (id int OPTIONS (key_field 'id'), name text, key jsonb OPTIONS ("key" 'true'),
                               offs bigint OPTIONS ("offset" 'true'))
    SERVER pipeline_kafka OPTIONS (topic 'accounts', key_format 'json');
SELECT id, name, key FROM by_field WHERE offs < 4 OR offs = 9 ORDER BY offs;
CREATE FOREIGN TABLE by_fields (shop text OPTIONS (key_field 'shop'), item int OPTIONS (key_field '/item'), key text OPTIONS ("key" 'true'),
                                price text OPTIONS (payload 'true'), offs bigint OPTIONS ("offset" 'true'))
    SERVER pipeline_kafka OPTIONS (topic 'prices', key_format 'json');
SELECT * FROM by_fields ORDER BY offs;

-- a key that does not decode is junk like a value that does not
CREATE FOREIGN TABLE bad_keys (color int OPTIONS (key_field 'color'), value text OPTIONS (payload 'true'),
                               why text OPTIONS (junk_error 'true'), offs bigint OPTIONS ("offset" 'true'))
    SERVER pipeline_kafka OPTIONS (topic 'settings', key_format 'json');
SELECT color, value, why FROM bad_keys WHERE offs = 0;
ALTER FOREIGN TABLE bad_keys DROP why;
SELECT value FROM bad_keys WHERE offs = 0;
SELECT color, value FROM bad_keys WHERE offs = 0;

-- what goes together
CREATE FOREIGN TABLE wrong (id int) SERVER pipeline_kafka OPTIONS (topic 'accounts', key_format 'avro');
CREATE FOREIGN TABLE wrong (id int) SERVER pipeline_kafka OPTIONS (topic 'accounts', key_format 'xml');
CREATE FOREIGN TABLE wrong (id int) SERVER pipeline_kafka OPTIONS (topic 'accounts', envelope 'letter');
CREATE FOREIGN TABLE wrong (id int) SERVER pipeline_kafka OPTIONS (topic 'accounts', envelope 'debezium', format 'csv');
CREATE FOREIGN TABLE wrong (id int OPTIONS (field 'id', key_field 'id')) SERVER pipeline_kafka OPTIONS (topic 'accounts');
CREATE FOREIGN TABLE wrong (id int OPTIONS (key_field 'id')) SERVER pipeline_kafka OPTIONS (topic 'accounts');
SELECT * FROM wrong;
ALTER FOREIGN TABLE wrong ALTER id OPTIONS (DROP key_field, ADD row_key 'true');
SELECT * FROM wrong;
ALTER FOREIGN TABLE wrong ALTER id OPTIONS (DROP row_key, ADD "key" 'true');
SELECT * FROM wrong;
ALTER FOREIGN TABLE wrong ALTER id OPTIONS (DROP "key", ADD before 'id'), OPTIONS (ADD envelope 'upsert');
SELECT * FROM wrong;
ALTER FOREIGN TABLE wrong ALTER id OPTIONS (DROP before, ADD deleted 'true');
SELECT * FROM wrong;

-- upsert: the key names the row, the last value of each key wins, a tombstone deletes, a field that is missing is NULL.
-- Of 11 messages come seven rows: 1, 3, 4, 5 and 6 are written, 2 and 7 deleted
CREATE TABLE accounts (id int PRIMARY KEY, name text NOT NULL, balance numeric DEFAULT 5);
INSERT INTO accounts VALUES (1, 'before', 1), (2, 'before', 2), (7, 'before', 7), (8, 'untouched', 8);
SELECT kafka_consume_begin('accounts', 'accounts', 0, 'json', envelope => 'upsert', key_format => 'json') AS id \gset
SELECT attname, format_type(atttypid, atttypmod), attfdwoptions FROM pg_attribute
 WHERE attrelid = format('accounts_kafka_%s', :id)::regclass AND attnum > 0 ORDER BY attnum;
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = format('accounts_kafka_%s', :id)::regclass;
SELECT kafka_consume_once('accounts', 'accounts');
SELECT * FROM accounts ORDER BY id;
SELECT messages, rows, tombstones, rejected FROM kafka_stat_consumers WHERE id = :id;
SELECT kafka_consume_once('accounts', 'accounts');
-- message by message it comes to the same
TRUNCATE accounts;
SELECT kafka_consume_seek('accounts', 'accounts', 'earliest');
SELECT kafka_consume_begin('accounts', 'accounts', batch_size => 1) = :id;
SELECT sum(kafka_consume_once('accounts', 'accounts')) FROM generate_series(1, 11);
SELECT * FROM accounts ORDER BY id;

-- a key of several columns: fields by their names; the value is the one other column
CREATE TABLE prices (item int, price text, shop text, kafka_offset bigint, PRIMARY KEY (shop, item));
SELECT kafka_consume_begin('prices', 'prices', 0, 'raw', envelope => 'upsert', key_format => 'text');
SELECT kafka_consume_begin('prices', 'prices', 0, 'raw', envelope => 'upsert', key_format => 'json') > 0;
SELECT kafka_consume_once('prices', 'prices');
SELECT * FROM prices ORDER BY shop, item;

-- raw keys are text or bytes; a column of documents
CREATE TABLE settings (name varchar(10) PRIMARY KEY, value text);
SELECT kafka_consume_begin('settings', 'settings', 0, 'raw', envelope => 'upsert') > 0;
SELECT kafka_consume_once('settings', 'settings');
SELECT * FROM settings ORDER BY name;
CREATE TABLE documents (key jsonb PRIMARY KEY, doc jsonb);
SELECT kafka_consume_begin('documents', 'accounts', 0, 'json', envelope => 'upsert', key_format => 'text', columns => '{doc}') > 0;
SELECT kafka_consume_once('documents', 'accounts', 6);
SELECT * FROM documents ORDER BY key;

-- text by its positions, where the key says nothing; partitions; an identity that is always generated
CREATE TABLE texts (id int PRIMARY KEY, name text, born date, note text) PARTITION BY HASH (id);
CREATE TABLE texts_0 PARTITION OF texts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE texts_1 PARTITION OF texts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO texts VALUES (1, 'before'), (5, 'untouched');
SELECT kafka_consume_begin('texts', 'people_text', 0, envelope => 'upsert') > 0;
SELECT kafka_consume_once('texts', 'people_text');
SELECT * FROM texts ORDER BY id;
CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
SELECT kafka_consume_begin('numbered', 'accounts', 0, 'json', envelope => 'upsert', key_format => 'json') > 0;
SELECT kafka_consume_once('numbered', 'accounts');
SELECT * FROM numbered ORDER BY id;

-- debezium: rows as they are after a change; a key that changes in one event, or in two; days; JSON in a string
CREATE TABLE customers (id int PRIMARY KEY, name text, born date, more jsonb);
SELECT kafka_consume_begin('customers', 'customers', 0, 'json', envelope => 'debezium', key_format => 'json') AS id \gset
SELECT kafka_consume_once('customers', 'customers');
SELECT * FROM customers ORDER BY id;
SELECT messages, rows, tombstones FROM kafka_stat_consumers WHERE id = :id;
-- the source shows what each message says
SELECT format('SELECT id, name, "kafka deleted", "kafka before 1" FROM customers_kafka_%s ORDER BY "kafka offset"', :id) \gexec

-- without a key to decode, the value tells which row it is; deletions without a before-image then say nothing
CREATE TABLE by_value (LIKE customers INCLUDING INDEXES);
SELECT kafka_consume_begin('by_value', 'customers', 0, 'json', envelope => 'debezium', on_error => 'dead_letter') AS id \gset
SELECT kafka_consume_once('by_value', 'customers');
SELECT id, name FROM by_value ORDER BY id;
SELECT message_offset, sqlstate, error, column_name FROM pipeline_kafka_errors WHERE consumer_id = :id ORDER BY 1;
SELECT messages, rows, tombstones, rejected FROM kafka_stat_consumers WHERE id = :id;

-- what is no change of a row, or cannot be understood for certain, is a bad message
CREATE TABLE bad (id int PRIMARY KEY, name text, seen timestamp);
SELECT kafka_consume_begin('bad', 'customers_bad', 0, 'json', envelope => 'debezium', key_format => 'json', on_error => 'dead_letter') AS id \gset
SELECT kafka_consume_once('bad', 'customers_bad');
TABLE bad;
SELECT message_offset, sqlstate, error, column_name FROM pipeline_kafka_errors WHERE consumer_id = :id ORDER BY 1;
SELECT messages, rows, rejected FROM kafka_stat_consumers WHERE id = :id;

-- what an envelope needs
CREATE TABLE keyless (id int, name text);
SELECT kafka_consume_begin('keyless', 'accounts', 0, 'json', envelope => 'upsert');
CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE, name text);
SELECT kafka_consume_begin('deferred', 'accounts', 0, 'json', envelope => 'upsert');
CREATE TABLE placed (kafka_offset bigint PRIMARY KEY, name text);
SELECT kafka_consume_begin('placed', 'accounts', 0, 'json', envelope => 'upsert');
CREATE VIEW view AS SELECT * FROM accounts;
SELECT kafka_consume_begin('view', 'accounts', 0, 'json', envelope => 'upsert');
CREATE TABLE people (id int PRIMARY KEY, name text);
SELECT kafka_consume_begin('people', 'accounts', 0, envelope => 'debezium');
SELECT kafka_consume_begin('people', 'accounts', 0, 'text', columns => '{name}', envelope => 'upsert');
SELECT kafka_consume_begin('people', 'accounts', 0, source => 'by_text', envelope => 'upsert');
SELECT kafka_consume_begin('people', 'accounts', 0, statement => 'INSERT INTO people SELECT id, name FROM by_text', envelope => 'upsert');
SELECT kafka_consume_begin('people', 'accounts', 0, source => 'by_text', key_format => 'json');
SELECT count(*) FROM pipeline_kafka_consumers WHERE stream = 'people'::regclass;

-- the source follows the stream's primary key; without one the consumer stands still
ALTER TABLE accounts DROP CONSTRAINT accounts_pkey;
SELECT kafka_consume_begin('accounts', 'accounts', batch_size => 100);
ALTER TABLE accounts ADD PRIMARY KEY (name);
SELECT kafka_consume_begin('accounts', 'accounts', batch_size => 100) > 0;
SELECT attname, attfdwoptions FROM pg_attribute JOIN pipeline_kafka_consumers ON source = attrelid
 WHERE stream = 'accounts'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

-- an envelope taken away
SELECT kafka_consume_begin('accounts', 'accounts', envelope => 'none', key_format => 'raw') > 0;
SELECT attname, attfdwoptions FROM pg_attribute JOIN pipeline_kafka_consumers ON source = attrelid
 WHERE stream = 'accounts'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

-- keys in a stream without an envelope
CREATE TABLE keyed (kafka_key int, name text);
SELECT kafka_consume_begin('keyed', 'accounts', 0, 'json', key_format => 'text') > 0;
SELECT kafka_consume_once('keyed', 'accounts', 2);
TABLE keyed;

SET client_min_messages = warning;
SELECT count(kafka_consume_drop(stream::text, topic)) FROM pipeline_kafka_consumers WHERE id >= 3500;
DROP SCHEMA envelope_test CASCADE;
