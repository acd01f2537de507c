-- What holds between PostgreSQL, which raises errors by longjmp, and C++, which raises exceptions.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');

CREATE FUNCTION counters() RETURNS text AS '$libdir/kafka_fdw', 'kafka_test_counters' LANGUAGE C;
CREATE FUNCTION throw(kind text) RETURNS void AS '$libdir/kafka_fdw', 'kafka_test_throw' LANGUAGE C;
CREATE FUNCTION report(query text) RETURNS TABLE (part text, value text) AS $$
DECLARE
  state text; message text; detail text; hint text; context text;
BEGIN
  EXECUTE query;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
    hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
  RETURN QUERY VALUES ('sqlstate', state), ('message', message), ('detail', detail), ('hint', hint),
    ('context', split_part(context, E'\n', 1));
END $$ LANGUAGE plpgsql;

-- A C++ exception becomes an ERROR with its SQLSTATE.
SELECT throw('unreachable');
\echo :LAST_ERROR_SQLSTATE
SELECT throw('decode');
\echo :LAST_ERROR_SQLSTATE
SELECT throw('out of memory');
\echo :LAST_ERROR_SQLSTATE
SELECT throw('exception');
\echo :LAST_ERROR_SQLSTATE
SELECT throw('int');
\echo :LAST_ERROR_SQLSTATE

-- An ERROR that PostgreSQL raises inside C++ keeps SQLSTATE, detail, hint and context.
SELECT * FROM report($$SELECT throw('PostgreSQL')$$);

-- Destructors ran all the way, and a session that has seen a thousand errors holds nothing.
SELECT counters();
DO $$
BEGIN
  FOR i IN 1 .. 1000 LOOP
    BEGIN
      PERFORM throw((ARRAY['unreachable', 'exception', 'PostgreSQL'])[1 + i % 3]);
    EXCEPTION WHEN OTHERS THEN
    END;
  END LOOP;
END $$;
SELECT counters();

-- A scan holds a client while it runs; the pool keeps it for the next one.
CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
SELECT count(*) FROM numbers;
SELECT counters();
SELECT count(*) FROM numbers a JOIN numbers b USING (part, offs);
SELECT counters();

-- An error in the middle of a scan: its client is gone, not idle.
SELECT 1 / (n - 150) FROM numbers WHERE part = 1 AND n IS NOT NULL \gset ignored_
SELECT counters();

-- The same in a subtransaction: gone when the block is left, while the transaction goes on.
BEGIN;
DO $$
BEGIN
  PERFORM 1 / (n - 150) FROM numbers;
EXCEPTION WHEN division_by_zero THEN
  RAISE WARNING 'caught: %', SQLERRM;
END $$;
SELECT counters();
COMMIT;

-- A cursor holds its scan until it is closed, or until its subtransaction is rolled back.
BEGIN;
DECLARE open CURSOR FOR SELECT n FROM numbers WHERE part = 2;
FETCH 2 FROM open;
SELECT counters();
CLOSE open;
SELECT counters();
SAVEPOINT before;
DECLARE open CURSOR FOR SELECT n FROM numbers WHERE part = 2;
FETCH 2 FROM open;
ROLLBACK TO before;
SELECT counters();
COMMIT;

-- Cancelled while it waits for a broker, in the planner and, where the planner knows that there is none, in the scan.
CREATE SERVER nobody FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:9');
CREATE FOREIGN TABLE unreachable (n int) SERVER nobody OPTIONS (topic 'numbers');
SET statement_timeout = '200 ms';
SELECT * FROM unreachable;
\echo :LAST_ERROR_SQLSTATE
RESET statement_timeout;
SELECT counters();
EXPLAIN (COSTS off) SELECT * FROM unreachable;
SET kafka_fdw.connect_timeout = '1 s';
SET statement_timeout = '200 ms';
SELECT * FROM unreachable;
\echo :LAST_ERROR_SQLSTATE
RESET statement_timeout;
RESET kafka_fdw.connect_timeout;
SELECT counters();

-- A check keeps nothing, however it ends; nor does a sample, but the client that it read with.
SELECT bool_and(ok) FROM kafka_check('numbers', 'kafka');
SELECT counters();
SELECT step, ok FROM kafka_check('numbers', 'nobody') WHERE ok IS FALSE OR step = 'read';
SELECT counters();
SELECT length(kafka_suggest_table('numbers', server => 'kafka')) > 0 AS suggested;
SELECT counters();
SET kafka_fdw.connect_timeout = '1 s';
SET statement_timeout = '200 ms';
SELECT kafka_suggest_table('numbers', server => 'nobody');
\echo :LAST_ERROR_SQLSTATE
RESET statement_timeout;
RESET kafka_fdw.connect_timeout;
SELECT counters();

-- A server that changes takes its idle clients with it.
SELECT count(*) FROM numbers;
SELECT counters();
ALTER SERVER kafka OPTIONS (ADD "client.id" 'another');
SELECT counters();

DROP SERVER nobody CASCADE;
DROP FUNCTION counters, throw, report;
DROP SERVER kafka CASCADE;
