-- End, drop, seek, position, skip, retry and wait; the status views. No worker runs.
\getenv bootstrap KAFKA_BOOTSTRAP
SET client_min_messages = warning;
SELECT kafka_add_broker(:'bootstrap'), setval('pipeline_kafka_consumers_id_seq', 2100, false);
CREATE SCHEMA control_test;
RESET client_min_messages;
SET search_path = control_test, public;
CREATE TABLE n (n int, kafka_partition int, kafka_offset bigint);

-- what does not exist
SELECT kafka_consume_end('nowhere', 'numbers');
SELECT kafka_consume_end('n', 'numbers');
SELECT kafka_consume_end('n', NULL);
SELECT kafka_consume_drop('nowhere', 'numbers');
SELECT kafka_consume_drop('n', 'numbers');
SELECT kafka_consume_seek('n', 'numbers', 'latest');
SELECT kafka_consume_position('n', 'numbers');
SELECT kafka_consume_wait('n', 'numbers');
SELECT kafka_consume_once('n', 'numbers');
SELECT kafka_consume_skip('nowhere', 'numbers');
SELECT kafka_consume_skip('n', 'numbers');
SELECT kafka_consume_retry('nowhere', 'numbers');
SELECT kafka_consume_retry('n', 'numbers');
SELECT kafka_consume_retry('n', NULL);
SELECT kafka_consume_end();

SELECT kafka_consume_begin('n', 'numbers', 0, 'json') AS id \gset
SELECT kafka_consume_once('n', 'numbers');
SELECT count(*), sum(n) FROM n;

-- seek: the positions it had; only partitions that are named move; every row as often as it was sought
SELECT kafka_consume_seek('n', 'numbers', '{"1": 90, "3": "-5"}');
SELECT kafka_consume_position('n', 'numbers');
SELECT kafka_consume_once('n', 'numbers');
SELECT kafka_partition, count(*), count(DISTINCT kafka_offset) FROM n GROUP BY 1 ORDER BY 1;
SELECT kafka_consume_seek('n', 'numbers', 'earliest');
SELECT kafka_consume_seek('n', 'numbers', '2024-01-01 00:01:00+00');
SELECT kafka_consume_seek('n', 'numbers', 'latest');
SELECT kafka_consume_seek('n', 'numbers', '-7');
SELECT kafka_consume_position('n', 'numbers');
SELECT kafka_consume_seek('n', 'numbers', '101');
SELECT kafka_consume_seek('n', 'numbers', '{"4": 0}');
SELECT kafka_consume_seek('n', 'numbers', 'stored');
SELECT kafka_consume_seek('n', 'numbers', 'there');
BEGIN;
SELECT kafka_consume_seek('n', 'numbers', 'earliest');
ROLLBACK;
SELECT kafka_consume_position('n', 'numbers');

-- position is in the statement's snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kafka_consume_position('n', 'numbers');
\setenv PGDATABASE :DBNAME
\! psql -X -q -At -c "SET search_path = control_test, public; SELECT kafka_consume_seek('n', 'numbers', '50')"
SELECT kafka_consume_position('n', 'numbers');
COMMIT;
SELECT kafka_consume_position('n', 'numbers');

-- wait
SELECT kafka_consume_wait('n', 'numbers', '100 ms');
SELECT kafka_consume_wait('n', 'numbers', '0', '50');
SELECT kafka_consume_wait('n', 'numbers', '100 ms', '{"2": 51}');
SELECT kafka_consume_once('n', 'numbers', 1000);
SELECT kafka_consume_wait('n', 'numbers');
SET statement_timeout = '200 ms';
SELECT kafka_consume_wait('n', 'numbers', '1 min', '1000');
RESET statement_timeout;
CREATE TABLE e (line text);
SELECT kafka_consume_begin('e', 'empty', 0) > 0;
SELECT kafka_consume_wait('e', 'empty', '0');
BEGIN;
SELECT kafka_consume_end('e', 'empty');
SELECT kafka_consume_wait('e', 'empty');
ROLLBACK;

-- end
SELECT kafka_consume_end('n', 'numbers'), kafka_consume_end('n', 'numbers');
SELECT state, workers, messages, rows, tombstones, rejected FROM kafka_stat_consumers WHERE id = :id;
SELECT kafka_consume_wait('n', 'numbers');
SELECT epoch, enabled FROM pipeline_kafka_consumers WHERE id = :id;
-- what was ended stays ended when it is sought
SELECT kafka_consume_seek('n', 'numbers', '10') IS NOT NULL;
SELECT epoch, enabled FROM pipeline_kafka_consumers WHERE id = :id;
BEGIN;
SELECT kafka_consume_begin('n', 'numbers') = :id;
ROLLBACK;
SELECT enabled FROM pipeline_kafka_consumers WHERE id = :id;
SELECT kafka_consume_begin('n', 'numbers') = :id;

-- what an error stopped goes on when it is sought or begun, and not when it was ended after that
CREATE FUNCTION stopped_by_an_error(bigint) RETURNS void LANGUAGE sql AS $$
  UPDATE pipeline_kafka_consumers SET enabled = false WHERE id = $1;
  INSERT INTO pipeline_kafka_workers (consumer_id, slot, state, last_error, last_error_at, error_sqlstate, error_offset)
    VALUES ($1, 0, 'error', 'bad luck', now(), '22P02', 7)
    ON CONFLICT (consumer_id, slot) DO UPDATE SET state = 'error' $$;
SELECT stopped_by_an_error(:id);
SELECT state, last_error, error_sqlstate, error_offset FROM kafka_stat_consumers WHERE id = :id;
SELECT kafka_consume_wait('n', 'numbers');
SELECT kafka_consume_seek('n', 'numbers', '11') IS NOT NULL;
SELECT state FROM kafka_stat_consumers WHERE id = :id;
SELECT stopped_by_an_error(:id);
SELECT kafka_consume_begin('n', 'numbers') = :id;
SELECT state FROM kafka_stat_consumers WHERE id = :id;
SELECT stopped_by_an_error(:id);
SELECT kafka_consume_end('n', 'numbers');
SELECT state, last_error FROM kafka_stat_consumers WHERE id = :id;
SELECT kafka_consume_seek('n', 'numbers', '12') IS NOT NULL;
SELECT enabled FROM pipeline_kafka_consumers WHERE id = :id;

-- the server is found by its identity when it is renamed
ALTER SERVER pipeline_kafka RENAME TO other_kafka;
SELECT kafka_consume_seek('n', 'numbers', '12') IS NOT NULL;
SELECT kafka_consume_begin('n', 'numbers', batch_size => 9) IS NOT NULL;
SELECT server FROM pipeline_kafka_consumers WHERE id = :id;
ALTER SERVER other_kafka RENAME TO pipeline_kafka;

-- the stream is found by its identity when it is renamed, and by its stored name when it was dropped
ALTER TABLE n RENAME TO m;
SELECT kafka_consume_position('m', 'numbers');
SELECT kafka_consume_begin('m', 'numbers') = :id;
SELECT stream, stream_name FROM pipeline_kafka_consumers WHERE id = :id;
DROP TABLE m;
SELECT kafka_consume_position('m', 'numbers');
SELECT kafka_consume_end('control_test.m', 'numbers');
CREATE TABLE m (n bigint, more text);
SELECT kafka_consume_begin('m', 'numbers') = :id;
SELECT stream FROM pipeline_kafka_consumers WHERE id = :id;
SELECT kafka_consume_once('m', 'numbers');
SELECT min(n), count(*) FROM m;
DROP TABLE m;
SET quote_all_identifiers = on;
SELECT kafka_consume_drop('m', 'numbers');
SELECT kafka_consume_drop('m', 'numbers');
CREATE TABLE m (n bigint);
SELECT kafka_consume_begin('m', 'numbers', 0, 'json') > 0;
SELECT stream_name FROM pipeline_kafka_consumers WHERE stream = 'm'::regclass;
RESET quote_all_identifiers;
DROP TABLE m;
SELECT kafka_consume_drop('m', 'numbers');

-- a copy of the database is not where it was begun
UPDATE pipeline_kafka_consumers SET database_oid = 1;
SELECT state, detail, hint FROM kafka_stat_consumers;
SELECT kafka_consume_begin();
SELECT state, detail FROM kafka_stat_consumers;

-- lag, from what the workers saw last
INSERT INTO pipeline_kafka_offsets (consumer_id, topic, partition, next_offset, messages, rows, last_timestamp)
  SELECT id, 'empty', p, 10 * p, 5, 4, now() - interval '1 hour' FROM pipeline_kafka_consumers, generate_series(0, 1) p;
INSERT INTO pipeline_kafka_workers (consumer_id, slot, state, end_offsets, end_offsets_at)
  SELECT id, 0, 'idle', '{"empty": {"0": 3, "1": 10, "2": 6}}', now() FROM pipeline_kafka_consumers;
SELECT topic, partition, worker_pid, next_offset, end_offset, lag FROM kafka_stat_partitions ORDER BY partition;
SELECT messages, rows, lag, behind >= interval '1 hour' AS behind FROM kafka_stat_consumers;

SELECT kafka_consume_drop('e', 'empty');
SELECT count(*) FROM kafka_stat_partitions;
SELECT (SELECT count(*) FROM pipeline_kafka_offsets), (SELECT count(*) FROM pipeline_kafka_workers);
SET client_min_messages = warning;
DROP SCHEMA control_test CASCADE;
