"""Fixtures that the tests of this folder share, by name."""

from support import airflow_home  # noqa: F401  hooks and operators of Airflow's providers talk to the stand-ins
from support.redshift_fixtures import (  # noqa: F401
    client,
    connect,
    landing,
    redshift_aws,
    s3,
    s3_endpoint,
    serializable_redshift,
    simple,
    snapshot_redshift,
)
