-- What a consumer's statement can be. Taken by kafka_consume_once: no worker runs.
\getenv bootstrap KAFKA_BOOTSTRAP
SET client_min_messages = warning;
SELECT kafka_add_broker(:'bootstrap'), setval('pipeline_kafka_consumers_id_seq', 2300, false);
CREATE SCHEMA statement_test;
RESET client_min_messages;
SET search_path = statement_test, public;
CREATE FOREIGN TABLE numbers (n int, part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'))
    SERVER pipeline_kafka OPTIONS (topic 'numbers');
CREATE TABLE sums (part int PRIMARY KEY, messages bigint, total bigint);

-- a continuous aggregate: batch after batch, it equals the query over the log
SELECT kafka_consume_begin('sums', 'numbers', 0, statement => $$
    INSERT INTO sums SELECT part, count(*), sum(n) FROM numbers GROUP BY part
    ON CONFLICT (part) DO UPDATE SET messages = sums.messages + excluded.messages, total = sums.total + excluded.total $$);
SELECT kafka_consume_once('sums', 'numbers', 150);
SELECT kafka_consume_once('sums', 'numbers', 1000) + 150 = (SELECT count(*) FROM numbers) AS all_taken;
SELECT kafka_consume_once('sums', 'numbers');
SELECT * FROM sums
EXCEPT SELECT part, count(*), sum(n) FROM numbers GROUP BY part;

-- several scans of the batch in one statement, and several targets
CREATE TABLE small (n int);
CREATE TABLE large (n int);
SELECT kafka_consume_begin('small', 'numbers', 0, statement => $$
    WITH l AS (INSERT INTO large SELECT n FROM numbers WHERE n >= 100)
    INSERT INTO small SELECT n FROM numbers WHERE n < 50 $$);
SELECT kafka_consume_once('small', 'numbers', 1000);
SELECT count(*) > 0 AS some, max(n) < 50 AS small_ones FROM small;
SELECT count(*) > 0 AS some, min(n) >= 100 AS large_ones FROM large;

-- a procedure, which reads the batch when it runs; what it reads cannot be known before
CREATE TABLE called (n int);
CREATE PROCEDURE take() LANGUAGE sql SET search_path = statement_test, public
    BEGIN ATOMIC INSERT INTO called SELECT n FROM numbers; END;
SELECT kafka_consume_begin('called', 'numbers', 0, statement => 'CALL take()');
SELECT kafka_consume_once('called', 'numbers', 7);
SELECT count(*) FROM called;
CREATE OR REPLACE PROCEDURE take() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
SELECT kafka_consume_once('called', 'numbers', 7);

-- offsets never move past messages that nothing looked at
CREATE OR REPLACE PROCEDURE take() LANGUAGE plpgsql AS $$ BEGIN END $$;
SELECT kafka_consume_once('called', 'numbers', 7);
SELECT sum(p.value::bigint) AS taken FROM jsonb_each_text(kafka_consume_position('called', 'numbers')) AS p;

-- a side of a join that the executor need not read has been looked at
CREATE TABLE people (n int);
CREATE TABLE joined (n int);
SELECT kafka_consume_begin('joined', 'numbers', 0,
    statement => 'INSERT INTO joined SELECT n FROM people JOIN numbers USING (n)');
SELECT kafka_consume_once('joined', 'numbers', 5);

-- a cursor that is left open ends with the batch
CREATE TABLE kept (n int);
CREATE FUNCTION keep() RETURNS int LANGUAGE plpgsql SET search_path = statement_test, public AS $$
DECLARE c refcursor := 'leftopen'; first int;
BEGIN OPEN c FOR SELECT n FROM numbers; FETCH c INTO first; RETURN first; END $$;
SELECT kafka_consume_begin('kept', 'numbers', 0,
    statement => 'INSERT INTO kept SELECT keep() FROM numbers LIMIT 1');
BEGIN;
SELECT kafka_consume_once('kept', 'numbers', 5);
FETCH 3 FROM leftopen;
ROLLBACK;

-- beside a consumer, a query of the same table reads the topic
SELECT count(*) = (SELECT count(*) FROM numbers) AS whole FROM numbers;

SELECT kafka_consume_drop(stream::text, topic) IS NOT NULL AS dropped
FROM pipeline_kafka_consumers WHERE id BETWEEN 2300 AND 2399 ORDER BY id;
SET client_min_messages = warning;
DROP SCHEMA statement_test CASCADE;
