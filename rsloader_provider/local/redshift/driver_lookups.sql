-- What drivers and their dialects look up about the server itself. Run in every database that is entered, so every
-- statement may be repeated.

-- Programs tell Redshift from PostgreSQL by this sentence.
CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), '
    || 'Redshift 1.0.107351'
$$;
