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
