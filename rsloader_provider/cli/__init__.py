"""The command `rsloader`: registers what its modules do."""

import typer

from rsloader_provider.cli.audit import audit
from rsloader_provider.cli.decide import mark_loaded, mark_not_loaded
from rsloader_provider.cli.demo import demo
from rsloader_provider.cli.explain import explain
from rsloader_provider.cli.local import local_app
from rsloader_provider.cli.look_up import batch, batches, files
from rsloader_provider.cli.new import new
from rsloader_provider.cli.permissions import permissions
from rsloader_provider.cli.schema import schema
from rsloader_provider.cli.set_setting import set_setting
from rsloader_provider.cli.setup import setup
from rsloader_provider.cli.validate import validate

app = typer.Typer(
    name="rsloader",
    help="Loads files from S3 into Amazon Redshift on Apache Airflow, every object exactly once.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
for command in (
    setup,
    permissions,
    validate,
    schema,
    batches,
    batch,
    files,
    audit,
    explain,
    mark_loaded,
    mark_not_loaded,
    demo,
):
    app.command()(command)
app.command()(new)
app.command("set")(set_setting)
app.add_typer(local_app, name="local")
