-- Whatever PostgreSQL does with tables it does with topics: partition trees, inheritance, views, cursors, procedures, and
-- statements that change local tables.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE SERVER nobody FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:9');
CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
CREATE FUNCTION counters() RETURNS text AS '$libdir/kafka_fdw', 'kafka_test_counters' LANGUAGE C;

-- A partition tree of topics. What the planner prunes asks no broker, not even one that is not there.
CREATE TABLE visits (region text, day date, n int) PARTITION BY LIST (region);
CREATE FOREIGN TABLE visits_eu PARTITION OF visits FOR VALUES IN ('eu') SERVER kafka OPTIONS (topic 'visits_eu');
CREATE FOREIGN TABLE visits_us (offs bigint OPTIONS ("offset" 'true'), n int, region text, day date)
  SERVER kafka OPTIONS (topic 'visits_us');
ALTER FOREIGN TABLE visits_us DROP offs;
ALTER TABLE visits ATTACH PARTITION visits_us FOR VALUES IN ('us');
CREATE FOREIGN TABLE visits_mars PARTITION OF visits FOR VALUES IN ('mars') SERVER nobody OPTIONS (topic 'visits_mars');
SELECT * FROM visits WHERE region = 'eu' ORDER BY n;
EXPLAIN (COSTS off) SELECT * FROM visits WHERE region IN ('eu', 'us') AND n > 1;
PREPARE by_region(text) AS SELECT count(*), max(n) FROM visits WHERE region = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_region('us');
EXECUTE by_region('eu');
RESET plan_cache_mode;
DROP FOREIGN TABLE visits_mars;
-- The bounds of a partition are its owner's promise: a message that breaks it is seen in the partition, and missed elsewhere.
SELECT tableoid::regclass, region, count(*) FROM visits GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM visits WHERE region = 'eu' AND n = 99;
-- Old days in a local table, new ones in the topic.
CREATE TABLE daily (region text, day date, n int) PARTITION BY RANGE (day);
CREATE TABLE daily_kept PARTITION OF daily FOR VALUES FROM (MINVALUE) TO ('2024-02-01');
INSERT INTO daily SELECT * FROM visits_eu WHERE day < '2024-02-01';
CREATE FOREIGN TABLE daily_new PARTITION OF daily FOR VALUES FROM ('2024-02-01') TO (MAXVALUE)
  SERVER kafka OPTIONS (topic 'visits_eu', start '2');
SELECT tableoid::regclass, * FROM daily ORDER BY day, n;
SET enable_partitionwise_join = on;
SELECT count(*) FROM daily a JOIN daily b USING (day);
RESET enable_partitionwise_join;
INSERT INTO daily VALUES ('eu', '2024-05-01', 5);
\echo :LAST_ERROR_SQLSTATE
DROP TABLE daily, visits;

-- Inheritance: local and foreign children, each with its own order of columns.
CREATE TABLE event (n int, note text);
CREATE TABLE event_kept (note text, n int);
ALTER TABLE event_kept INHERIT event;
INSERT INTO event_kept VALUES ('kept', -1);
CREATE FOREIGN TABLE event_topic (part int OPTIONS (partition 'true'), note text, n int) INHERITS (event)
  SERVER kafka OPTIONS (topic 'numbers');
SELECT tableoid::regclass, n, note FROM event WHERE n < 2 ORDER BY n;
UPDATE event SET note = 'changed';
\echo :LAST_ERROR_SQLSTATE
UPDATE ONLY event SET note = 'changed';
DROP TABLE event CASCADE;

-- Security-barrier views: a function of the reader sees no row that the view hides.
CREATE FUNCTION leak(n int) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS $$
BEGIN
  RAISE WARNING 'saw %', n;
  RETURN true;
END $$;
CREATE VIEW seldom WITH (security_barrier) AS SELECT * FROM numbers WHERE part = 1 AND n % 40 = 0;
SELECT n FROM seldom WHERE leak(n) AND offs < 50;
EXPLAIN (COSTS off) SELECT n FROM seldom WHERE leak(n) AND offs < 50;
ALTER FOREIGN TABLE numbers ENABLE ROW LEVEL SECURITY;
\echo :LAST_ERROR_SQLSTATE
DROP VIEW seldom;
DROP FUNCTION leak;

-- Common table expressions: read once where materialized, else as often as they are used; the same rows in each.
WITH tail AS MATERIALIZED (SELECT * FROM numbers WHERE offs >= 98)
  SELECT count(*), count(DISTINCT b.n) FROM tail a JOIN tail b USING (part);
WITH tail AS NOT MATERIALIZED (SELECT * FROM numbers WHERE offs >= 98)
  SELECT count(*), count(DISTINCT b.n) FROM tail a JOIN tail b USING (part) WHERE a.part < 2;
SELECT part, count(*) FROM (SELECT * FROM numbers WHERE part = 1 UNION ALL SELECT * FROM numbers WHERE part < 2) x GROUP BY 1 ORDER BY 1;

-- Cursors go back where they are told to before; without SCROLL only forward.
BEGIN;
DECLARE back SCROLL CURSOR FOR SELECT n FROM numbers WHERE part = 2 ORDER BY offs;
FETCH 2 FROM back;
FETCH BACKWARD 1 FROM back;
FETCH LAST FROM back;
FETCH ABSOLUTE 3 FROM back;
DECLARE forth NO SCROLL CURSOR FOR SELECT n FROM numbers WHERE part = 2 ORDER BY offs;
MOVE 5 IN forth;
FETCH 1 FROM forth;
SAVEPOINT before;
FETCH BACKWARD 1 FROM forth;
ROLLBACK TO before;
CLOSE forth;
COMMIT;

-- Loops that end early leave nothing behind: no client in use, no object alive.
SELECT counters();
CREATE FUNCTION first_above(bound int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT n FROM numbers WHERE part = 3 ORDER BY offs LOOP
    IF r.n > bound THEN RETURN r.n; END IF;
  END LOOP;
  RETURN NULL;
END $$;
SELECT first_above(310), first_above(1000);
DO $$
DECLARE
  r record;
  seen int := 0;
BEGIN
  FOR r IN SELECT n FROM numbers LOOP
    seen := seen + 1;
    EXIT WHEN seen = 3;
  END LOOP;
  BEGIN
    FOR r IN SELECT n FROM numbers LOOP
      RAISE EXCEPTION 'enough';
    END LOOP;
  EXCEPTION WHEN raise_exception THEN
    RAISE WARNING 'after %: %', seen, SQLERRM;
  END;
END $$;
SELECT counters();

-- Prepared statements follow changes of the table's options.
PREPARE whole AS SELECT count(*) FROM numbers;
PREPARE columns AS SELECT * FROM numbers WHERE part = 0 AND offs = 0;
SET plan_cache_mode = force_generic_plan;
EXECUTE whole;
EXECUTE columns;
ALTER FOREIGN TABLE numbers OPTIONS (SET topic 'visits_eu');
ALTER FOREIGN TABLE numbers ALTER n OPTIONS (ADD field 'day');
EXECUTE whole;
EXECUTE columns;
ALTER FOREIGN TABLE numbers OPTIONS (SET topic 'numbers');
ALTER FOREIGN TABLE numbers ALTER n OPTIONS (DROP field);
EXECUTE whole;
EXECUTE columns;
RESET plan_cache_mode;
ALTER FOREIGN TABLE numbers ADD more text;
EXECUTE columns;
ALTER FOREIGN TABLE numbers DROP more;

-- A function in SQL is a view with parameters: its conditions are pushed down.
CREATE FUNCTION numbers_from(part int, first bigint) RETURNS SETOF numbers LANGUAGE sql STABLE
  AS 'SELECT * FROM numbers WHERE numbers.part = $1 AND offs >= first';
EXPLAIN (COSTS off) SELECT n FROM numbers_from(2, 97) WHERE n % 2 = 0;
SELECT n FROM numbers_from(2, 97) WHERE n % 2 = 0;
DROP FUNCTION numbers_from;

-- Statements that change local tables.
CREATE TABLE kept (n int PRIMARY KEY, seen int DEFAULT 0);
INSERT INTO kept SELECT n FROM numbers WHERE part = 0 AND offs < 5;
INSERT INTO kept AS k SELECT n FROM numbers WHERE part = 0 AND offs < 7 ON CONFLICT (n) DO UPDATE SET seen = k.seen + 1;
UPDATE kept SET seen = 10 + numbers.offs FROM numbers WHERE numbers.n = kept.n AND numbers.part = 0 AND offs > 4;
DELETE FROM kept USING numbers WHERE numbers.n = kept.n AND numbers.offs = 1;
MERGE INTO kept USING (SELECT * FROM numbers WHERE part = 0 AND offs BETWEEN 2 AND 8) s ON s.n = kept.n
  WHEN MATCHED AND s.offs = 2 THEN DELETE
  WHEN MATCHED THEN UPDATE SET seen = -kept.seen
  WHEN NOT MATCHED THEN INSERT VALUES (s.n, 100);
SELECT * FROM kept ORDER BY n;
CREATE MATERIALIZED VIEW totals AS SELECT part, count(*), sum(n) FROM numbers GROUP BY part;
CREATE UNIQUE INDEX ON totals (part);
REFRESH MATERIALIZED VIEW CONCURRENTLY totals;
SELECT * FROM totals ORDER BY part;
DROP MATERIALIZED VIEW totals;
SELECT kept.n, offs FROM kept JOIN numbers USING (n) WHERE part = 0 ORDER BY n LIMIT 2 FOR UPDATE OF kept;
DROP TABLE kept;

-- A sample of a topic is a condition on its offsets.
SELECT * FROM numbers TABLESAMPLE SYSTEM (10);
\echo :LAST_ERROR_SQLSTATE

DEALLOCATE ALL;
DROP FUNCTION counters, first_above;
DROP SERVER kafka, nobody CASCADE;
