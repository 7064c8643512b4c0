"""Fixtures that the tests of this folder share, by name."""

from support import airflow_home  # noqa: F401  the benchmarks and the sample's tables are asked through Airflow
from support.redshift_fixtures import (  # noqa: F401
    client,
    connect,
    landing,
    redshift_aws,
    s3,
    s3_endpoint,
    serializable_redshift,
    snapshot_redshift,
)
