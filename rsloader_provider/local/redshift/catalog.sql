-- What Redshift has and PostgreSQL has not: load history, load errors, and a few functions.
-- Run at every start, so every statement may be repeated. The views stand in pg_catalog, where every search path finds them.

CREATE SCHEMA IF NOT EXISTS local_redshift;
CREATE SEQUENCE IF NOT EXISTS local_redshift.query_id START 1000;

CREATE TABLE IF NOT EXISTS local_redshift.load_error (
  user_id integer, query_id bigint, transaction_id bigint, session_id integer, table_id integer, start_time timestamp,
  file_name text, line_number bigint, column_name text, column_type text, column_length text, position integer,
  raw_line text, raw_value text, error_code integer, error_message text
);

CREATE TABLE IF NOT EXISTS local_redshift.load (
  user_id integer, query_id bigint, transaction_id bigint, session_id integer, status text, table_name text,
  start_time timestamp, end_time timestamp, data_source text, file_format text, loaded_rows bigint,
  source_file_count integer, source_file_bytes bigint, error_count bigint
);

-- A superuser sees every user's rows, everybody else only their own.
CREATE OR REPLACE FUNCTION local_redshift.sees(owner integer) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = session_user AND (rolsuper OR oid::integer = owner))
$$;

CREATE OR REPLACE VIEW pg_catalog.stl_load_errors AS
SELECT
  user_id AS userid, 0 AS slice, table_id AS tbl, start_time AS starttime, session_id AS session,
  query_id::integer AS query, left(file_name, 256)::character(256) AS filename, line_number,
  left(column_name, 127)::character(127) AS colname, left(column_type, 10)::character(10) AS type,
  left(column_length, 10)::character(10) AS col_length, position, left(raw_line, 1024)::character(1024) AS raw_line,
  left(raw_value, 1024)::character(1024) AS raw_field_value, error_code AS err_code,
  left(error_message, 100)::character(100) AS err_reason, 0 AS is_partial, 0::bigint AS start_offset,
  (-1)::bigint AS copy_job_id
FROM local_redshift.load_error
WHERE local_redshift.sees(user_id);

CREATE OR REPLACE VIEW pg_catalog.sys_load_error_detail AS
SELECT
  user_id, query_id, transaction_id, session_id, current_database()::character(64) AS database_name, table_id, start_time,
  left(file_name, 256)::character(256) AS file_name, line_number, left(column_name, 127)::character(127) AS column_name,
  left(column_type, 10)::character(10) AS column_type, left(column_length, 10)::character(10) AS column_length, position,
  error_code, left(error_message, 512)::character(512) AS error_message, (-1)::bigint AS copy_job_id
FROM local_redshift.load_error
WHERE local_redshift.sees(user_id);

CREATE OR REPLACE VIEW pg_catalog.sys_load_history AS
SELECT
  user_id, query_id, transaction_id, session_id, current_database()::text AS database_name, status, table_name, start_time,
  end_time, (extract(epoch FROM end_time - start_time) * 1000000)::bigint AS duration, data_source, file_format, loaded_rows,
  source_file_bytes AS loaded_bytes, source_file_count, source_file_bytes, source_file_count AS file_count_scanned,
  source_file_bytes AS file_bytes_scanned, error_count, (-1)::bigint AS copy_job_id
FROM local_redshift.load
WHERE local_redshift.sees(user_id);

GRANT SELECT ON pg_catalog.stl_load_errors, pg_catalog.sys_load_error_detail, pg_catalog.sys_load_history TO public;
GRANT USAGE ON SCHEMA local_redshift TO public;

-- The proxy keeps these two settings in every session; they are no part of a transaction's outcome.
CREATE OR REPLACE FUNCTION pg_catalog.pg_last_copy_id() RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(current_setting('local_redshift.copy_id', true), '')::integer, -1)
$$;
CREATE OR REPLACE FUNCTION pg_catalog.pg_last_copy_count() RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(current_setting('local_redshift.copy_count', true), '')::bigint, 0)
$$;

-- The statement's time and the transaction's, both in UTC and without a zone.
CREATE OR REPLACE FUNCTION pg_catalog.getdate() RETURNS timestamp LANGUAGE sql STABLE AS $$
  SELECT statement_timestamp() AT TIME ZONE 'UTC'
$$;
CREATE OR REPLACE FUNCTION pg_catalog.sysdate() RETURNS timestamp LANGUAGE sql STABLE AS $$
  SELECT now() AT TIME ZONE 'UTC'
$$;

-- Fails in the caller's transaction, so that PostgreSQL knows of an error that the proxy found.
CREATE OR REPLACE FUNCTION local_redshift.fail(code text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
END $$;
