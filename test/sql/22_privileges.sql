-- Who may begin, change and see consumers.
\getenv bootstrap KAFKA_BOOTSTRAP
SET client_min_messages = warning;
SELECT kafka_add_broker(:'bootstrap'), setval('pipeline_kafka_consumers_id_seq', 2200, false);
CREATE ROLE kafka_alice LOGIN;
CREATE ROLE kafka_bob LOGIN;
CREATE ROLE kafka_team NOLOGIN;
CREATE ROLE kafka_monitor IN ROLE pg_monitor;
GRANT kafka_alice TO kafka_team;
CREATE SCHEMA privileges_test;
GRANT USAGE, CREATE ON SCHEMA privileges_test TO PUBLIC;
RESET client_min_messages;
SET search_path = privileges_test, public;
CREATE TABLE foreign_stream (n int, secret int);

-- a stream of another's
SET ROLE kafka_alice;
CREATE TABLE n (n int);
SELECT kafka_consume_begin('n', 'numbers', 0, 'json');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER pipeline_kafka TO kafka_alice;
SET ROLE kafka_alice;
SELECT kafka_consume_begin('foreign_stream', 'numbers', 0, 'json');
RESET ROLE;
GRANT INSERT (n) ON foreign_stream TO kafka_alice;
SET ROLE kafka_alice;
SELECT kafka_consume_begin('foreign_stream', 'numbers', 0, 'json');
SELECT kafka_consume_begin('foreign_stream', 'numbers', 0, 'json', columns => '{n}') > 0;
SELECT kafka_consume_begin('n', 'numbers', 0, 'json') > 0;

-- the source belongs to the owner, who may do nothing with the tables of state
SELECT relowner::regrole FROM pg_class WHERE oid IN (SELECT source FROM pipeline_kafka_consumers);
UPDATE pipeline_kafka_consumers SET enabled = false;
DELETE FROM pipeline_kafka_offsets;
SELECT kafka_add_broker('evil.example.org');

-- operators of the caller's do not run with the rights of the extension's owner
CREATE FUNCTION hijack(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS
  $$BEGIN RAISE EXCEPTION 'ran as %', current_user; END$$;
CREATE OPERATOR = (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = hijack);
SET search_path = privileges_test, public, pg_catalog;
SELECT kafka_consume_position('n', 'numbers');
SELECT kafka_consume_begin('n', 'numbers', batch_size => 7) > 0;
SELECT kafka_consume_end('n', 'numbers'), kafka_consume_begin('n', 'numbers') > 0;
SET search_path = privileges_test, public;

-- others neither see nor change it
SET ROLE kafka_bob;
SELECT kafka_consume_begin('n', 'numbers');
SELECT kafka_consume_end('n', 'numbers');
SELECT kafka_consume_drop('n', 'numbers');
SELECT kafka_consume_seek('n', 'numbers', 'latest');
SELECT kafka_consume_once('n', 'numbers');
SELECT kafka_consume_skip('n', 'numbers');
SELECT kafka_consume_retry('n', 'numbers');
SELECT kafka_consume_position('n', 'numbers');
SELECT kafka_consume_wait('n', 'numbers', '0');
SELECT kafka_consume_end(), kafka_consume_begin();
SELECT count(*) FROM kafka_stat_consumers;
SELECT count(*) FROM pipeline_kafka_consumers;

-- members of the owner do both, and it keeps its owner
SET ROLE kafka_team;
SELECT count(*) FROM kafka_stat_consumers;
SELECT kafka_consume_end(), kafka_consume_begin();
SELECT kafka_consume_begin('n', 'numbers', batch_size => 8) > 0;
SELECT DISTINCT owner FROM pipeline_kafka_consumers;

-- monitoring sees all, and changes nothing
SET ROLE kafka_monitor;
SELECT stream, topic, state FROM kafka_stat_consumers ORDER BY stream::text;
SELECT kafka_consume_position('n', 'numbers');
SELECT kafka_consume_end('n', 'numbers');
RESET ROLE;

-- the workers are sessions of the owner, who must be able to log in before PostgreSQL 17
SET ROLE kafka_team;
SELECT kafka_consume_begin('foreign_stream', 'empty', 0, columns => '{n}') > 0 AS without_workers;
SELECT kafka_consume_drop('foreign_stream', 'empty');
SET client_min_messages = error;  -- of a begin that is right: nothing preloads the extension
DO $$
BEGIN
  PERFORM kafka_consume_begin('foreign_stream', 'empty', columns => '{n}');
  RAISE EXCEPTION USING errcode = CASE WHEN current_setting('server_version_num')::int < 170000 THEN 'P0001' ELSE '28000' END;
EXCEPTION WHEN SQLSTATE '28000' THEN
  NULL;
END $$;
RESET client_min_messages;
RESET ROLE;

SELECT kafka_consume_drop('n', 'numbers'), kafka_consume_drop('foreign_stream', 'numbers');
SELECT count(*) FROM pg_foreign_table WHERE 'topic=numbers' = ANY (ftoptions);
SET client_min_messages = warning;
DROP SCHEMA privileges_test CASCADE;
DROP OWNED BY kafka_alice;
DROP ROLE kafka_alice, kafka_bob, kafka_team, kafka_monitor;
