-- Messages that do not decode: an error that says which one, or one of the three ways past it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');

\pset null '(null)'
CREATE FOREIGN TABLE mixed (offs bigint OPTIONS ("offset" 'true'), id int, amount int, note text)
  SERVER kafka OPTIONS (topic 'mixed');

-- By default the scan ends with an error that names topic, partition, offset and column, and shows the message.
SELECT * FROM mixed WHERE offs = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM mixed WHERE offs = 2;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM mixed WHERE offs = 6;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM mixed WHERE offs = 7;
SELECT * FROM mixed WHERE offs = 8;
SELECT * FROM mixed WHERE offs = 9;
-- Whoever may read only some columns, or only a view, does not see the message.
CREATE ROLE regress_reader;
GRANT SELECT (offs, id) ON mixed TO regress_reader;
CREATE VIEW ids WITH (security_barrier) AS SELECT id FROM mixed WHERE offs = 2;
GRANT SELECT ON ids TO regress_reader;
SET ROLE regress_reader;
SELECT id FROM mixed WHERE offs = 1;
SELECT * FROM ids;
RESET ROLE;
DROP VIEW ids;
DROP OWNED BY regress_reader;
DROP ROLE regress_reader;
-- A column that nobody asks for does not fail, and a message that nobody decodes does not either.
SELECT offs, amount FROM mixed WHERE offs IN (0, 2, 8) ORDER BY offs;
SELECT count(*) FROM mixed;
-- Missing fields are NULL, and more of them are nothing; a tombstone has no fields at all.
SELECT * FROM mixed WHERE offs IN (3, 4, 5) ORDER BY offs;

-- ignore_junk: what did not decode is NULL.
ALTER FOREIGN TABLE mixed OPTIONS (ADD ignore_junk 'true');
SELECT * FROM mixed ORDER BY offs;

-- junk and junk_error: the raw value, and the reason.
ALTER FOREIGN TABLE mixed OPTIONS (DROP ignore_junk);
ALTER FOREIGN TABLE mixed ADD raw text OPTIONS (junk 'true'), ADD reason text OPTIONS (junk_error 'true');
SELECT offs, id, amount, left(raw, 60) AS raw FROM mixed ORDER BY offs;
SELECT offs, id, amount, reason FROM mixed WHERE offs IN (0, 2, 5, 8) ORDER BY offs;
SELECT count(reason), count(*) FROM mixed;
-- The scan goes on although nobody looks at them.
SELECT offs, id, amount FROM mixed WHERE offs IN (1, 2) ORDER BY offs;

-- strict: missing and extra fields are errors too.
ALTER FOREIGN TABLE mixed OPTIONS (ADD strict 'true');
ALTER FOREIGN TABLE mixed DROP note;
SELECT offs, id, amount, reason IS NOT NULL AS junk FROM mixed WHERE offs IN (0, 3, 4, 5) ORDER BY offs;
ALTER FOREIGN TABLE mixed DROP raw, DROP reason;
SELECT * FROM mixed WHERE offs = 3;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM mixed WHERE offs = 4;

-- text: fewer and more fields.
CREATE FOREIGN TABLE mixed_text (offs bigint OPTIONS ("offset" 'true'), id int, word text)
  SERVER kafka OPTIONS (topic 'mixed_text', format 'text');
SELECT * FROM mixed_text WHERE offs IN (0, 1, 2) ORDER BY offs;
SELECT * FROM mixed_text WHERE offs = 3;
SELECT * FROM mixed_text WHERE offs = 4;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE mixed_text OPTIONS (ADD strict 'true');
SELECT * FROM mixed_text WHERE offs = 1;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM mixed_text WHERE offs = 2;
ALTER FOREIGN TABLE mixed_text ADD reason text OPTIONS (junk_error 'true'), ADD raw text OPTIONS (junk 'true');
SELECT * FROM mixed_text ORDER BY offs;

-- Transactions go on after junk, and nothing of it is left behind.
BEGIN;
SELECT count(reason) FROM mixed_text;
SELECT count(reason) FROM mixed_text;
COMMIT;
\pset null ''
DROP SERVER kafka CASCADE;
