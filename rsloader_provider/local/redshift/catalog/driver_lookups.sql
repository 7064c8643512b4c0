-- What drivers and their dialects look up about the server itself. Run in every database that is entered, so every
-- statement may be repeated.

-- Programs tell Redshift from PostgreSQL by this sentence.
CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), '
    || 'Redshift 1.0.107351'
$$;

-- The primary keys that tables declare (see declared_keys.py); there are no other constraints that Redshift would show.
CREATE OR REPLACE VIEW local_redshift.declared_key AS
SELECT k.conname, k.conkey, c.oid AS table_id, n.nspname, c.relname
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'c' AND NOT k.conenforced
  AND (
    pg_catalog.pg_has_role(c.relowner, 'USAGE')
    OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES')
  );

CREATE OR REPLACE VIEW information_schema.table_constraints AS
SELECT
  current_database()::information_schema.sql_identifier AS constraint_catalog,
  nspname::information_schema.sql_identifier AS constraint_schema,
  conname::information_schema.sql_identifier AS constraint_name,
  current_database()::information_schema.sql_identifier AS table_catalog,
  nspname::information_schema.sql_identifier AS table_schema,
  relname::information_schema.sql_identifier AS table_name,
  'PRIMARY KEY'::information_schema.character_data AS constraint_type,
  'NO'::information_schema.yes_or_no AS is_deferrable,
  'NO'::information_schema.yes_or_no AS initially_deferred,
  'NO'::information_schema.yes_or_no AS enforced,
  NULL::information_schema.yes_or_no AS nulls_distinct
FROM local_redshift.declared_key;

CREATE OR REPLACE VIEW information_schema.key_column_usage AS
SELECT
  current_database()::information_schema.sql_identifier AS constraint_catalog,
  k.nspname::information_schema.sql_identifier AS constraint_schema,
  k.conname::information_schema.sql_identifier AS constraint_name,
  current_database()::information_schema.sql_identifier AS table_catalog,
  k.nspname::information_schema.sql_identifier AS table_schema,
  k.relname::information_schema.sql_identifier AS table_name,
  a.attname::information_schema.sql_identifier AS column_name,
  u.position::information_schema.cardinal_number AS ordinal_position,
  NULL::information_schema.cardinal_number AS position_in_unique_constraint
FROM local_redshift.declared_key k
CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS u (attnum, position)
JOIN pg_catalog.pg_attribute a ON a.attrelid = k.table_id AND a.attnum = u.attnum;

-- The system catalog's relations with Redshift's columns (see catalog_queries.py). How a table is distributed, sorted and
-- encoded is not kept.
CREATE OR REPLACE VIEW local_redshift.pg_class AS
SELECT c.*, NULL::smallint AS reldiststyle FROM pg_catalog.pg_class c;

CREATE OR REPLACE VIEW local_redshift.pg_attribute AS
SELECT a.*, 0::smallint AS attencodingtype, false AS attisdistkey, 0 AS attsortkeyord FROM pg_catalog.pg_attribute a;

CREATE OR REPLACE VIEW local_redshift.pg_attrdef AS
SELECT d.*, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS adsrc FROM pg_catalog.pg_attrdef d;

CREATE OR REPLACE VIEW local_redshift.pg_constraint AS
SELECT
  oid, conname, connamespace, 'p'::"char" AS contype, condeferrable, condeferred, conrelid, contypid, confrelid,
  confupdtype, confdeltype, confmatchtype, conkey, confkey, conbin, NULL::text AS consrc
FROM pg_catalog.pg_constraint
WHERE contype = 'c' AND NOT conenforced;

CREATE OR REPLACE FUNCTION local_redshift.pg_get_constraintdef(key oid, pretty boolean DEFAULT false) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT 'PRIMARY KEY (' || string_agg(quote_ident(a.attname), ', ' ORDER BY u.position) || ')'
  FROM pg_catalog.pg_constraint k
  CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS u (attnum, position)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
  WHERE k.oid = key
$$;

CREATE OR REPLACE FUNCTION pg_catalog.format_encoding(encoding integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'none'
$$;

-- A view WITH NO SCHEMA BINDING is an ordinary view here, so there are no such columns.
CREATE OR REPLACE FUNCTION pg_catalog.pg_get_late_binding_view_cols() RETURNS SETOF record LANGUAGE sql STABLE AS $$
  SELECT ''::name, ''::name, ''::name, ''::character varying, 0 WHERE false
$$;

-- There are no external schemas.
-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_EXTERNAL_SCHEMAS.html and the pages beside it
CREATE OR REPLACE VIEW pg_catalog.svv_external_schemas AS
SELECT
  0::oid AS esoid, 0::smallint AS eskind, ''::name AS schemaname, 0 AS esowner, ''::text AS databasename,
  ''::text AS esoptions
WHERE false;

CREATE OR REPLACE VIEW pg_catalog.svv_external_tables AS
SELECT
  ''::text AS redshift_database_name, ''::text AS schemaname, ''::text AS tablename, ''::text AS tabletype,
  ''::text AS location, ''::text AS input_format, ''::text AS output_format, ''::text AS serialization_lib,
  ''::text AS serde_parameters, 0 AS compressed, ''::text AS parameters
WHERE false;

CREATE OR REPLACE VIEW pg_catalog.svv_external_columns AS
SELECT
  ''::text AS redshift_database_name, ''::text AS schemaname, ''::text AS tablename, ''::text AS columnname,
  ''::text AS external_type, 0 AS columnnum, 0 AS part_key, ''::text AS is_nullable
WHERE false;

-- Before it inserts a file, redshift_connector looks here for the table and its columns.
-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_ALL_TABLES.html
CREATE OR REPLACE VIEW pg_catalog.svv_all_tables AS
SELECT
  table_catalog::character varying(128) AS database_name, table_schema::character varying(128) AS schema_name,
  table_name::character varying(128) AS table_name, NULL::character varying(128) AS table_acl,
  replace(table_type, 'BASE TABLE', 'TABLE')::character varying(128) AS table_type,
  remarks::character varying(256) AS remarks
FROM pg_catalog.svv_tables;

-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_ALL_COLUMNS.html
CREATE OR REPLACE VIEW pg_catalog.svv_all_columns AS
SELECT
  table_catalog::character varying(128) AS database_name, table_schema::character varying(128) AS schema_name,
  table_name::character varying(128) AS table_name, column_name::character varying(128) AS column_name,
  ordinal_position, column_default::character varying(4000) AS column_default,
  is_nullable::character varying(3) AS is_nullable, data_type::character varying(128) AS data_type,
  character_maximum_length, numeric_precision, numeric_scale, remarks::character varying(256) AS remarks
FROM pg_catalog.svv_columns;

GRANT SELECT ON
  pg_catalog.svv_all_tables, pg_catalog.svv_all_columns,
  local_redshift.pg_class, local_redshift.pg_attribute, local_redshift.pg_attrdef, local_redshift.pg_constraint,
  pg_catalog.svv_external_schemas, pg_catalog.svv_external_tables, pg_catalog.svv_external_columns
TO public;
