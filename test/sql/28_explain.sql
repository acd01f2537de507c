-- EXPLAIN says what a scan asks the brokers for, and EXPLAIN ANALYZE what came of it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE FOREIGN TABLE numbers (
    part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), ts timestamptz OPTIONS ("timestamp" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
CREATE FOREIGN TABLE mixed (offs bigint OPTIONS ("offset" 'true'), id int, reason text OPTIONS (junk_error 'true'))
  SERVER kafka OPTIONS (topic 'mixed');
SET timezone = 'UTC';

-- PostgreSQL's versions name subqueries in their own ways, show more of this and that, and what was fetched in vain depends on
-- the broker.
CREATE FUNCTION explain(query text, options text DEFAULT 'ANALYZE, TIMING off, SUMMARY off, FORMAT text')
RETURNS TABLE (plan text) LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR plan IN EXECUTE format('EXPLAIN (COSTS off, %s) %s', options, query) LOOP
    FOREACH line IN ARRAY string_to_array(plan, E'\n') LOOP
      CONTINUE WHEN line ~ 'Buffers:|Planning:|Disabled|^ *[]}{[]+,?$';
      line := regexp_replace(line, 'Skipped: \d+', 'Skipped: …');
      line := regexp_replace(line, 'rows=(\d+)\.00', 'rows=\1');
      line := regexp_replace(line, ' \(returns \$0\)', '');
      plan := regexp_replace(line, '\$0|\(InitPlan 1\)\.col1|p\.p\M', '…');
      RETURN NEXT;
    END LOOP;
  END LOOP;
END $$;

-- Topic and format; what is pushed down, as one would write it; what is left is the filter.
EXPLAIN (COSTS off) SELECT n FROM numbers;
EXPLAIN (COSTS off) SELECT n FROM numbers WHERE part = 1 AND offs BETWEEN 10 AND 19 AND n % 2 = 0;
EXPLAIN (COSTS off) SELECT n FROM numbers WHERE (part, offs) IN ((0, 1), (1, 2)) OR ts >= '2024-01-01 00:01:30';
EXPLAIN (COSTS off, VERBOSE) SELECT n FROM numbers WHERE part = 1 + 1;
-- Values that are known only when the query runs show as what they come from.
SELECT * FROM explain('SELECT n FROM numbers WHERE offs >= (SELECT max(x) - 5 FROM generate_series(1, 100) x)', 'VERBOSE off');
PREPARE tail(bigint) AS SELECT n FROM numbers WHERE offs > $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS off) EXECUTE tail(98);
RESET plan_cache_mode;
-- The order that a scan gives its rows in.
EXPLAIN (COSTS off) SELECT n FROM numbers ORDER BY part, offs DESC LIMIT 3;
SELECT * FROM explain('SELECT max(offs) FROM numbers WHERE part = 1', 'VERBOSE off');
-- A contradiction asks nobody.
EXPLAIN (COSTS off) SELECT n FROM numbers WHERE offs > 3 AND offs < 3;

-- ANALYZE: the ranges of offsets that were asked for, the messages of these and their bytes, how many were decoded, how
-- many were fetched in vain, and how many did not decode.
SELECT * FROM explain('SELECT n FROM numbers WHERE part = 1 AND offs IN (10, 11, 50)');
SELECT * FROM explain('SELECT offs FROM numbers WHERE part = 1 AND offs IN (10, 11, 50)');
SELECT * FROM explain('SELECT count(*) FROM numbers');
SELECT * FROM explain('SELECT reason FROM mixed');
SELECT * FROM explain('SELECT n FROM numbers WHERE offs > 3 AND offs < 3');
-- Of rescans together; a scan that never ran has nothing to say.
SELECT * FROM explain('SELECT (SELECT count(n) FROM numbers WHERE part = p AND offs < 10) FROM generate_series(0, 3) p');
SELECT * FROM explain('SELECT n FROM numbers LIMIT 0');

-- For programs.
SELECT * FROM explain('SELECT n FROM numbers WHERE part = 1 AND offs >= 90 ORDER BY offs DESC', 'FORMAT json');
SELECT * FROM explain('SELECT n FROM numbers WHERE part = 1 AND offs >= 90 ORDER BY offs DESC', 'FORMAT yaml');
SELECT * FROM explain('SELECT n FROM numbers WHERE part = 1', 'FORMAT xml');
CREATE FUNCTION analyzed(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  RETURN jsonb_path_query_first(plan, '$.**?(@."Node Type" == "Foreign Scan")');
END $$;
SELECT key, CASE WHEN key IN ('Skipped', 'Wait time') THEN jsonb_typeof(value)::text ELSE value::text END AS value
  FROM jsonb_each(analyzed('SELECT n FROM numbers WHERE part = 1 AND offs >= 90'))
 WHERE key IN ('Topic', 'Format', 'Pushed condition', 'Ranges', 'Offsets', 'Messages', 'Bytes', 'Decoded', 'Skipped', 'In error',
               'Wait time') ORDER BY key;

DEALLOCATE tail;
DROP FUNCTION explain, analyzed;
DROP SERVER kafka CASCADE;
