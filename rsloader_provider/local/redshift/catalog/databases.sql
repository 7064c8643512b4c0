-- What a database is set to. Run in every database that is entered, so every statement may be repeated.
-- A user sees the databases that they own; a superuser sees all.
-- Source: https://docs.aws.amazon.com/redshift/latest/dg/r_STV_DB_ISOLATION_LEVEL.html

CREATE OR REPLACE VIEW pg_catalog.stv_db_isolation_level AS
SELECT
  datname::character(128) AS db_name,
  CASE coalesce(
    (
      SELECT split_part(setting, '=', 2) FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS setting
      WHERE setdatabase = pg_database.oid AND setrole = 0 AND setting LIKE 'default_transaction_isolation=%'
    ),
    current_setting('local_redshift.default_isolation')
  )
    WHEN 'serializable' THEN 'Serializable' ELSE 'Snapshot Isolation'
  END::character(20) AS isolation_level
FROM pg_catalog.pg_database
WHERE NOT datistemplate AND local_redshift.sees(datdba::integer);
GRANT SELECT ON pg_catalog.stv_db_isolation_level TO public;
