-- Temporary passwords, as GetClusterCredentials and the serverless GetCredentials hand them out.
-- Run at every start in the database that the server was started with, so every statement may be repeated.

-- login_name is what a client calls itself, such as IAM:alice; password_md5 has the form of pg_authid.rolpassword for a
-- role of that name, because a driver that answers an md5 challenge hashes the name that it logs in with.
CREATE TABLE IF NOT EXISTS local_redshift.temporary_password (
  login_name text NOT NULL, user_name text NOT NULL, password_md5 text NOT NULL, valid_until timestamptz NOT NULL
);
DELETE FROM local_redshift.temporary_password WHERE valid_until <= now();
REVOKE ALL ON local_redshift.temporary_password FROM public;

-- Adds to the passwords that are still valid, as every call of the AWS API does. It only inserts, so that two calls at
-- the same time never make each other fail. The user need not exist before it logs in.
CREATE OR REPLACE FUNCTION local_redshift.grant_temporary_password(user_name text, password text, seconds integer)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO local_redshift.temporary_password
  SELECT
    prefix || $1, $1, 'md5' || pg_catalog.md5($2 || prefix || $1),
    pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => $3)
  FROM pg_catalog.unnest(ARRAY['IAM:', 'IAMA:', 'IAMR:']) AS prefix
$$;
REVOKE ALL ON FUNCTION local_redshift.grant_temporary_password(text, text, integer) FROM public;
