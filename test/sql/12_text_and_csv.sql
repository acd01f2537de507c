-- text and csv: a message is a row by COPY's rules.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
\pset null '(null)'

CREATE FOREIGN TABLE people_text (id int, name text, born date, note text, offs bigint OPTIONS ("offset" 'true'))
  SERVER kafka OPTIONS (topic 'people_text', format 'text');
SELECT id, name, born, replace(note, E'\n', '/') AS note FROM people_text ORDER BY offs;
CREATE FOREIGN TABLE people_csv (
    id int, name text, born date, note text, offs bigint OPTIONS ("offset" 'true'))
  SERVER kafka OPTIONS (topic 'people_csv', format 'csv');
SELECT id, name, born, replace(note, E'\n', '/') AS note FROM people_csv ORDER BY offs;
ALTER FOREIGN TABLE people_csv ALTER note OPTIONS (ADD force_not_null 'true');
ALTER FOREIGN TABLE people_csv ALTER name OPTIONS (ADD force_null 'true');
SELECT id, name, note FROM people_csv WHERE offs IN (0, 2) ORDER BY offs;
CREATE FOREIGN TABLE people_latin1 (id int, name text, born date, note text)
  SERVER kafka OPTIONS (topic 'people_latin1', format 'csv', delimiter ';', "null" 'NIX', encoding 'latin1');
SELECT * FROM people_latin1;

-- Fields go by position over the columns that show fields; a dropped column leaves no gap.
CREATE FOREIGN TABLE people (id int, name text, born date, note text) SERVER kafka OPTIONS (topic 'people_csv', format 'csv');
ALTER FOREIGN TABLE people DROP note, DROP born, ADD birthday date;
SELECT * FROM people ORDER BY id;

\pset null ''
DROP SERVER kafka CASCADE;
