-- Dead letters: what is kept of messages that a consumer could not take, and how they are tried again. No worker runs.
\getenv bootstrap KAFKA_BOOTSTRAP
SET client_min_messages = warning;
SELECT kafka_add_broker(:'bootstrap'), setval('pipeline_kafka_consumers_id_seq', 2900, false);
CREATE SCHEMA dead_letters_test;
RESET client_min_messages;
SET search_path = dead_letters_test, public;

CREATE TABLE s (id int, amount int CHECK (amount < 15), kafka_offset bigint);
SELECT kafka_consume_begin('s', 'mixed', 0, 'json', on_error => 'dead_letter') AS id \gset
SELECT kafka_consume_once('s', 'mixed');
TABLE s;
SELECT message_offset, left(encode(value, 'escape'), 50) AS value, sqlstate, error, column_name
  FROM pipeline_kafka_errors WHERE consumer_id = :id ORDER BY message_offset;
SELECT kafka_consume_position('s', 'mixed');
SELECT messages, rows, tombstones, rejected FROM kafka_stat_consumers WHERE id = :id;

-- no worker was stopped by one of them
SELECT kafka_consume_skip('s', 'mixed');

-- the stream now takes what it did not, and refuses for other reasons
ALTER TABLE s ALTER id TYPE text, DROP CONSTRAINT s_amount_check;
SELECT kafka_consume_retry('s', 'mixed', ARRAY(
  SELECT e.id FROM pipeline_kafka_errors e WHERE consumer_id = :id AND position('"two"'::bytea IN value) > 0));
ALTER TABLE s ADD CHECK (id <> '7');
BEGIN;
SELECT kafka_consume_retry('s', 'mixed');
ROLLBACK;
SELECT count(*) FROM s;
SELECT kafka_consume_retry('s', 'mixed');
SELECT kafka_consume_retry('s', 'mixed');
SELECT * FROM s ORDER BY kafka_offset;
SELECT message_offset, left(encode(value, 'escape'), 50) AS value, sqlstate, error, column_name
  FROM pipeline_kafka_errors WHERE consumer_id = :id ORDER BY message_offset;

-- positions and counters are those of the consumer
SELECT kafka_consume_position('s', 'mixed');
SELECT messages, rows, tombstones, rejected FROM kafka_stat_consumers WHERE id = :id;

-- with an envelope, what comes late could undo what came later
UPDATE pipeline_kafka_consumers SET envelope = 'upsert' WHERE id = :id;
SELECT kafka_consume_retry('s', 'mixed');
UPDATE pipeline_kafka_consumers SET envelope = 'none' WHERE id = :id;

BEGIN READ ONLY;
SELECT kafka_consume_retry('s', 'mixed');
ROLLBACK;

-- within a batch of its own
CREATE FUNCTION retry() RETURNS trigger LANGUAGE plpgsql SET search_path = dead_letters_test, public
  AS $$BEGIN PERFORM kafka_consume_retry('s', 'mixed'); RETURN NEW; END$$;
CREATE TRIGGER retry BEFORE INSERT ON s FOR EACH ROW EXECUTE FUNCTION retry();
SELECT kafka_consume_retry('s', 'mixed');

SELECT kafka_consume_drop('s', 'mixed');
SELECT count(*) FROM pipeline_kafka_errors WHERE consumer_id = :id;
SET client_min_messages = warning;
DROP SCHEMA dead_letters_test CASCADE;
