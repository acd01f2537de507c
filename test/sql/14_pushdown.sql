-- Conditions on partition and offset decide what is read from Kafka at all.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');

CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
-- What a query reads, as EXPLAIN ANALYZE counts it.
CREATE FUNCTION reads(query text) RETURNS TABLE (condition text, filter text, ranges int, messages int, decoded int, rows int)
AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  plan := jsonb_path_query_first(plan, '$.**?(@."Node Type" == "Foreign Scan")');
  RETURN QUERY SELECT plan->>'Pushed condition', plan->>'Filter', (plan->>'Ranges')::int, (plan->>'Messages')::int,
    (plan->>'Decoded')::int, (plan->>'Actual Rows')::numeric::int;
END $$ LANGUAGE plpgsql;

EXPLAIN (COSTS off) SELECT * FROM numbers WHERE part = 1 AND offs >= 90;
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 1 AND offs >= 90');
-- From either side, with integers of any size.
SELECT * FROM reads('SELECT * FROM numbers WHERE 1::smallint = part AND 10::smallint > offs');
SELECT * FROM reads('SELECT * FROM numbers WHERE part > 1::bigint AND offs <= 4 AND offs > 2');
SELECT * FROM reads('SELECT * FROM numbers WHERE part BETWEEN 2 AND 3 AND offs BETWEEN 95 AND 1000');
SELECT * FROM reads('SELECT * FROM numbers WHERE offs IN (7, 7, 70, 700) AND part = ANY (ARRAY[0, 3])');
-- Ranges that overlap give no row twice.
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 0 AND (offs < 10 OR offs BETWEEN 5 AND 15 OR offs = 9)');
SELECT count(*), count(DISTINCT n), min(n), max(n) FROM numbers
  WHERE part = 0 AND (offs < 10 OR offs BETWEEN 5 AND 15 OR offs = 9);
-- An OR with an arm that cannot be pushed gives every row; an AND pushes what it can.
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 0 OR n = 399');
SELECT * FROM reads('SELECT * FROM numbers WHERE (part = 0 AND n % 2 = 0) OR (part = 1 AND offs < 3)');
SELECT count(*), sum(n) FROM numbers WHERE part = 0 OR n = 399;
SELECT count(*), sum(n) FROM numbers WHERE (part = 0 AND n % 2 = 0) OR (part = 1 AND offs < 3);
-- Bounds beyond what an offset can be.
SELECT * FROM reads('SELECT * FROM numbers WHERE offs >= -5 AND offs < 9223372036854775807');
SELECT * FROM reads('SELECT * FROM numbers WHERE offs <= -1 OR offs > 9223372036854775806');
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 5000000000 OR part < -5000000000');
-- Not pushed: other operators, volatile functions, columns of the same row, other types.
SELECT * FROM reads('SELECT * FROM numbers WHERE part <> 1 AND offs = n AND offs < random() + 5');
SELECT * FROM reads('SELECT * FROM numbers WHERE offs > 97.5');
SELECT * FROM reads('SELECT * FROM numbers WHERE NOT (part = 1 AND offs > 3)');

-- Columns that nobody looks at are not decoded; what the ranges answer needs no look.
SELECT * FROM reads('SELECT count(*) FROM numbers WHERE part = 2 AND offs < 50');
SELECT * FROM reads('SELECT offs FROM numbers WHERE part = 2 AND offs < 50');
SELECT * FROM reads('SELECT 1 FROM numbers WHERE part = 2 AND n > 250');

-- A contradiction asks nobody, not even a broker that is not there.
CREATE SERVER nobody FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:9');
CREATE FOREIGN TABLE unreachable (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER nobody OPTIONS (topic 'numbers');
SELECT * FROM unreachable WHERE offs < 3 AND offs > 3;
SELECT * FROM unreachable WHERE part = NULL;
SELECT * FROM unreachable WHERE offs = ANY ('{}');

-- Parameters: with a plan of their own, and with a generic one.
PREPARE part_of(int, bigint) AS SELECT count(*), min(n), max(n) FROM numbers WHERE part = $1 AND offs >= $2;
SET plan_cache_mode = force_custom_plan;
EXECUTE part_of(1, 95);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS off) EXECUTE part_of(1, 95);
EXECUTE part_of(1, 95);
EXECUTE part_of(3, 5);
EXECUTE part_of(3, NULL);
RESET plan_cache_mode;
SELECT ranges, messages, rows FROM reads('SELECT * FROM numbers WHERE offs >= (SELECT 98)');
SELECT * FROM reads($$SELECT * FROM numbers WHERE offs >= current_setting('my.bound', true)::bigint$$);
SET my.bound = 99;
SELECT * FROM reads($$SELECT * FROM numbers WHERE offs >= current_setting('my.bound', true)::bigint$$);

-- Estimates come from the watermarks.
CREATE FUNCTION estimate(query text) RETURNS int AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  RETURN plan->0->'Plan'->>'Plan Rows';
END $$ LANGUAGE plpgsql;
SELECT estimate('SELECT * FROM numbers');
SELECT estimate('SELECT * FROM numbers WHERE part = 1 AND offs < 30');
SELECT estimate('SELECT * FROM numbers WHERE part = 1 AND offs < 0');

-- Nothing is asked of a broker where the planner knows the answer.
SELECT estimate('SELECT * FROM unreachable WHERE offs < 0');

DROP FUNCTION reads, estimate;
DROP SERVER nobody CASCADE;
DROP SERVER kafka CASCADE;
