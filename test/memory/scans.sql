SELECT sum(n), sum(twice) FROM numbers;

SELECT * FROM orders;

SELECT * FROM people_text;

SELECT * FROM people_csv;

SELECT * FROM people_latin1;

SELECT * FROM bytes;

SELECT price FROM prices;

SELECT * FROM mixed_junk;

SELECT * FROM mixed_text;

SELECT * FROM no_text;

SELECT * FROM mixed;

SELECT 1 / (n - 150) FROM numbers WHERE part = 1;

SELECT * FROM misspelt;

SET statement_timeout = '3s';

SELECT * FROM unreachable;

RESET statement_timeout;

SET kafka_fdw.connect_timeout = '2s';

SELECT * FROM unreachable;

RESET kafka_fdw.connect_timeout;

DO $$
DECLARE
  r record;
BEGIN
  FOR i IN 1 .. 5 LOOP
    BEGIN
      PERFORM * FROM mixed;
    EXCEPTION WHEN OTHERS THEN
    END;
    FOR r IN SELECT n FROM numbers LOOP
      EXIT WHEN r.n > 2;
    END LOOP;
  END LOOP;
END $$;

SELECT count(*) FROM numbers WHERE part = 1 AND offs BETWEEN 10 AND 20 OR offs IN (50, 51, 99) OR ts < '2024-01-01 00:00:05+00';

SELECT n FROM numbers ORDER BY offs DESC LIMIT 5;

SELECT n FROM numbers ORDER BY part DESC, offs LIMIT 120;

SELECT max(offs), min(offs) FROM numbers;

SELECT n FROM numbers LIMIT 3;

SET enable_hashjoin = off;

SET enable_mergejoin = off;

SET enable_material = off;

SELECT count(*) FROM local JOIN numbers k ON k.part = local.n / 100 AND k.offs = local.n % 100;

SELECT count(*) FROM generate_series(0, 5) g, LATERAL (SELECT * FROM numbers WHERE part = g % 4 AND offs >= g * 10 OFFSET 0) x;

RESET ALL;

SELECT p, (SELECT count(*) FROM numbers WHERE part = p AND offs < p * 10) FROM generate_series(0, 5) p;

SELECT count(*) FROM numbers a JOIN numbers b USING (part, offs);

SELECT count(*) FROM recent;

PREPARE of_part(int) AS SELECT count(*) FROM numbers WHERE part = $1;

SET plan_cache_mode = force_generic_plan;

EXECUTE of_part(1);

EXECUTE of_part(NULL);

BEGIN;

DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT n, twice FROM numbers;

FETCH 3 FROM c;

SAVEPOINT s;

DECLARE d CURSOR FOR SELECT n FROM numbers;

FETCH 200 FROM d;

ROLLBACK TO s;

COMMIT;

FETCH LAST FROM c;

CLOSE c;

EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM orders WHERE id > 1;

ANALYZE numbers;

SELECT * FROM kafka_get_watermarks('numbers');

SELECT count(*) FROM kafka_messages('numbers', '-5', server => 'kafka');

SELECT count(*) FROM kafka_topics('kafka');

SELECT kafka_consume_begin('stream', 'numbers', parallelism => 0, format => 'json', server => 'kafka');

SELECT kafka_consume_once('stream', 'numbers', 150);

SELECT kafka_consume_once('stream', 'numbers');

SELECT kafka_consume_begin('stream', 'mixed', parallelism => 0, format => 'json', server => 'kafka');

SELECT kafka_consume_once('stream', 'mixed');

SELECT kafka_consume_drop('stream', 'mixed');

ALTER SERVER kafka OPTIONS (ADD "client.id" 'another');

SELECT count(*) FROM numbers;

SELECT counters() AS left;

