-- Whose identity a connection proves, and by what: no role gets that of the server process or of another role by accident.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
SET kafka_fdw.connect_timeout = '300 ms';
CREATE ROLE regress_identity;
GRANT USAGE ON FOREIGN DATA WRAPPER kafka_fdw TO regress_identity;
GRANT CREATE ON SCHEMA public TO regress_identity;

-- librdkafka ignores case and blanks in names that it chooses out of a list: so does the check.
SET ROLE regress_identity;
CREATE SERVER mixed_case FOREIGN DATA WRAPPER kafka_fdw
  OPTIONS (brokers '127.0.0.1:9', "security.protocol" 'Sasl_plaintext', "sasl.mechanism" 'PLAIN');
CREATE FOREIGN TABLE mixed_case (n int) SERVER mixed_case OPTIONS (topic 'numbers');
SELECT * FROM mixed_case;
CREATE SERVER blank FOREIGN DATA WRAPPER kafka_fdw
  OPTIONS (brokers '127.0.0.1:9', "security.protocol" ' sasl_plaintext');
CREATE FOREIGN TABLE blank (n int) SERVER blank OPTIONS (topic 'numbers');
SELECT * FROM blank;
\echo :LAST_ERROR_SQLSTATE

-- The secret must be the one that the connection uses.
CREATE USER MAPPING FOR CURRENT_USER SERVER mixed_case OPTIONS ("ssl.key.pem" 'dummy');
SELECT * FROM mixed_case;
CREATE USER MAPPING FOR CURRENT_USER SERVER blank OPTIONS ("sasl.password" 'dummy');
SELECT * FROM blank;
RESET ROLE;
CREATE SERVER key_file FOREIGN DATA WRAPPER kafka_fdw
  OPTIONS (brokers '127.0.0.1:9', "security.protocol" 'ssl', "ssl.key.location" '/nowhere');
GRANT USAGE ON FOREIGN SERVER key_file TO regress_identity;
SET ROLE regress_identity;
CREATE FOREIGN TABLE key_file (n int) SERVER key_file OPTIONS (topic 'numbers');
CREATE USER MAPPING FOR CURRENT_USER SERVER key_file OPTIONS ("sasl.password" 'dummy', "ssl.key.pem" 'dummy');
SELECT * FROM key_file;
DROP USER MAPPING FOR CURRENT_USER SERVER mixed_case;
RESET ROLE;

-- A cursor reads as whoever opened it, whoever fetches: 28000 is the role without a secret; a superuser
-- comes as far as librdkafka, which misses the password (22023).
CREATE FUNCTION fetch_as_superuser(c refcursor) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE n int;
BEGIN
  FETCH c INTO n;
  RETURN n;
END $$;
CREATE FUNCTION open_as_superuser() RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE c refcursor := 'opened';
BEGIN
  OPEN c FOR SELECT n FROM mixed_case;
  RETURN c;
END $$;
\set VERBOSITY sqlstate
SET ROLE regress_identity;
BEGIN;
DECLARE mine CURSOR FOR SELECT n FROM mixed_case;
SELECT fetch_as_superuser('mine');
ROLLBACK;
BEGIN;
SELECT open_as_superuser();
FETCH opened;
ROLLBACK;
RESET ROLE;
\set VERBOSITY default

-- A time as far away as PostgreSQL's reach.
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
CREATE FOREIGN TABLE far (n int) SERVER kafka OPTIONS (topic 'numbers', start '294276-12-31');
RESET kafka_fdw.connect_timeout;
SELECT count(*) FROM far;

-- A plan over many tables waits for a dead broker once.
CREATE SERVER nobody FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers '127.0.0.1:9');
SELECT format('CREATE FOREIGN TABLE dead_%s (n int) SERVER nobody OPTIONS (topic ''dead_%s'')', i, i)
  FROM generate_series(1, 8) i \gexec
SELECT string_agg('SELECT n FROM dead_' || i, ' UNION ALL ') AS all_dead FROM generate_series(1, 8) i \gset
SET kafka_fdw.connect_timeout = '1 s';
SELECT clock_timestamp() AS before \gset
\set VERBOSITY sqlstate
:all_dead;
\set VERBOSITY default
SELECT clock_timestamp() - :'before' < interval '2.5 s' AS soon;

DROP FUNCTION fetch_as_superuser, open_as_superuser;
DROP SERVER nobody, kafka, key_file, blank, mixed_case CASCADE;
DROP OWNED BY regress_identity;
DROP ROLE regress_identity;
