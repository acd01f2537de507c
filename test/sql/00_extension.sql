-- The extension installs, with its wrapper and the server that needs no options. The tests that follow use it.
CREATE EXTENSION kafka_fdw;
SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'kafka_fdw';
SELECT fdwname, srvname, srvoptions
  FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw WHERE fdwname = 'kafka_fdw';
