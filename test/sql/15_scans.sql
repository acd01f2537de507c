-- A statement sees the same messages of a table however often it reads them, and no more than it needs.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');

CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');

-- Rescans: a nested loop, a correlated subquery, LATERAL, a self join.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT count(*), sum(b.n) FROM (VALUES (1), (2), (3)) a(x) JOIN numbers b ON b.n % 3 = a.x % 3;
RESET enable_material;
RESET enable_mergejoin;
RESET enable_hashjoin;
SELECT p, (SELECT count(*) FROM numbers WHERE part = p AND offs < p * 10) FROM generate_series(0, 5) p;
SELECT p, n FROM generate_series(0, 4) p,
  LATERAL (SELECT n FROM numbers WHERE part = p AND offs >= 98 - p ORDER BY offs LIMIT 2) x;
SELECT count(*), sum(a.n - b.n) FROM numbers a JOIN numbers b USING (part, offs);
SELECT x, EXISTS (SELECT FROM numbers WHERE n = x) FROM (VALUES (-1), (0), (399), (400)) v(x);
WITH RECURSIVE chain(n) AS (
  SELECT 0 UNION ALL SELECT numbers.n FROM chain, numbers WHERE numbers.part = 0 AND numbers.n = chain.n + 25)
SELECT * FROM chain;

-- What arrives while a statement runs is for the next one.
CREATE FOREIGN TABLE growing (part int OPTIONS (partition 'true'), n int) SERVER kafka OPTIONS (topic 'growing');
SELECT count(*) AS before FROM growing \gset
BEGIN;
DECLARE counts CURSOR FOR
  SELECT (SELECT count(*) FROM growing WHERE part = g * 0) - :before AS more FROM generate_series(1, 2) g;
FETCH 1 FROM counts;
\! echo '{"n": 1}' | kcat -q -P -b $KAFKA_BOOTSTRAP -t growing
FETCH 1 FROM counts;
COMMIT;
SELECT count(*) - :before AS more FROM growing;

-- LIMIT stops the scan: it has read its first batches and no more.
CREATE FUNCTION messages_read(query text) RETURNS int AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  RETURN jsonb_path_query_first(plan, '$.**."Messages"');
END $$ LANGUAGE plpgsql;
SELECT messages_read('SELECT * FROM numbers LIMIT 5') <= 100;
SELECT messages_read('SELECT * FROM numbers');
SELECT count(*) FROM (SELECT * FROM numbers LIMIT 5) x;
SELECT count(*) FROM (SELECT * FROM numbers LIMIT 0) x;

-- A cursor reads forward as it is asked to, and holds where it should.
BEGIN;
DECLARE tail CURSOR WITH HOLD FOR SELECT n FROM numbers WHERE part = 3 AND offs > 96 ORDER BY offs;
FETCH 1 FROM tail;
COMMIT;
FETCH ALL FROM tail;
CLOSE tail;

-- start: where a scan begins whose query gives no lower bound of offsets.
ALTER FOREIGN TABLE numbers OPTIONS (ADD start '-2');
SELECT part, min(offs), count(*) FROM numbers GROUP BY part ORDER BY part;
SELECT count(*) FROM numbers WHERE part = 1;
SELECT count(*) FROM numbers WHERE offs < 99;
SELECT count(*) FROM numbers WHERE offs >= 0;
SELECT part, count(*) FROM numbers WHERE (part = 0 AND offs >= 50) OR part = 1 GROUP BY part ORDER BY part;
ALTER FOREIGN TABLE numbers OPTIONS (SET start '95');
SELECT part, min(offs), count(*) FROM numbers GROUP BY part ORDER BY part;
ALTER FOREIGN TABLE numbers OPTIONS (SET start '2024-01-01 00:01:00+00');
SELECT part, min(offs), count(*) FROM numbers GROUP BY part ORDER BY part;
ALTER FOREIGN TABLE numbers OPTIONS (SET start '{"0": "earliest", "1": 70, "2": -5, "3": "latest"}');
SELECT part, min(offs), count(*) FROM numbers GROUP BY part ORDER BY part;
ALTER FOREIGN TABLE numbers OPTIONS (SET start '1969-07-20');
SELECT count(*) FROM numbers;
ALTER FOREIGN TABLE numbers OPTIONS (SET start 'latest');
SELECT count(*) FROM numbers;
-- Nothing is committed for a consumer group that nobody knows: the earliest. Nor does a consumer read the topic here.
ALTER FOREIGN TABLE numbers OPTIONS (SET start 'group:nobody');
SELECT count(*) FROM numbers;
ALTER FOREIGN TABLE numbers OPTIONS (SET start 'stored');
SELECT count(*) FROM numbers;
\echo :LAST_ERROR_SQLSTATE

-- As the source of other statements.
ALTER FOREIGN TABLE numbers OPTIONS (DROP start);
CREATE TEMP TABLE kept AS SELECT * FROM numbers WHERE part = 2;
SELECT count(*), sum(n) FROM kept;
CREATE VIEW evens AS SELECT * FROM numbers WHERE n % 2 = 0;
SELECT count(*) FROM evens WHERE part = 1;
COPY (SELECT n FROM numbers WHERE part = 1 AND offs < 3 ORDER BY n) TO stdout;
BEGIN;
SELECT n FROM numbers WHERE part = 1 AND offs = 5 FOR UPDATE;
COMMIT;
CREATE TABLE parent (part int, offs bigint, n int);
ALTER FOREIGN TABLE numbers INHERIT parent;
INSERT INTO parent VALUES (9, 9, 9);
SELECT tableoid::regclass, count(*) FROM parent GROUP BY 1 ORDER BY 2;
ALTER FOREIGN TABLE numbers NO INHERIT parent;

DROP TABLE parent;
DROP TABLE kept;
DROP VIEW evens;
DROP FUNCTION messages_read;
DROP SERVER kafka CASCADE;
