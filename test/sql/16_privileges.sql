-- Privileges are those of any table, and watermarks need what a SELECT needs.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE FOREIGN TABLE numbers (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), n int)
  SERVER kafka OPTIONS (topic 'numbers');

CREATE ROLE regress_reader;
SET ROLE regress_reader;
SELECT count(*) FROM numbers;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM kafka_get_watermarks('numbers');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT ON numbers TO regress_reader;
SET ROLE regress_reader;
SELECT count(*) FROM numbers;
SELECT * FROM kafka_get_watermarks('numbers');
RESET ROLE;
-- A view reads with the rights of its owner.
CREATE VIEW evens AS SELECT * FROM numbers WHERE n % 2 = 0;
REVOKE SELECT ON numbers FROM regress_reader;
GRANT SELECT ON evens TO regress_reader;
SET ROLE regress_reader;
SELECT count(*) FROM evens;
SELECT count(*) FROM numbers;
RESET ROLE;
DROP VIEW evens;

DROP OWNED BY regress_reader;
DROP ROLE regress_reader;
DROP SERVER kafka CASCADE;
