-- What cannot be had is an error that says why, soon, and never fewer rows.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');

CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');

-- A topic that does not exist.
CREATE FOREIGN TABLE misspelt (n int) SERVER kafka OPTIONS (topic 'nummers');
SELECT * FROM misspelt;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka_get_watermarks('misspelt');
EXPLAIN (COSTS off) SELECT * FROM misspelt;

-- A broker that is not there, in no more than connect_timeout.
CREATE SERVER nobody FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:9');
CREATE FOREIGN TABLE unreachable (n int) SERVER nobody OPTIONS (topic 'numbers');
EXPLAIN (COSTS off) SELECT * FROM unreachable;
SET kafka_fdw.connect_timeout = '500 ms';
SELECT clock_timestamp() AS before \gset
\set VERBOSITY terse
SELECT * FROM unreachable;
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT clock_timestamp() - :'before' < interval '1.5 s' AS soon;
\set VERBOSITY terse
SELECT * FROM kafka_get_watermarks('unreachable');
\set VERBOSITY default
RESET kafka_fdw.connect_timeout;

-- A scan that waits can be cancelled at once.
SET statement_timeout = '200 ms';
SELECT clock_timestamp() AS before \gset
SELECT * FROM unreachable;
\echo :LAST_ERROR_SQLSTATE
SELECT clock_timestamp() - :'before' < interval '1 s' AS soon;
RESET statement_timeout;

-- Writing is not possible.
INSERT INTO numbers VALUES (0, 0, 0);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO numbers SELECT * FROM numbers;
COPY numbers FROM stdin;
0	0	0
\.
\echo :LAST_ERROR_SQLSTATE
UPDATE numbers SET n = 1;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM numbers;
\echo :LAST_ERROR_SQLSTATE
TRUNCATE numbers;
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE partitioned (part int, offs bigint, n int) PARTITION BY LIST (part);
ALTER TABLE partitioned ATTACH PARTITION numbers FOR VALUES IN (0, 1, 2, 3);
INSERT INTO partitioned VALUES (0, 0, 0);
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE partitioned DETACH PARTITION numbers;
DROP TABLE partitioned;

-- Watermarks are those of foreign tables of Kafka.
SELECT * FROM kafka_get_watermarks('pg_class');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka_get_watermarks(0);
SELECT * FROM kafka_get_watermarks(NULL);

DROP SERVER nobody CASCADE;
DROP SERVER kafka CASCADE;
