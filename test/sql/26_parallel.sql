-- Several processes read one topic: its offsets are dealt out to them, of one partition too.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
CREATE FUNCTION scans(query text) RETURNS SETOF text AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) ' || query LOOP
    IF line ~ 'Gather|Foreign Scan|Launched|Pushed|Ranges|Messages|Append' THEN
      -- Of a loop on average: PostgreSQL 18 shows fractions.
      RETURN NEXT regexp_replace(line, 'actual rows=[0-9.]+', 'actual');
    END IF;
  END LOOP;
END $$ LANGUAGE plpgsql;

-- By default a topic is worth a second process when it is large; here all are.
EXPLAIN (COSTS off) SELECT count(*) FROM numbers;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS off) SELECT sum(n) FROM numbers WHERE part = 1 AND offs >= 10;
SELECT count(*), count(DISTINCT n), sum(n) FROM numbers;
SELECT count(*), count(DISTINCT n), sum(n) FROM numbers WHERE part = 1 AND offs >= 10;
SELECT count(*), count(DISTINCT n), sum(n) FROM numbers WHERE offs % 2 = 0 OR part = 3;
SELECT count(*) FROM (SELECT * FROM numbers LIMIT 150) x;
SELECT count(*) FROM numbers WHERE part = 9;
-- What all of them read together, and each for itself.
SELECT * FROM scans('SELECT sum(n) FROM numbers WHERE part < 2');
CREATE FUNCTION processes(query text) RETURNS TABLE (processes int, messages int, of_processes int) AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  plan := jsonb_path_query_first(plan, '$.**?(@."Node Type" == "Foreign Scan")');
  RETURN QUERY SELECT count(*)::int, (plan->>'Messages')::int, sum((p->>'Messages')::int)::int
    FROM jsonb_array_elements(plan->'Processes') p;
END $$ LANGUAGE plpgsql;
SELECT * FROM processes('SELECT sum(n) FROM numbers');
-- The leader need not take part.
SET parallel_leader_participation = off;
SELECT count(*), sum(n) FROM numbers;
SELECT * FROM processes('SELECT sum(n) FROM numbers');
RESET parallel_leader_participation;
-- No process could be started.
SET max_parallel_workers = 0;
SELECT count(*), sum(n) FROM numbers;
RESET max_parallel_workers;

-- Scanned anew, with other offsets every time.
CREATE TABLE bounds (k int, o bigint);
INSERT INTO bounds VALUES (1, 99), (2, 0), (3, NULL), (4, 50), (5, 100);
SELECT * FROM scans('SELECT k, (SELECT count(*) FROM numbers WHERE offs >= (SELECT max(o) FROM bounds i WHERE i.k = b.k)) FROM bounds b');
SELECT k, (SELECT count(*) FROM numbers WHERE offs >= (SELECT max(o) FROM bounds i WHERE i.k = b.k)) FROM bounds b ORDER BY k;
SELECT k, (SELECT sum(n) FROM numbers WHERE offs = ANY (ARRAY(SELECT g FROM bounds i, generate_series(0, o, 2) g WHERE i.k = b.k)))
  FROM bounds b ORDER BY k;

-- Each process reads what the leader has seen of the topic; a scan that is not shared is the leader's alone.
SELECT count(*) FROM numbers a JOIN numbers b USING (part, offs);
SELECT count(*) FROM numbers a JOIN (SELECT * FROM numbers ORDER BY offs DESC LIMIT 10) b USING (part, offs);

-- Topics as partitions of one table.
CREATE TABLE events (part int, offs bigint, n int) PARTITION BY LIST (part);
CREATE FOREIGN TABLE events_0 (part int OPTIONS (field 'none'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
CREATE FOREIGN TABLE events_1 (part int OPTIONS (field 'none'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'growing');
ALTER TABLE events ATTACH PARTITION events_0 FOR VALUES IN (0);
ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES IN (1);
CREATE TABLE events_other PARTITION OF events DEFAULT;
INSERT INTO events VALUES (7, 0, 7);
EXPLAIN (COSTS off) SELECT count(*) FROM events WHERE offs < 1;
SELECT tableoid::regclass, count(*), sum(n) FROM events WHERE offs < 1 GROUP BY 1 ORDER BY 1;
DROP TABLE events;

DROP FUNCTION scans, processes;
DROP TABLE bounds;
DROP SERVER kafka CASCADE;
