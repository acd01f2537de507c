-- kafka_consume_begin: what it stores, makes and refuses. No worker runs: parallelism is 0, kafka_consume_once takes the messages.
\getenv bootstrap KAFKA_BOOTSTRAP
SET client_min_messages = warning;
SELECT kafka_add_broker(:'bootstrap'), setval('pipeline_kafka_consumers_id_seq', 2000, false);
RESET client_min_messages;

CREATE SCHEMA begin_test;
SET search_path = begin_test, public;

-- names and arguments
CREATE TABLE people (id int, name text, born date, note text);
SELECT kafka_consume_begin(NULL, 'people_text');
SELECT kafka_consume_begin('people', NULL);
SELECT kafka_consume_begin('nowhere', 'people_text');
SELECT kafka_consume_begin('people_text', 'people');
CREATE SEQUENCE numbers_made;
SELECT kafka_consume_begin('numbers_made', 'people_text');
CREATE TEMP TABLE short_lived (a int);
SELECT kafka_consume_begin('short_lived', 'people_text');
SELECT kafka_consume_begin('people', 'people_text', parallelism => -1);
SELECT kafka_consume_begin('people', 'people_text', parallelism => 1025);
SELECT kafka_consume_begin('people', 'people_text', format => 'xml');
SELECT kafka_consume_begin('people', 'people_text', delimiter => 'ab');
SELECT kafka_consume_begin('people', 'people_text', delimiter => 'a');
SELECT kafka_consume_begin('people', 'people_text', format => 'json', delimiter => ',');
SELECT kafka_consume_begin('people', 'people_text', start => 'yesteryear');
SELECT kafka_consume_begin('people', 'people_text', batch_size => 0);
SELECT kafka_consume_begin('people', 'people_text', server => 'nowhere');
SELECT kafka_consume_begin('people', 'people_text', columns => '{id,age}');
SELECT kafka_consume_begin('people', 'people_text', columns => '{id,id}');

-- what is no word of a policy
SELECT kafka_consume_begin('people', 'people_text', until => 'whenever');
SELECT kafka_consume_begin('people', 'people_text', on_error => 'log');
SELECT kafka_consume_begin('people', 'people_text', on_gap => 'ignore');
SELECT kafka_consume_begin('people', 'people_text', envelope => 'letter');
SELECT kafka_consume_begin('people', 'people_text', key_format => 'xml');
SELECT kafka_consume_begin('people', 'people_text', key_format => 'avro');
SELECT kafka_consume_begin('people', 'people_text', max_rate => -1);
SELECT kafka_consume_begin('people', 'people_text', shard => '2/2');
SELECT kafka_consume_begin('people', 'people_text', shard => 'half');
SELECT kafka_consume_begin('people', 'people_text', start => 'stored');
SELECT kafka_consume_begin('people', 'people_text', start => '{"0": "stored:1"}');
SELECT kafka_consume_begin('people', 'people_text', until => 'stored');

-- nothing of all that was stored
SELECT count(*) FROM pipeline_kafka_consumers;

-- a new consumer: defaults, and a foreign table of its own
SELECT kafka_consume_begin('people', 'people_text', 0, on_error => 'stop', on_gap => 'stop') AS id \gset
SELECT stream, stream_name, topic, topics, source = format('people_kafka_%s', id)::regclass AS source, owns_source, statement,
       columns, server, parallelism, format, delimiter, start, batch_size, batch_bytes, batch_delay, search_path, owner, enabled,
       epoch FROM pipeline_kafka_consumers WHERE id = :id \gx
SELECT attname, format_type(atttypid, atttypmod), attfdwoptions FROM pg_attribute
 WHERE attrelid = format('people_kafka_%s', :id)::regclass AND attnum > 0 ORDER BY attnum;
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = format('people_kafka_%s', :id)::regclass;
SELECT state, workers, messages, rows, lag FROM kafka_stat_consumers WHERE id = :id;
SELECT kafka_consume_once('people', 'people_text');
TABLE people;
SELECT kafka_consume_position('people', 'people_text');

-- begun again: what is given changes, with a NOTICE; positions stay
SELECT kafka_consume_begin('people', 'people_text') = :id;
SELECT epoch FROM pipeline_kafka_consumers WHERE id = :id;
\set VERBOSITY terse
SELECT kafka_consume_begin('begin_test.people', 'people_text', batch_size => 10, batch_delay => '1 s', start => 'latest') = :id;
SELECT epoch, batch_size, batch_delay, start FROM pipeline_kafka_consumers WHERE id = :id;
SELECT kafka_consume_begin('people', 'people_text', format => 'csv', delimiter => '\t') = :id;
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = format('people_kafka_%s', :id)::regclass;
SELECT kafka_consume_position('people', 'people_text');
SELECT kafka_consume_begin('people', 'people_text', on_error => 'dead_letter', reject_limit => 5, on_gap => 'earliest',
                           key_format => 'json', max_rate => 100, shard => '0/2', group_id => 'people') = :id;
SELECT on_error, reject_limit, on_gap, envelope, key_format, max_rate, shard, group_id, until FROM pipeline_kafka_consumers;
-- limits and the like are taken away again
SELECT kafka_consume_begin('people', 'people_text', on_error => 'stop', reject_limit => -1, on_gap => 'stop', key_format => 'raw',
                           max_rate => 0, shard => '0/1', group_id => '') = :id;
SELECT reject_limit, max_rate, shard, group_id FROM pipeline_kafka_consumers;
\set VERBOSITY default

-- the foreign table follows the stream when it is begun, and comes back when it was dropped
ALTER TABLE people ADD COLUMN extra varchar(3) COLLATE "C";
SELECT kafka_consume_begin('people', 'people_text', batch_size => 11) = :id;
SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
 WHERE attrelid = format('people_kafka_%s', :id)::regclass AND attnum > 0 AND NOT attisdropped;
SELECT format('DROP FOREIGN TABLE people_kafka_%s', :id) \gexec
SELECT kafka_consume_begin('people', 'people_text') = :id;
SELECT source = format('people_kafka_%s', id)::regclass AS made_again FROM pipeline_kafka_consumers WHERE id = :id;

-- dropped with the consumer
SELECT kafka_consume_drop('people', 'people_text');
SELECT to_regclass(format('people_kafka_%s', :id));

-- columns: COPY's list, metadata, generated and identity columns, domains
CREATE DOMAIN positive AS bigint CHECK (value >= 0) NOT NULL;
CREATE TABLE wide (serial bigint GENERATED ALWAYS AS IDENTITY, kafka_offset bigint, id positive, twice bigint GENERATED ALWAYS AS (id * 2) STORED,
                   page_url varchar(20) DEFAULT 'nowhere', geo jsonb, note text DEFAULT 'by default', kafka_partition bigint,
                   kafka_timestamp timestamp, kafka_key text, kafka_headers jsonb);
SELECT kafka_consume_begin('wide', 'clicks', 0, 'json', columns => '{id,page_url,twice}');
SELECT kafka_consume_begin('wide', 'clicks', 0, 'json', columns => '{id,geo}') AS id \gset
SELECT attname, format_type(atttypid, atttypmod), attfdwoptions FROM pg_attribute
 WHERE attrelid = format('wide_kafka_%s', :id)::regclass AND attnum > 0 ORDER BY attnum;
SELECT kafka_consume_once('wide', 'clicks');
SELECT * FROM wide ORDER BY id;
SELECT kafka_consume_drop('wide', 'clicks');
SELECT kafka_consume_begin('wide', 'clicks', 0, 'json') AS id \gset
SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = format('wide_kafka_%s', :id)::regclass AND attnum > 0;
SELECT kafka_consume_drop('wide', 'clicks');

-- whole documents
CREATE TABLE documents (doc jsonb, kafka_offset bigint);
SELECT kafka_consume_begin('documents', 'clicks', 0);
SELECT kafka_consume_begin('documents', 'clicks', 0, 'json') > 0;
SELECT kafka_consume_once('documents', 'clicks');
SELECT doc ->> 'id' AS id, kafka_offset FROM documents ORDER BY 1;
SELECT kafka_consume_drop('documents', 'clicks');

-- a source of one's own: its options hold
CREATE SERVER begin_kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE FOREIGN TABLE clicks_source (o bigint OPTIONS ("offset" 'true'), id int, page_url text, unused int)
  SERVER begin_kafka OPTIONS (topic 'clicks');
CREATE TABLE sourced (page_url text, id bigint, other text, o bigint);
SELECT kafka_consume_begin('sourced', 'orders', 0, source => 'clicks_source');
SELECT kafka_consume_begin('sourced', 'clicks', 0, 'text', source => 'clicks_source');
SELECT kafka_consume_begin('sourced', 'clicks', 0, source => 'clicks_source', server => 'pipeline_kafka');
SELECT kafka_consume_begin('sourced', 'clicks', 0, source => 'people');
SELECT kafka_consume_begin('sourced', 'clicks', 0, source => 'clicks_source', columns => '{id,other}');
SELECT kafka_consume_begin('sourced', 'clicks', 0, 'json', source => 'clicks_source') > 0;
SELECT server, format, owns_source, source FROM pipeline_kafka_consumers WHERE stream = 'sourced'::regclass;
SELECT kafka_consume_once('sourced', 'clicks');
SELECT * FROM sourced ORDER BY id;
SELECT kafka_consume_drop('sourced', 'clicks');
SELECT to_regclass('clicks_source');

-- statements
CREATE TABLE per_city (city text PRIMARY KEY, n bigint);
CREATE FOREIGN TABLE clicks_cities (city text OPTIONS (field '/geo/city')) SERVER begin_kafka OPTIONS (topic 'clicks');
CREATE FOREIGN TABLE orders_source (id int, item text) SERVER begin_kafka OPTIONS (topic 'orders');
CREATE FOREIGN TABLE elsewhere (id int) SERVER pipeline_kafka OPTIONS (topic 'numbers');
CREATE VIEW seen AS SELECT c.city, o.item FROM clicks_cities c, (SELECT * FROM orders_source) o WHERE EXISTS (SELECT FROM clicks_source);
SELECT kafka_consume_begin('per_city', 'clicks', 0, statement => 'INSERT INTO per_city VALUES (1)');
SELECT kafka_consume_begin('per_city', 'clicks', 0, statement => 'SELECT * FROM clicks_cities; SELECT 1');
SELECT kafka_consume_begin('per_city', 'clicks', 0, statement => '');
SELECT kafka_consume_begin('per_city', 'clicks', 0, statement => 'TRUNCATE per_city');
SELECT kafka_consume_begin('per_city', 'clicks', 0, statement => 'SELECT * INTO made FROM clicks_cities');
SELECT kafka_consume_begin('per_city', 'clicks', 0, statement => 'INSERT INTO per_city SELECT nothing FROM clicks_cities');
SELECT kafka_consume_begin('per_city', 'numbers', 0, statement => 'INSERT INTO per_city SELECT city FROM clicks_cities');
SELECT kafka_consume_begin('per_city', 'clicks', 0, statement => 'INSERT INTO per_city SELECT city FROM clicks_cities, elsewhere');
SELECT kafka_consume_begin('per_city', 'clicks', 0, statement => $$
  INSERT INTO per_city SELECT city, count(*) FROM clicks_cities GROUP BY city
      ON CONFLICT (city) DO UPDATE SET n = per_city.n + excluded.n; $$) > 0;
SELECT source, owns_source, topics, format FROM pipeline_kafka_consumers WHERE stream = 'per_city'::regclass;
SELECT kafka_consume_once('per_city', 'clicks');
TABLE per_city;
SELECT kafka_consume_begin('per_city', 'orders', 0, statement => 'WITH x AS (SELECT * FROM seen) INSERT INTO per_city SELECT city FROM x') > 0;
SELECT topics FROM pipeline_kafka_consumers WHERE topic = 'orders';
SELECT kafka_consume_position('per_city', 'orders');
SELECT kafka_consume_drop('per_city', 'orders'), kafka_consume_drop('per_city', 'clicks');

-- start
CREATE TABLE n (n int);
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', start => '99') > 0;
SELECT kafka_consume_drop('n', 'numbers');
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', start => '-3') > 0;
SELECT kafka_consume_drop('n', 'numbers');
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', start => 'latest') > 0;
SELECT kafka_consume_drop('n', 'numbers');
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', start => '2024-01-01 00:00:50.5+00') > 0;
SELECT kafka_consume_drop('n', 'numbers');
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', start => '{"2": "-1", "0": 7}') > 0;
SELECT kafka_consume_drop('n', 'numbers');
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', start => 'earliest') > 0;
SELECT kafka_consume_drop('n', 'numbers');
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', start => '101');
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', start => '{"9": 1}');
-- a topic that does not exist yet
SELECT kafka_consume_begin('n', 'nombers', 0, 'json') > 0;
SELECT kafka_consume_begin('n', 'something else', 0, 'json', start => 'latest') > 0;
SELECT kafka_consume_drop('n', 'nombers'), kafka_consume_drop('n', 'something else');
-- a broker that is not there
CREATE SERVER nobody FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:9');
SET kafka_fdw.connect_timeout = '500ms';
\set VERBOSITY sqlstate
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', start => 'latest', server => 'nobody');
SELECT kafka_consume_begin('n', 'numbers', 0, 'json', server => 'nobody') > 0;
\set VERBOSITY default
RESET kafka_fdw.connect_timeout;
SELECT kafka_consume_drop('n', 'numbers');

-- ROLLBACK leaves nothing
BEGIN;
SELECT kafka_consume_begin('n', 'numbers', 0, 'json') > 0;
ROLLBACK;
SELECT count(*) FROM pipeline_kafka_consumers;
SELECT count(*) FROM pg_class WHERE relname LIKE 'n\_kafka\_%';

-- all of them
SELECT kafka_consume_begin('n', 'numbers', 0, 'json') > 0, kafka_consume_begin('people', 'people_text', 0, columns => '{id}') > 0;
SELECT kafka_consume_end();
SELECT kafka_consume_begin();
SELECT count(*) FROM pipeline_kafka_consumers WHERE enabled;
DROP TABLE n;
SELECT kafka_consume_begin();
SELECT kafka_consume_drop('n', 'numbers'), kafka_consume_drop('people', 'people_text');
SELECT count(*) FROM pg_class WHERE relname ~ '_kafka_\d+$';

-- brokers
SELECT kafka_add_broker('example.org'), kafka_add_broker('example.org:9092'), kafka_add_broker('[::1]:9093'), kafka_add_broker('[::1]');
SELECT host FROM pipeline_kafka_brokers WHERE host <> :'bootstrap' ORDER BY host COLLATE "C";
SELECT kafka_add_broker('::1');
SELECT kafka_add_broker('');
SELECT kafka_add_broker('a,b');
SELECT kafka_add_broker('a:0');
SELECT kafka_add_broker('a:70000');
SELECT kafka_add_broker('a:x');
SELECT kafka_remove_broker('example.org'), kafka_remove_broker('[::1]:9093'), kafka_remove_broker('[::1]');
SELECT kafka_remove_broker('example.org');

SET client_min_messages = warning;
DROP SCHEMA begin_test CASCADE;
DROP SERVER begin_kafka, nobody;
