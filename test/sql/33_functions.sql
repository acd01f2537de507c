-- Looking at a server without a foreign table: its topics.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');

-- The topics of a server. Those that the cluster keeps for itself are internal.
SELECT * FROM kafka_topics('kafka') WHERE topic IN ('clicks', 'empty', 'numbers') ORDER BY topic;
SELECT count(*) FROM kafka_topics('kafka') WHERE internal AND topic NOT LIKE '\_\_%';

-- The server is pipeline_kafka where none is named. It must be one of kafka_fdw, and USAGE on it is needed.
SELECT kafka_add_broker(:'bootstrap');
SELECT partitions FROM kafka_topics() WHERE topic = 'clicks';
SELECT kafka_remove_broker(:'bootstrap');
SELECT * FROM kafka_topics();
SELECT * FROM kafka_topics('nowhere');
CREATE FOREIGN DATA WRAPPER another;
CREATE SERVER another FOREIGN DATA WRAPPER another;
SELECT * FROM kafka_topics('another');
DROP FOREIGN DATA WRAPPER another CASCADE;
CREATE ROLE stranger;
SET ROLE stranger;
SELECT * FROM kafka_topics('kafka');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER kafka TO stranger;
SET ROLE stranger;
SELECT partitions FROM kafka_topics('kafka') WHERE topic = 'clicks';
RESET ROLE;

DROP SERVER kafka CASCADE;
DROP ROLE stranger;
