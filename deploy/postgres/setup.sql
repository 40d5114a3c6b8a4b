-- What a superuser runs once, before the first start. Afterwards memoranda needs nothing but its own role.
--
--   psql --set=password="$MEMORANDA_DB_PASSWORD" --file=setup.sql postgres
--
-- Other names: --set=role=... --set=database=...
\set ON_ERROR_STOP on
\if :{?role} \else \set role memoranda \endif
\if :{?database} \else \set database memoranda \endif
\if :{?password}
\else
\warn 'no password: psql --set=password="$MEMORANDA_DB_PASSWORD" --file=setup.sql postgres'
SELECT 1 / 0 AS "no password was given";
\endif

CREATE ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
-- Text order and case folding are memoranda's own; C keeps indexes valid when the system's locales change.
CREATE DATABASE :"database" OWNER :"role" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;

\connect :"database"
-- The one thing a plain role can't do: pgvector isn't a trusted extension.
CREATE EXTENSION IF NOT EXISTS vector;
-- Of the role alone: nobody else creates anything here.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"role";

-- Bounds for whatever goes wrong on the other side of the connection.
ALTER ROLE :"role" IN DATABASE :"database" SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE :"role" IN DATABASE :"database" SET lock_timeout = '30s';
-- Values of statements are what people said: the server's log doesn't get them, however slow a statement is.
ALTER ROLE :"role" IN DATABASE :"database" SET log_parameter_max_length = 0;
ALTER ROLE :"role" IN DATABASE :"database" SET log_parameter_max_length_on_error = 0;
