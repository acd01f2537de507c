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
-- Numbers of other types: what lies between two offsets, beyond all of them, or is no number.
SELECT * FROM reads('SELECT * FROM numbers WHERE offs > 97.5');
SELECT * FROM reads('SELECT * FROM numbers WHERE offs = 97.5 OR offs >= 99.0 OR part = 1e30');
SELECT * FROM reads($$SELECT * FROM numbers WHERE part < 0.5 AND offs < 'NaN'::numeric AND offs > '-Infinity'::numeric AND offs <= 1$$);
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 2 AND offs > 97.5::float8');
-- NOT, and what is not equal.
SELECT * FROM reads('SELECT * FROM numbers WHERE NOT (part = 1 AND offs > 3)');
SELECT * FROM reads('SELECT * FROM numbers WHERE part <> 1 AND NOT offs BETWEEN 2 AND 98');
SELECT * FROM reads('SELECT * FROM numbers WHERE part NOT IN (0, 1, 3) AND offs <> ALL (ARRAY[5, 50]) AND offs < 52');
SELECT * FROM reads('SELECT * FROM numbers WHERE offs NOT IN (1, NULL)');
SELECT * FROM reads('SELECT * FROM numbers WHERE (part > 2) IS TRUE AND (offs > 3) IS FALSE');
-- Rows.
SELECT * FROM reads('SELECT * FROM numbers WHERE (part, offs) = (1, 5)');
SELECT * FROM reads('SELECT * FROM numbers WHERE (part, offs) IN ((1, 5), (2, 7), (1, 5))');
SELECT * FROM reads('SELECT * FROM numbers WHERE (part, offs) > (3, 97)');
SELECT * FROM reads('SELECT * FROM numbers WHERE (3, 97) <= (part, offs)');
SELECT * FROM reads('SELECT * FROM numbers WHERE NOT (part, offs) < (3, 97)');
SELECT * FROM reads('SELECT * FROM numbers WHERE (part, n) < (1, 5) AND part >= 0');
SELECT * FROM reads('SELECT * FROM numbers WHERE (n, part) < (1, 5)');
-- Not pushed: volatile functions, columns of the same row, expressions on the column.
SELECT * FROM reads('SELECT * FROM numbers WHERE offs = n AND offs < random() + 5');
SELECT * FROM reads('SELECT * FROM numbers WHERE offs + 1 = 5');

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

-- Values of an outer query: a nested loop reads for each of its rows what that row asks for.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
CREATE TABLE wanted (p int, o bigint);
INSERT INTO wanted VALUES (0, 98), (3, 99), (7, 0), (1, NULL);
ANALYZE wanted;
EXPLAIN (COSTS off) SELECT * FROM wanted JOIN numbers ON part = p AND offs >= o;
SELECT p, o, n FROM wanted LEFT JOIN numbers ON part = p AND offs >= o ORDER BY p, o, n;
SELECT ranges, messages, rows FROM reads('SELECT * FROM wanted JOIN numbers ON part = p AND offs >= o');
SELECT p, (SELECT count(*) FROM numbers WHERE part = p AND offs < o) FROM wanted ORDER BY p;
SELECT p, n FROM wanted, LATERAL (SELECT n FROM numbers WHERE part = p AND offs < (SELECT max(o) - 97 FROM wanted w WHERE w.p = wanted.p)) x
  ORDER BY p, n;
SELECT p, n FROM wanted, LATERAL (SELECT n FROM numbers WHERE part = p ORDER BY offs DESC LIMIT 2) x ORDER BY p, n;
DROP TABLE wanted;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_memoize;

-- Times. The brokers find the first message that is not older; how far times may be out of order is for the table to say.
SET TimeZone = 'UTC';
ALTER FOREIGN TABLE numbers ADD COLUMN ts timestamptz OPTIONS ("timestamp" 'true');
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts >= '2024-01-01 00:01:37'$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts > '2024-01-01 00:01:37' OR offs = 3$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts < '2024-01-01 00:00:02'$$);
ALTER FOREIGN TABLE numbers OPTIONS (ADD max_timestamp_disorder '1 s');
EXPLAIN (COSTS off) SELECT * FROM numbers WHERE part = 1 AND ts BETWEEN '2024-01-01 00:00:10' AND '2024-01-01 00:00:12';
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE part = 1 AND ts BETWEEN '2024-01-01 00:00:10' AND '2024-01-01 00:00:12'$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts < '2024-01-01 00:00:02'$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts < '2024-01-01 00:00:02' OR ts >= '2024-01-01 00:01:39'$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts IN ('2024-01-01 00:00:02', '2024-01-01 00:01:00')$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts = ANY (ARRAY(SELECT timestamptz '2024-01-01' + n * interval '1 s' FROM generate_series(50, 89) AS n))$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE NOT ts >= '2024-01-01 00:00:02' AND NOT part > 0$$);
-- What lies between two milliseconds, dates and local times, other operand first.
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE part = 0 AND ts >= '2024-01-01 00:01:38.0001' AND ts > date '2024-01-01'$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE part = 0 AND timestamp '2024-01-01 00:00:03' > ts$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE part = 0 AND ts >= now() - interval '5 min'$$);
-- Before 1970 and the infinities.
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts >= '1960-01-01' AND ts > '-infinity' AND ts < 'infinity' AND offs = 0$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts < '1960-01-01'$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE ts > '2024-01-02' AND ts < '2024-01-01'$$);
-- The other types of a timestamp column: without a zone it is UTC, bigint is milliseconds.
ALTER FOREIGN TABLE numbers DROP COLUMN ts, ADD COLUMN local timestamp OPTIONS ("timestamp" 'true');
SET TimeZone = 'America/New_York';
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE local > '2024-01-01 00:01:37'$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE local >= timestamptz '2024-01-01 00:01:38'$$);
SELECT messages, rows FROM reads($$SELECT * FROM numbers WHERE local = date '2024-01-01'$$);
RESET TimeZone;
ALTER FOREIGN TABLE numbers DROP COLUMN local, ADD COLUMN ms bigint OPTIONS ("timestamp" 'true');
SELECT messages, rows FROM reads('SELECT * FROM numbers WHERE ms > 1704067298000');
SELECT messages, rows FROM reads('SELECT * FROM numbers WHERE ms < 1704067200000.5 AND part < 2');
ALTER FOREIGN TABLE numbers DROP COLUMN ms;

-- Keys, where the table says how producers chose the partition.
ALTER FOREIGN TABLE numbers ADD COLUMN k text OPTIONS ("key" 'true');
SELECT condition, ranges, messages FROM reads($$SELECT * FROM numbers WHERE k = 'alice'$$);
ALTER FOREIGN TABLE numbers OPTIONS (ADD key_partitioner 'murmur2');
SELECT condition, filter, ranges, messages FROM reads($$SELECT * FROM numbers WHERE k = 'alice'$$);
SELECT condition, ranges, messages FROM reads($$SELECT * FROM numbers WHERE k IN ('alice', 'bob', NULL) AND offs < 10$$);
SELECT condition, ranges, messages FROM reads($$SELECT * FROM numbers WHERE k <> 'alice' AND offs < 10$$);
ALTER FOREIGN TABLE numbers OPTIONS (SET key_partitioner 'crc32');
SELECT condition, ranges, messages FROM reads($$SELECT * FROM numbers WHERE k = 'alice'$$);
SELECT condition, ranges, messages FROM reads($$SELECT * FROM numbers WHERE k = '' AND offs < 10$$);
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT condition, ranges, messages FROM reads($$SELECT * FROM numbers WHERE k = 'alice' COLLATE any_case AND offs < 10$$);
DROP COLLATION any_case;
ALTER FOREIGN TABLE numbers DROP COLUMN k;

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
