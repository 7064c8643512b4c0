"""`rsloader local sample`: the demo's buckets, table and files, put into a stack that runs."""

import typer

from rsloader_provider.cli.airflow_hook import rsloader_hook
from rsloader_provider.cli.failures import errors_to_exit_code


def put_sample() -> None:
    """Create the demo's buckets and table and drop its files, where the environment of `rsloader local up` points."""
    # Airflow takes seconds to import, which the other commands should not.
    import boto3  # noqa: PLC0415

    from rsloader_provider.core.redshift.sql import UserStatement  # noqa: PLC0415
    from rsloader_provider.local import sample  # noqa: PLC0415

    s3 = boto3.client("s3")
    sample.create_buckets(s3)
    with (
        errors_to_exit_code(),
        rsloader_hook("aws_default").get_conn().warehouse.connect("redshift_default") as session,
    ):
        session.execute(UserStatement(sample.CREATE_TABLE))
    sample.drop_files(s3)
    typer.echo(f"dropped {len(sample.ROWS_PER_FILE)} files under s3://{sample.LANDING_BUCKET}/{sample.PREFIX}")
