-- Looking at a server without a foreign table: its topics, the messages in them, and whether all of it can be reached.
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

-- The last messages of a topic. Keys and values are as they are: bytes.
SELECT partition, "offset", "timestamp" AT TIME ZONE 'UTC' AS "timestamp", convert_from(key, 'UTF8') AS key,
       convert_from(value, 'UTF8') AS value, headers
  FROM kafka_messages('clicks', server => 'kafka');
SELECT "offset", convert_from(value, 'UTF8') AS value FROM kafka_messages('lines', server => 'kafka');
SELECT * FROM kafka_messages('empty', server => 'kafka');

-- From several partitions come the newest where start counts from the end, else the oldest; in all at most max_messages.
SELECT partition, "offset", convert_from(value, 'UTF8') AS value FROM kafka_messages('numbers', '-2', server => 'kafka');
SELECT partition, array_agg("offset") FROM kafka_messages('numbers', max_messages => 6, server => 'kafka') GROUP BY 1 ORDER BY 1;
SELECT partition, array_agg("offset") FROM kafka_messages('numbers', 'earliest', server => 'kafka') GROUP BY 1 ORDER BY 1;
SELECT partition, array_agg("offset")
  FROM kafka_messages('numbers', '2024-01-01 00:01:00+00', max_messages => 8, server => 'kafka') GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM kafka_messages('numbers', '-10', max_messages => NULL, server => 'kafka');
SELECT count(*), count(DISTINCT value) FROM kafka_messages('numbers', 'earliest', max_messages => NULL, server => 'kafka');
SELECT count(*) FROM kafka_messages('numbers', max_messages => 0, server => 'kafka');

-- One partition, and any position.
SELECT array_agg("offset") FROM kafka_messages('numbers', partition => 2, server => 'kafka');
SELECT array_agg("offset") FROM kafka_messages('numbers', '42', 3, 4, 'kafka');
SELECT array_agg("offset") FROM kafka_messages('numbers', '98', 3, server => 'kafka');
SELECT array_agg("offset") FROM kafka_messages('numbers', 'latest', 3, server => 'kafka');
SELECT partition, min("offset"), count(*)
  FROM kafka_messages('numbers', '{"0": 97, "1": -1, "2": "latest", "3": "group:nobody"}', max_messages => NULL, server => 'kafka')
 GROUP BY 1 ORDER BY 1;

SELECT * FROM kafka_messages('numbers', partition => 4, server => 'kafka');
SELECT * FROM kafka_messages('numbers', 'yesterday morning', server => 'kafka');
SELECT * FROM kafka_messages('numbers', max_messages => -1, server => 'kafka');
SELECT * FROM kafka_messages('numbrs', server => 'kafka');
SELECT * FROM kafka_messages(NULL, server => 'kafka');
SELECT * FROM kafka_messages('numbers', server => NULL);
SELECT * FROM kafka_messages('numbers', 'stored', server => 'kafka');
REVOKE USAGE ON FOREIGN SERVER kafka FROM stranger;
SET ROLE stranger;
SELECT * FROM kafka_messages('numbers', server => 'kafka');
RESET ROLE;

-- What a scan would do, step by step. A step that fails has a hint; those that then make no sense are not tried.
SELECT replace(step, :'bootstrap', 'HOST:PORT') AS step, ok FROM kafka_check('clicks', 'kafka');
SELECT * FROM kafka_check('clicks', 'kafka') WHERE step IN ('log in', 'topic') ORDER BY step;
SELECT * FROM kafka_check('clickz', 'kafka') WHERE step IN ('topic', 'read') ORDER BY step DESC;
SELECT * FROM kafka_check('empty', 'kafka') WHERE step = 'read';
SELECT * FROM kafka_check(server => 'kafka') WHERE step IN ('topic', 'read');
SELECT * FROM kafka_check();
SELECT * FROM kafka_check('clicks', 'nowhere');
SELECT * FROM kafka_check('clicks', NULL);
SET ROLE stranger;
SELECT * FROM kafka_check('clicks', 'kafka');
RESET ROLE;

DROP SERVER kafka CASCADE;
DROP ROLE stranger;
