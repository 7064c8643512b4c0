"""The command `rsloader`: registers what its modules do."""

import typer

from rsloader_provider.cli.schema import schema
from rsloader_provider.cli.validate import validate

app = typer.Typer(
    name="rsloader",
    help="Loads files from S3 into Amazon Redshift on Apache Airflow, every object exactly once.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.command()(validate)
app.command()(schema)
