-- Options of servers, user mappings, tables and columns: what is taken, what is refused, and the hint that comes with it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');

-- Servers: brokers, and librdkafka's properties as the policy allows them.
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS (broker 'localhost');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '');
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS ("securty.protocol" 'ssl');
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS ("security.protocol" 'carrier pigeon');
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS (quite_different 'x');
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS (topic 'numbers');
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS ("sasl.password" 'do not show me');
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS ("plugin.library.paths" 'evil.so');
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS ("enable.auto.commit" 'true');
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS ("test.mock.num.brokers" '3');
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS (schema_registry 'http://localhost');
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers 'localhost');

-- Some only a superuser may set.
CREATE ROLE regress_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER kafka_fdw TO regress_owner;
GRANT CREATE ON SCHEMA public TO regress_owner;
SET ROLE regress_owner;
CREATE SERVER refused FOREIGN DATA WRAPPER kafka_fdw OPTIONS ("ssl.ca.location" '/etc/passwd');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER secured FOREIGN DATA WRAPPER kafka_fdw
  OPTIONS (brokers '127.0.0.1:9', "security.protocol" 'sasl_plaintext', "sasl.mechanism" 'PLAIN');
CREATE USER MAPPING FOR CURRENT_USER SERVER secured OPTIONS (password_required 'false');
CREATE USER MAPPING FOR CURRENT_USER SERVER secured OPTIONS (brokers 'localhost');
CREATE USER MAPPING FOR CURRENT_USER SERVER secured OPTIONS (passwort 'do not show me');

-- Who is no superuser brings a secret of his own to a server that demands authentication.
CREATE FOREIGN TABLE secured (n int) SERVER secured OPTIONS (topic 'numbers');
SELECT * FROM secured;
\echo :LAST_ERROR_SQLSTATE
CREATE USER MAPPING FOR CURRENT_USER SERVER secured OPTIONS ("sasl.username" 'me');
SELECT * FROM secured;
SET kafka_fdw.connect_timeout = '300 ms';
ALTER USER MAPPING FOR CURRENT_USER SERVER secured OPTIONS ("sasl.password" 'do not show me');
\set VERBOSITY terse
SELECT * FROM secured;
\set VERBOSITY default
RESET ROLE;
ALTER USER MAPPING FOR regress_owner SERVER secured OPTIONS (DROP "sasl.password", ADD password_required 'false');
SET ROLE regress_owner;
\set VERBOSITY terse
SELECT * FROM secured;
\set VERBOSITY default
RESET kafka_fdw.connect_timeout;
RESET ROLE;

-- Tables: a topic, a format and what belongs to it.
CREATE FOREIGN TABLE refused (n int) SERVER kafka;
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topik 'numbers');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', format 'jsn');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', format 'avro');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', delimiter ';');
-- COPY's own checks, whose words differ between versions.
\set VERBOSITY sqlstate
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', format 'csv', delimiter ';;');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', format 'text', quote '"');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', format 'csv', "null" E'a\nb');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', format 'text', encoding 'runes');
\set VERBOSITY default
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', encoding 'latin1');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', strict 'perhaps');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', start 'somewhere');
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', start '{"0": [1]}');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', start '{"zero": 1}');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', batch_size 'many');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', key_partitioner 'random');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', max_timestamp_disorder '-1 s');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', brokers 'localhost');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', "fetch.max.bytes" '99999999999');

-- Columns: one thing each, of a type that can hold it.
CREATE FOREIGN TABLE refused (n int OPTIONS (partiton 'true')) SERVER kafka OPTIONS (topic 'numbers');
CREATE FOREIGN TABLE refused (n int OPTIONS (partition 'yes, please')) SERVER kafka OPTIONS (topic 'numbers');
CREATE FOREIGN TABLE refused (n int OPTIONS (partition 'true', field 'n')) SERVER kafka OPTIONS (topic 'numbers');
CREATE FOREIGN TABLE refused (n int OPTIONS (topic 'numbers')) SERVER kafka OPTIONS (topic 'numbers');
CREATE FOREIGN TABLE refused (n int) SERVER kafka OPTIONS (topic 'numbers', subject 'n');

-- What only the whole table shows is refused at its first use, EXPLAIN included.
CREATE FOREIGN TABLE misshapen (a int OPTIONS (partition 'true'), b int OPTIONS (partition 'true'))
  SERVER kafka OPTIONS (topic 'numbers');
SELECT * FROM misshapen;
ALTER FOREIGN TABLE misshapen ALTER b OPTIONS (DROP partition, ADD "offset" 'true');
EXPLAIN SELECT * FROM misshapen;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE misshapen ALTER b OPTIONS (DROP "offset", ADD force_null 'true');
SELECT * FROM misshapen;
DROP FOREIGN TABLE misshapen;
CREATE FOREIGN TABLE two_fields (a text, b text) SERVER kafka OPTIONS (topic 'lines', format 'raw');
SELECT * FROM two_fields;
ALTER FOREIGN TABLE two_fields DROP b;
SELECT * FROM two_fields;

-- The options of adjust's kafka_fdw are all taken.
CREATE FOREIGN TABLE as_before (
    part int OPTIONS (partition 'true'),
    offs bigint OPTIONS (offset 'true'),
    id int OPTIONS (json 'id'),
    amount int OPTIONS (json 'amount'),
    junk text OPTIONS (junk 'true'),
    junk_err text OPTIONS (junk_error 'true'))
  SERVER kafka OPTIONS (format 'json', topic 'mixed', batch_size '30', buffer_delay '100', num_partitions '1',
                        strict 'false', ignore_junk 'true');
SELECT part, offs, id, amount FROM as_before ORDER BY offs LIMIT 3;

-- The extension's own server is for brokers without authentication: pg_dump carries no options of it.
CREATE FOREIGN TABLE registered (n int) SERVER pipeline_kafka OPTIONS (topic 'numbers');
SELECT count(*) FROM registered;
INSERT INTO pipeline_kafka_brokers VALUES (:'bootstrap');
SELECT count(*) FROM registered;
ALTER SERVER pipeline_kafka OPTIONS (ADD "client.id" 'me');
SELECT count(*) FROM registered;
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER pipeline_kafka OPTIONS (DROP "client.id");
DELETE FROM pipeline_kafka_brokers;

DROP FOREIGN TABLE registered;
DROP SERVER secured CASCADE;
DROP OWNED BY regress_owner;
DROP ROLE regress_owner;
DROP SERVER kafka CASCADE;
