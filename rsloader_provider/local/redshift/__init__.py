"""A local Redshift: an embedded PostgreSQL behind a proxy that speaks Redshift's protocol and loads from a local S3.

Run it with `python -m rsloader_provider.local.redshift`, or from Python:

    with LocalRedshift(s3_endpoint="http://127.0.0.1:5000") as redshift:
        redshift_connector.connect(host=redshift.host, port=redshift.port, ssl=False, …)

Tests may order faults, such as a connection that breaks at COMMIT: see `faults`.
"""

from rsloader_provider.local.redshift.process import LocalRedshift

__all__ = ["LocalRedshift"]
