-- JSON: columns by name or by pointer, of duplicates the last, numbers with all their digits.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kafka_fdw;
\getenv bootstrap KAFKA_BOOTSTRAP
CREATE SERVER kafka FOREIGN DATA WRAPPER kafka_fdw OPTIONS (brokers :'bootstrap');
SET timezone = 'UTC';
\pset null '(null)'

CREATE FOREIGN TABLE orders (
    part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'),
    id    bigint,
    what  text        OPTIONS (field 'item'),
    price numeric,
    city  text        OPTIONS (field '/address/city'),
    tag   text        OPTIONS (json '/tags/0'),
    tags  jsonb,
    paid  boolean,
    at    timestamptz)
  SERVER kafka OPTIONS (topic 'orders');
SELECT id, what, price, city, tag, tags, paid, at FROM orders ORDER BY part, offs;

-- A string becomes any type by the type's input function; JSON arrays become arrays and objects composite types, as
-- json_populate_record makes them.
CREATE TYPE regress_address AS (city text, zip int);
CREATE TYPE regress_item AS ENUM ('pen', 'ink é', 'nib, the last');
CREATE FOREIGN TABLE typed (
    offs bigint OPTIONS ("offset" 'true'), part int OPTIONS (partition 'true'),
    id bit(3), item regress_item, price numeric(32,1), address regress_address, tags char(2)[], at timestamp(0),
    city varchar(10) OPTIONS (field '/address/city'))
  SERVER kafka OPTIONS (topic 'orders');
SELECT item, price, address, (address).zip, tags, at, city FROM typed ORDER BY part, offs;
-- A number is no bit string of that length, and the type says so.
SELECT id FROM typed;
\echo :LAST_ERROR_SQLSTATE

\pset null ''
DROP SERVER kafka CASCADE;
DROP TYPE regress_address, regress_item;
