"""The Redshift Data API, run against the local Redshift.

Every statement runs in a thread and a database session of its own, unless it names a session that was kept alive.
Statements and their results are kept in memory: the last 1,000 statements, and of their results the last 500 MB.
Source: https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html
"""

from rsloader_provider.local.aws.redshift.data.service import redshift_data_service

__all__ = ["redshift_data_service"]
