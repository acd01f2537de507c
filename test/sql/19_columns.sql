-- Columns: what fills them, and what a table's own clauses mean for messages that others wrote.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
SET timezone = 'UTC';
\pset null '(null)'

-- Columns come and go: the fields of JSON are found by name.
CREATE FOREIGN TABLE typed (
    offs bigint OPTIONS ("offset" 'true'), id bit(3), part int OPTIONS (partition 'true'), item text, price numeric(32,1))
  SERVER kafka OPTIONS (topic 'orders');
ALTER FOREIGN TABLE typed DROP id, ADD paid boolean, ADD never_there int;
SELECT * FROM typed ORDER BY part, offs;

-- Generated columns are in no message: reading computes them, whatever fields of that name there are. In text and csv they
-- take no position.
CREATE FOREIGN TABLE totals (
    offs bigint OPTIONS ("offset" 'true'), part int OPTIONS (partition 'true'),
    price numeric, taxed numeric GENERATED ALWAYS AS (round(price * 1.2, 2)) STORED,
    id text GENERATED ALWAYS AS ('row ' || offs) STORED)
  SERVER kafka OPTIONS (topic 'orders');
SELECT * FROM totals ORDER BY part, offs;
SELECT taxed FROM totals WHERE id = 'row 0' ORDER BY taxed;
SELECT t FROM totals t WHERE taxed < 1;
CREATE FOREIGN TABLE people (id int, name text) SERVER kafka OPTIONS (topic 'people_csv', format 'csv');
ALTER FOREIGN TABLE people ADD initial text GENERATED ALWAYS AS (left(name, 1)) STORED, ADD born date, ADD note text;
SELECT initial, born, replace(note, E'\n', '/') AS note FROM people ORDER BY id;
-- What its expression raises says for which message.
ALTER FOREIGN TABLE totals ADD inverse numeric GENERATED ALWAYS AS (1 / (price - 2)) STORED;
SELECT inverse FROM totals WHERE part = 1;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE confused (n int, m int OPTIONS (field 'id') GENERATED ALWAYS AS (n) STORED)
  SERVER kafka OPTIONS (topic 'orders');
SELECT * FROM confused;

-- A function that must not run in a parallel worker keeps the scan out of them.
CREATE FUNCTION regress_twice(n int, OUT doubled int) IMMUTABLE LANGUAGE plpgsql AS 'BEGIN doubled := 2 * n; END';
CREATE FOREIGN TABLE doubled (n int, m int GENERATED ALWAYS AS (regress_twice(n)) STORED) SERVER kafka OPTIONS (topic 'numbers');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS off) SELECT sum(m) FROM doubled;
ALTER FUNCTION regress_twice PARALLEL SAFE;
EXPLAIN (COSTS off) SELECT sum(m) FROM doubled;
SELECT sum(m) FROM doubled;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- A consumer stores what is computed, too.
CREATE TABLE stored (n int, m int);
SELECT kafka_consume_begin('stored', 'numbers', source => 'doubled', parallelism => 0, server => 'kafka') > 0 AS begun;
SELECT kafka_consume_once('stored', 'numbers');
SELECT count(*), sum(m) FROM stored;
SELECT kafka_consume_drop('stored', 'numbers');
DROP TABLE stored;

-- DEFAULT is for INSERT: a field that is not there is NULL.
CREATE FOREIGN TABLE defaults (id int, paid boolean DEFAULT true, item text DEFAULT 'nothing')
  SERVER kafka OPTIONS (topic 'orders');
SELECT * FROM defaults WHERE id IN (3, 4) ORDER BY id;

-- NOT NULL and CHECK of a foreign table are promises of its owner, which the planner believes and nobody checks. What must be
-- checked belongs into a domain; it sees each message that is read. A tombstone has no field that it could refuse.
CREATE DOMAIN regress_cheap AS numeric NOT NULL CHECK (VALUE < 1000);
CREATE FOREIGN TABLE promised (offs bigint OPTIONS ("offset" 'true'), id int NOT NULL CHECK (id < 3), paid regress_cheap OPTIONS (field 'price'))
  SERVER kafka OPTIONS (topic 'orders');
SELECT id FROM promised ORDER BY id;
SELECT paid FROM promised WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT paid FROM promised WHERE offs = 2;
ALTER FOREIGN TABLE promised OPTIONS (ADD ignore_junk 'true');
SELECT id, paid FROM promised ORDER BY id;

-- System columns: tableoid says which table a row is of, the others say nothing.
SELECT DISTINCT tableoid::regclass FROM typed;
SELECT ctid FROM typed LIMIT 1;
SELECT xmin FROM typed LIMIT 1;
\echo :LAST_ERROR_SQLSTATE

\pset null ''
DROP SERVER kafka CASCADE;
DROP FUNCTION regress_twice;
DROP DOMAIN regress_cheap;
