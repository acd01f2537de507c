-- ANALYZE looks at pieces of the log all over the topic, and the planner knows its values then.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
CREATE FUNCTION estimate(query text) RETURNS int AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan->0->'Plan'->>'Plan Rows';
END $$ LANGUAGE plpgsql;

-- Before, the planner knows how many messages there are, and guesses their values.
SELECT estimate('SELECT * FROM numbers'), estimate('SELECT * FROM numbers WHERE n < 40');
ANALYZE numbers;
SELECT relpages, reltuples FROM pg_class WHERE relname = 'numbers';
SELECT attname, null_frac, avg_width, n_distinct, (histogram_bounds::text::int[])[1] AS least,
       (histogram_bounds::text::int[])[array_upper(histogram_bounds::text::int[], 1)] AS largest
  FROM pg_stats WHERE tablename = 'numbers' ORDER BY attname;
SELECT estimate('SELECT * FROM numbers'), estimate('SELECT * FROM numbers WHERE n < 40');
-- A sample.
SET default_statistics_target = 1;
ANALYZE numbers;
SELECT reltuples FROM pg_class WHERE relname = 'numbers';
RESET default_statistics_target;
-- What does not decode counts as NULL; a table's start is where its rows begin.
CREATE FOREIGN TABLE mixed (id int, amount int) SERVER kafka OPTIONS (topic 'mixed', start '1');
ANALYZE mixed;
SELECT reltuples FROM pg_class WHERE relname = 'mixed';
SELECT attname, null_frac FROM pg_stats WHERE tablename = 'mixed' ORDER BY attname;
-- An empty topic, and one that does not exist.
CREATE FOREIGN TABLE empty (n int) SERVER kafka OPTIONS (topic 'empty');
ANALYZE empty;
SELECT relpages, reltuples FROM pg_class WHERE relname = 'empty';
CREATE FOREIGN TABLE nothing (n int) SERVER kafka OPTIONS (topic 'no-such-topic');
ANALYZE nothing;
DROP FUNCTION estimate;
DROP SERVER kafka CASCADE;
