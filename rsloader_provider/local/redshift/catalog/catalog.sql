-- What Redshift has and PostgreSQL does not have: load history, load errors, query history, and a few functions.
-- Run at every start, so every statement may be repeated. The views stand in pg_catalog, where every search path finds
-- them.

CREATE SCHEMA IF NOT EXISTS local_redshift;
GRANT USAGE ON SCHEMA local_redshift TO public;

-- The proxy hands out the numbers between two of these.
CREATE SEQUENCE IF NOT EXISTS local_redshift.query_id START 1000 INCREMENT 1000;

CREATE TABLE IF NOT EXISTS local_redshift.load_error (
  user_id integer, query_id bigint, transaction_id bigint, session_id integer, table_id integer, start_time timestamp,
  file_name text, line_number bigint, column_name text, column_type text, column_length text, position integer,
  raw_line text, raw_value text, error_code integer, error_message text
);

CREATE TABLE IF NOT EXISTS local_redshift.load (
  user_id integer, query_id bigint, transaction_id bigint, session_id integer, status text, table_name text,
  start_time timestamp, end_time timestamp, data_source text, file_format text, loaded_rows bigint,
  source_file_count integer, source_file_bytes bigint, error_count bigint, xid bigint
);

CREATE TABLE IF NOT EXISTS local_redshift.load_file (
  query_id bigint, file_name text, bytes bigint, lines bigint, errors bigint, start_time timestamp, end_time timestamp
);

CREATE TABLE IF NOT EXISTS local_redshift.query (
  user_id integer, query_id bigint, transaction_id bigint, session_id integer, query_type text, status text,
  start_time timestamp, end_time timestamp, error_message text, returned_rows bigint, query_text text
);

-- The same with what the transaction's snapshot lacks; see recent_rows.py.
CREATE OR REPLACE FUNCTION local_redshift.unseen(kind text) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT nullif(current_setting('local_redshift.unseen', true), '')::jsonb -> kind
$$;
CREATE OR REPLACE VIEW local_redshift.all_load_errors AS
SELECT * FROM local_redshift.load_error
UNION ALL
SELECT * FROM jsonb_populate_recordset(NULL::local_redshift.load_error, local_redshift.unseen('load_error')) AS unseen
WHERE NOT EXISTS (SELECT FROM local_redshift.load_error seen WHERE seen.query_id = unseen.query_id);
CREATE OR REPLACE VIEW local_redshift.all_loads AS
SELECT * FROM local_redshift.load
UNION ALL
SELECT * FROM jsonb_populate_recordset(NULL::local_redshift.load, local_redshift.unseen('load')) AS unseen
WHERE NOT EXISTS (SELECT FROM local_redshift.load seen WHERE seen.query_id = unseen.query_id);
CREATE OR REPLACE VIEW local_redshift.all_load_files AS
SELECT * FROM local_redshift.load_file
UNION ALL
SELECT * FROM jsonb_populate_recordset(NULL::local_redshift.load_file, local_redshift.unseen('load_file')) AS unseen
WHERE NOT EXISTS (SELECT FROM local_redshift.load_file seen WHERE seen.query_id = unseen.query_id);
CREATE OR REPLACE VIEW local_redshift.all_queries AS
SELECT * FROM local_redshift.query
UNION ALL
SELECT * FROM jsonb_populate_recordset(NULL::local_redshift.query, local_redshift.unseen('query')) AS unseen
WHERE NOT EXISTS (SELECT FROM local_redshift.query seen WHERE seen.query_id = unseen.query_id);

-- A superuser sees every user's rows, everybody else only their own.
CREATE OR REPLACE FUNCTION local_redshift.sees(owner integer) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = session_user AND (rolsuper OR oid::integer = owner))
$$;

-- The load-error views show a period for every character of more than one byte.
CREATE OR REPLACE FUNCTION local_redshift.one_byte_each(data text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT regexp_replace(data, '[^\u0001-\u007f]', '.', 'g')
$$;

-- Loads.

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_ERRORS.html
CREATE OR REPLACE VIEW pg_catalog.stl_load_errors AS
SELECT
  user_id AS userid, 0 AS slice, table_id AS tbl, start_time AS starttime, session_id AS session,
  query_id::integer AS query, left(file_name, 256)::character(256) AS filename, line_number,
  left(column_name, 127)::character(127) AS colname, left(column_type, 10)::character(10) AS type,
  left(column_length, 10)::character(10) AS col_length, position,
  left(local_redshift.one_byte_each(raw_line), 1024)::character(1024) AS raw_line,
  left(raw_value, 1024)::character(1024) AS raw_field_value, error_code AS err_code,
  left(error_message, 100)::character(100) AS err_reason, 0 AS is_partial, 0::bigint AS start_offset,
  (-1)::bigint AS copy_job_id
FROM local_redshift.all_load_errors
WHERE local_redshift.sees(user_id);

-- One row for each refused field, where Redshift also has one for each field before it.
-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOADERROR_DETAIL.html
CREATE OR REPLACE VIEW pg_catalog.stl_loaderror_detail AS
SELECT
  e.user_id AS userid, 0 AS slice, e.session_id AS session, e.query_id::integer AS query,
  left(e.file_name, 256)::character(256) AS filename, e.line_number, (a.attnum - 1)::integer AS field,
  left(e.column_name, 1024)::character(1024) AS colname,
  left(local_redshift.one_byte_each(e.raw_value), 1024)::character(1024) AS value,
  (e.raw_value IS NULL)::integer AS is_null, left(e.column_type, 10)::character(10) AS type,
  left(e.column_length, 10)::character(10) AS col_length
FROM local_redshift.all_load_errors e
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = e.table_id::oid AND a.attname = e.column_name AND NOT a.attisdropped
WHERE e.column_name <> '' AND local_redshift.sees(e.user_id);

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_COMMITS.html
CREATE OR REPLACE VIEW pg_catalog.stl_load_commits AS
SELECT
  l.user_id AS userid, l.query_id::integer AS query, 0 AS slice, ''::character(256) AS name,
  left(f.file_name, 256)::character(256) AS filename, 0 AS byte_offset, f.lines::integer AS lines_scanned,
  f.errors::integer AS errors, f.end_time AS curtime, 1 AS status,
  (CASE l.file_format
    WHEN 'json' THEN 'JSON' WHEN 'avro' THEN 'Avro' WHEN 'orc' THEN 'ORC' WHEN 'parquet' THEN 'Parquet' ELSE 'Text'
  END)::character(16) AS file_format,
  0 AS is_partial, 0::bigint AS start_offset, (-1)::bigint AS copy_job_id
FROM local_redshift.all_load_files f JOIN local_redshift.all_loads l USING (query_id)
WHERE local_redshift.sees(l.user_id);

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html
CREATE OR REPLACE VIEW pg_catalog.sys_load_error_detail AS
SELECT
  user_id, query_id, transaction_id, session_id, current_database()::character(64) AS database_name, table_id,
  start_time, left(file_name, 256)::character(256) AS file_name, line_number,
  left(column_name, 127)::character(127) AS column_name,
  left(column_type, 10)::character(10) AS column_type, left(column_length, 10)::character(10) AS column_length,
  position, error_code, left(error_message, 512)::character(512) AS error_message, (-1)::bigint AS copy_job_id
FROM local_redshift.all_load_errors
WHERE local_redshift.sees(user_id);

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_HISTORY.html
CREATE OR REPLACE VIEW pg_catalog.sys_load_history AS
SELECT
  user_id, query_id, transaction_id, session_id, current_database()::text AS database_name, status, table_name,
  start_time, end_time, (extract(epoch FROM end_time - start_time) * 1000000)::bigint AS duration, data_source,
  file_format, loaded_rows,
  source_file_bytes AS loaded_bytes, source_file_count, source_file_bytes, source_file_count AS file_count_scanned,
  source_file_bytes AS file_bytes_scanned, error_count, (-1)::bigint AS copy_job_id
FROM local_redshift.all_loads
WHERE local_redshift.sees(user_id);

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_DETAIL.html
CREATE OR REPLACE VIEW pg_catalog.sys_load_detail AS
SELECT
  l.user_id, l.query_id::integer AS query_id, left(f.file_name, 256)::character(256) AS file_name,
  f.bytes::integer AS bytes_scanned, f.lines::integer AS lines_scanned, f.end_time AS record_time, 1 AS splits_scanned,
  f.start_time, f.end_time, NULL::character(256) AS file_etag, NULL::timestamp AS file_last_modified
FROM local_redshift.all_load_files f JOIN local_redshift.all_loads l USING (query_id)
WHERE local_redshift.sees(l.user_id);

-- For superusers. Shows transactions that ran a COPY, once they are over. Their start and end times are not known here.
-- Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_TRANSACTION_HISTORY.html
CREATE OR REPLACE VIEW pg_catalog.sys_transaction_history AS
SELECT DISTINCT ON (transaction_id)
  user_id, transaction_id,
  CASE current_setting('transaction_isolation') WHEN 'serializable' THEN 'Serializable' ELSE 'Snapshot Isolation' END
    AS isolation_level,
  CASE pg_xact_status(xid::text::xid8) WHEN 'committed' THEN 'committed' ELSE 'rolledback' END AS status,
  NULL::timestamp AS transaction_start_time, NULL::timestamp AS commit_start_time, NULL::timestamp AS commit_end_time,
  NULL::bigint AS blocks_committed, (-1)::bigint AS undo_transaction_id
FROM local_redshift.all_loads
WHERE xid IS NOT NULL AND pg_xact_status(xid::text::xid8) <> 'in progress'
ORDER BY transaction_id, query_id;

-- Queries, once they are over. Their transaction_id is the query_id of the transaction's first statement.

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_QUERY_HISTORY.html
CREATE OR REPLACE VIEW pg_catalog.sys_query_history AS
SELECT
  user_id, query_id, 'default'::character(320) AS query_label, transaction_id, session_id,
  current_database()::character(128) AS database_name, query_type::character(32) AS query_type,
  status::character(10) AS status, false AS result_cache_hit, start_time, end_time,
  (extract(epoch FROM end_time - start_time) * 1000000)::bigint AS elapsed_time, 0::bigint AS queue_time,
  (extract(epoch FROM end_time - start_time) * 1000000)::bigint AS execution_time,
  left(error_message, 512)::character(512) AS error_message, returned_rows, NULL::bigint AS returned_bytes,
  left(query_text, 4000)::character(4000) AS query_text, version()::character(256) AS redshift_version,
  NULL::character(150) AS usage_limit, 'primary'::character varying(32) AS compute_type
FROM local_redshift.all_queries
WHERE local_redshift.sees(user_id);

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_STL_QUERY.html
CREATE OR REPLACE VIEW pg_catalog.stl_query AS
SELECT
  user_id AS userid, query_id::integer AS query, 'default'::character(320) AS label, transaction_id AS xid,
  session_id AS pid, current_database()::character(32) AS database, left(query_text, 4000)::character(4000) AS querytxt,
  start_time AS starttime, end_time AS endtime, (status = 'canceled')::integer AS aborted, 0 AS insert_pristine,
  0 AS concurrency_scaling_status
FROM local_redshift.all_queries
WHERE query_type NOT IN ('DDL', 'UTILITY') AND local_redshift.sees(user_id);

-- Sessions, locks and tables.

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_STV_SESSIONS.html
CREATE OR REPLACE VIEW pg_catalog.stv_sessions AS
SELECT
  (backend_start AT TIME ZONE 'UTC')::timestamp AS starttime, pid AS process, usename::character(50) AS user_name,
  datname::character(50) AS db_name, 0 AS timeout_sec
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend' AND usename <> 'rdsdb' AND local_redshift.sees(usesysid::integer);

-- For superusers. The lock owner is PostgreSQL's own transaction id.
-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_STV_LOCKS.html
CREATE OR REPLACE VIEW pg_catalog.stv_locks AS
SELECT
  l.relation::bigint AS table_id, NULL::timestamp AS last_commit,
  (a.state_change AT TIME ZONE 'UTC')::timestamp AS last_update, a.backend_xid::text::bigint AS lock_owner,
  l.pid::bigint AS lock_owner_pid, (a.xact_start AT TIME ZONE 'UTC')::timestamp AS lock_owner_start_ts,
  NULL::timestamp AS lock_owner_end_ts,
  (CASE WHEN bool_or(l.granted) THEN 'Holding write lock' ELSE 'Waiting for write lock' END)::character(22)
    AS lock_status
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind = 'r' AND c.oid >= 16384
JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid AND a.usename <> 'rdsdb'
WHERE l.mode IN ('ShareRowExclusiveLock', 'AccessExclusiveLock')
GROUP BY l.relation, l.pid, a.state_change, a.backend_xid, a.xact_start;

CREATE OR REPLACE FUNCTION local_redshift.row_count(relation oid) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  found bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM %s', relation::regclass) INTO found;
  RETURN found;
END $$;

-- For superusers. What is not known here is NULL: encodings, distribution and sort keys are dropped from definitions.
-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TABLE_INFO.html
CREATE OR REPLACE VIEW pg_catalog.svv_table_info AS
SELECT
  current_database()::text AS database, n.nspname::text AS schema, c.oid AS table_id, c.relname::text AS "table",
  NULL::text AS encoded, NULL::text AS diststyle, NULL::text AS sortkey1,
  (SELECT coalesce(max(a.atttypmod - 4), 0) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.atttypid = 'varchar'::regtype AND a.attnum > 0 AND NOT a.attisdropped
  ) AS max_varchar,
  NULL::character(32) AS sortkey1_enc, NULL::integer AS sortkey_num,
  ceil(pg_total_relation_size(c.oid) / 1048576.0)::bigint AS size, NULL::numeric(10, 4) AS pct_used,
  0::bigint AS empty, NULL::numeric(5, 2) AS unsorted, 0::numeric(5, 2) AS stats_off,
  r.rows::numeric(38, 0) AS tbl_rows,
  NULL::numeric(19, 2) AS skew_sortkey1, NULL::numeric(19, 2) AS skew_rows,
  r.rows::numeric(38, 0) AS estimated_visible_rows, NULL::text AS risk_event,
  NULL::numeric(12, 2) AS vacuum_sort_benefit, NULL::timestamp AS create_time
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT local_redshift.row_count(c.oid) AS rows) r
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND r.rows > 0
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'local_redshift');

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_PG_TABLE_DEF.html
CREATE OR REPLACE VIEW pg_catalog.pg_table_def AS
SELECT
  n.nspname AS schemaname, c.relname AS tablename, a.attname AS "column",
  replace(pg_catalog.format_type(a.atttypid, a.atttypmod), 'jsonb', 'super') AS type,
  'none'::character(32) AS encoding, false AS distkey, 0 AS sortkey, a.attnotnull AS "notnull"
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND pg_catalog.pg_table_is_visible(c.oid);

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TABLES.html
CREATE OR REPLACE VIEW pg_catalog.svv_tables AS
SELECT
  table_catalog::text, table_schema::text, table_name::text, table_type::text, NULL::text AS remarks
FROM information_schema.tables;

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html
CREATE OR REPLACE VIEW pg_catalog.svv_columns AS
SELECT
  table_catalog::text, table_schema::text, table_name::text, column_name::text, ordinal_position::integer,
  column_default::text, is_nullable::text, replace(data_type, 'jsonb', 'super')::text AS data_type,
  character_maximum_length::integer, numeric_precision::integer, numeric_precision_radix::integer,
  numeric_scale::integer, datetime_precision::integer, interval_type::text, interval_precision::text,
  character_set_catalog::text, character_set_schema::text, character_set_name::text, collation_catalog::text,
  collation_schema::text, collation_name::text, domain_name::text, NULL::text AS remarks
FROM information_schema.columns;

GRANT SELECT ON
  pg_catalog.stl_load_errors, pg_catalog.stl_loaderror_detail, pg_catalog.stl_load_commits,
  pg_catalog.sys_load_error_detail, pg_catalog.sys_load_history, pg_catalog.sys_load_detail,
  pg_catalog.sys_query_history, pg_catalog.stl_query, pg_catalog.stv_sessions, pg_catalog.pg_table_def,
  pg_catalog.svv_tables, pg_catalog.svv_columns
TO public;

-- The proxy sets these before a statement that asks for them; they are not part of a transaction's outcome.
CREATE OR REPLACE FUNCTION pg_catalog.pg_last_query_id() RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(current_setting('local_redshift.query_id', true), '')::integer, -1)
$$;
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

CREATE OR REPLACE FUNCTION pg_catalog.current_user_id() RETURNS integer LANGUAGE sql STABLE AS $$
  SELECT oid::integer FROM pg_catalog.pg_roles WHERE rolname = current_user
$$;
CREATE OR REPLACE FUNCTION pg_catalog.nvl2(tested anyelement, present anycompatible, absent anycompatible)
RETURNS anycompatible LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN tested IS NOT NULL THEN present ELSE absent END
$$;

-- SUPER, which is jsonb here.
CREATE OR REPLACE FUNCTION pg_catalog.json_parse(json_string text) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT json_string::jsonb
$$;
CREATE OR REPLACE FUNCTION pg_catalog.can_json_parse(json_string text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT json_string IS JSON
$$;
CREATE OR REPLACE FUNCTION pg_catalog.is_valid_json(json_string text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT json_string IS JSON OBJECT
$$;
CREATE OR REPLACE FUNCTION pg_catalog.is_valid_json_array(json_string text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT json_string IS JSON ARRAY
$$;
CREATE OR REPLACE FUNCTION pg_catalog.json_typeof(super_expression jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT jsonb_typeof(super_expression)
$$;
-- Without the blanks that PostgreSQL writes after a colon and a comma.
CREATE OR REPLACE FUNCTION pg_catalog.json_serialize(super_expression jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN CASE jsonb_typeof(super_expression)
    WHEN 'object' THEN (
      SELECT '{' || coalesce(string_agg(to_json(key)::text || ':' || pg_catalog.json_serialize(value), ','), '') || '}'
      FROM jsonb_each(super_expression))
    WHEN 'array' THEN (
      SELECT '[' || coalesce(string_agg(pg_catalog.json_serialize(value), ',' ORDER BY place), '') || ']'
      FROM jsonb_array_elements(super_expression) WITH ORDINALITY AS element (value, place))
    ELSE super_expression::text
  END;
END $$;

-- Fails in the caller's transaction, so that PostgreSQL knows of an error that the proxy found.
CREATE OR REPLACE FUNCTION local_redshift.fail(code text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
END $$;

-- Refuses a MERGE … REMOVE DUPLICATES; true if there is nothing to refuse.
CREATE OR REPLACE FUNCTION local_redshift.check_merge(target regclass, source regclass, matched_twice boolean)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
  columns integer[];
BEGIN
  SELECT array_agg(relnatts - dropped) INTO columns FROM (
    SELECT c.relnatts, count(*) FILTER (WHERE a.attisdropped) AS dropped
    FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.oid IN (target, source) GROUP BY c.oid, c.relnatts) counted;
  IF columns[1] <> columns[2] THEN
    RAISE EXCEPTION 'MERGE: the source and the target have different numbers of columns' USING ERRCODE = '42601';
  END IF;
  IF matched_twice THEN
    RAISE EXCEPTION 'Found multiple matches to update the same tuple.' USING ERRCODE = 'XX000';
  END IF;
  RETURN true;
END $$;
