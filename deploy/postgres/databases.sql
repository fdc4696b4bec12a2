-- Each service has a database of its own and never reads another's.
CREATE DATABASE registry;
CREATE DATABASE reporting;
CREATE DATABASE assessment;
CREATE DATABASE notify;
CREATE DATABASE projection;
-- Reads every ledger and writes nothing: for `xiapai audit` and `xiapai rebuild --from-ledger`.
\set password `cat /secrets/xiapai_postgres_reader_password`
CREATE ROLE xiapai_reader LOGIN PASSWORD :'password';
GRANT pg_read_all_data TO xiapai_reader;
