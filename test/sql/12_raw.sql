-- raw: the value as it is, in the one column that has no other role.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');

CREATE FOREIGN TABLE lines (line text, offs bigint OPTIONS ("offset" 'true'))
  SERVER kafka OPTIONS (topic 'lines', format 'raw');
SELECT offs, line, length(line) FROM lines ORDER BY offs;
CREATE FOREIGN TABLE bytes (key bytea OPTIONS ("key" 'true'), value bytea)
  SERVER kafka OPTIONS (topic 'bytes', format 'raw');
SELECT * FROM bytes;
ALTER FOREIGN TABLE bytes ALTER value TYPE text;
SELECT value FROM bytes;
\echo :LAST_ERROR_SQLSTATE
SELECT key FROM bytes;

DROP SERVER kafka CASCADE;
