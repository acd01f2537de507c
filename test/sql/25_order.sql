-- Rows in an order that the scan gives by itself: nothing is sorted, and LIMIT reads no more than it needs.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
-- What a query reads, as EXPLAIN ANALYZE counts it, and whether PostgreSQL sorts.
CREATE FUNCTION reads(query text)
  RETURNS TABLE ("order" text, sorts boolean, offsets text, messages int, decoded int, rows int) AS $$
DECLARE
  plan jsonb;
  scan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  scan := jsonb_path_query_first(plan, '$.**?(@."Node Type" == "Foreign Scan")');
  RETURN QUERY SELECT scan->>'Order', plan @? '$.**?(@."Node Type" like_regex "Sort")', scan->>'Offsets',
    (scan->>'Messages')::int, (scan->>'Decoded')::int, (scan->>'Actual Rows')::numeric::int;
END $$ LANGUAGE plpgsql;
-- Whether a query gives all rows of `numbers` once, in the order of the window.
CREATE FUNCTION rows_in_order(query text) RETURNS TABLE (rows bigint, distinct_rows bigint, in_order boolean) AS $$
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT count(*), count(DISTINCT (part, offs)), bool_and(place = expected) FROM
       (SELECT part, offs, row_number() OVER () AS place FROM (%s) given) numbered
     JOIN (SELECT part, offs, row_number() OVER (ORDER BY %s) AS expected FROM copied) sorted USING (part, offs)',
    query, substring(query FROM 'ORDER BY (.*)$'));
END $$ LANGUAGE plpgsql;
CREATE TABLE copied AS SELECT * FROM numbers;

-- One partition: by offset, forwards and backwards. An equality leaves nothing of `part` to sort by.
EXPLAIN (COSTS off) SELECT * FROM numbers WHERE part = 2 ORDER BY offs DESC LIMIT 3;
SELECT * FROM numbers WHERE part = 2 ORDER BY offs DESC LIMIT 3;
SELECT * FROM numbers WHERE part = 2 ORDER BY offs LIMIT 3;
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 2 ORDER BY offs DESC LIMIT 3');
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 2 ORDER BY offs LIMIT 3');
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 2 ORDER BY part DESC, offs DESC NULLS LAST LIMIT 3');
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 2 AND offs < 50 ORDER BY offs DESC LIMIT 3 OFFSET 5');
PREPARE tail(int) AS SELECT * FROM numbers WHERE part = $1 ORDER BY offs DESC LIMIT 2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS off) EXECUTE tail(3);
EXECUTE tail(3);
EXECUTE tail(0);
RESET plan_cache_mode;

-- All partitions, one after the other, in all four directions.
EXPLAIN (COSTS off) SELECT * FROM numbers ORDER BY part, offs;
EXPLAIN (COSTS off) SELECT * FROM numbers ORDER BY part DESC, offs DESC;
SELECT * FROM rows_in_order('SELECT part, offs FROM numbers ORDER BY part, offs');
SELECT * FROM rows_in_order('SELECT part, offs FROM numbers ORDER BY part, offs DESC');
SELECT * FROM rows_in_order('SELECT part, offs FROM numbers ORDER BY part DESC, offs');
SELECT * FROM rows_in_order('SELECT part, offs FROM numbers ORDER BY part DESC, offs DESC');
SELECT * FROM reads('SELECT * FROM numbers ORDER BY part DESC, offs LIMIT 4');
SELECT * FROM reads('SELECT part FROM numbers ORDER BY part LIMIT 4');

-- All partitions together: by offset, and by partition where offsets are equal.
EXPLAIN (COSTS off) SELECT * FROM numbers ORDER BY offs DESC LIMIT 5;
SELECT * FROM reads('SELECT * FROM numbers ORDER BY offs DESC LIMIT 5');
SELECT offs FROM numbers ORDER BY offs DESC LIMIT 5;
SELECT * FROM rows_in_order('SELECT part, offs FROM numbers ORDER BY offs, part');
SELECT * FROM rows_in_order('SELECT part, offs FROM numbers ORDER BY offs DESC, part');
SELECT * FROM rows_in_order('SELECT part, offs FROM numbers ORDER BY offs, part DESC');
SELECT * FROM rows_in_order('SELECT part, offs FROM numbers ORDER BY offs DESC, part DESC');
-- Ranges with gaps between them, and a filter that is no condition on offsets.
SELECT part, offs FROM numbers WHERE part IN (1, 3) AND (offs IN (2, 3, 50) OR offs >= 98) ORDER BY offs DESC, part;
SELECT * FROM reads('SELECT * FROM numbers WHERE part = 1 AND n % 50 = 7 ORDER BY offs DESC LIMIT 1');
SELECT * FROM reads('SELECT * FROM numbers WHERE n < 0 ORDER BY offs DESC LIMIT 1');

-- The first and the last offset: one message of each partition, and nothing is decoded.
SELECT * FROM reads('SELECT max(offs) FROM numbers WHERE part = 1');
SELECT * FROM reads('SELECT max(offs) FROM numbers');
SELECT min(offs), max(offs), min(part), max(part) FROM numbers;
SELECT min(offs), max(offs), max(part) FROM numbers WHERE part BETWEEN 1 AND 2 AND offs BETWEEN 10 AND 20;
SELECT max(offs) FROM numbers WHERE part = 17;
SELECT * FROM reads('SELECT count(*) FROM numbers');

-- What is sorted after the order of the scan is sorted within it; another order needs a Sort.
SELECT * FROM reads('SELECT * FROM numbers ORDER BY n LIMIT 1');
SELECT part, offs, n FROM numbers ORDER BY offs DESC, n DESC LIMIT 3;
SELECT part, offs, n FROM numbers ORDER BY part, n DESC LIMIT 2;

-- Cursors, rescans with other bounds, and joins see the same order.
BEGIN;
DECLARE backwards CURSOR FOR SELECT part, offs FROM numbers WHERE part = 0 ORDER BY offs DESC;
FETCH 2 FROM backwards;
MOVE 95 IN backwards;
FETCH ALL FROM backwards;
COMMIT;
SELECT p, last.* FROM generate_series(-1, 4) p
  CROSS JOIN LATERAL (SELECT offs, n FROM numbers WHERE part = p ORDER BY offs DESC LIMIT 2) last;
SELECT p, (SELECT max(offs) FROM numbers WHERE part = 1 AND offs < p * 20) FROM generate_series(0, 3) p;

-- A partition tree of topics is merged in order.
CREATE TABLE tree (part int, offs bigint, n int) PARTITION BY RANGE (n);
CREATE FOREIGN TABLE tree_1 (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
CREATE FOREIGN TABLE tree_2 (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');
ALTER TABLE tree ATTACH PARTITION tree_1 FOR VALUES FROM (0) TO (1000);
ALTER TABLE tree ATTACH PARTITION tree_2 FOR VALUES FROM (1000) TO (2000);
EXPLAIN (COSTS off) SELECT offs FROM tree ORDER BY offs DESC LIMIT 9;
SELECT offs FROM tree ORDER BY offs DESC LIMIT 9;

DROP TABLE tree, copied;
DROP FUNCTION reads, rows_in_order;
DROP SERVER kafka CASCADE;
