"""The command `rsloader`: registers what its modules do."""

import typer

from rsloader_provider.cli.audit import audit
from rsloader_provider.cli.demo.demo import demo
from rsloader_provider.cli.encrypt import encrypt
from rsloader_provider.cli.explain import explain
from rsloader_provider.cli.import_lambda import import_lambda
from rsloader_provider.cli.local import local_app
from rsloader_provider.cli.new import new
from rsloader_provider.cli.operate.backfill import backfill
from rsloader_provider.cli.operate.batches import close_now, delete_batches, reprocess, restore
from rsloader_provider.cli.operate.decide import mark_loaded, mark_not_loaded
from rsloader_provider.cli.operate.look_up import batch, batches, files, unlock
from rsloader_provider.cli.operate.objects import forget, reprocess_objects
from rsloader_provider.cli.permissions import permissions
from rsloader_provider.cli.schema import schema
from rsloader_provider.cli.set_setting import set_setting
from rsloader_provider.cli.setup import setup
from rsloader_provider.cli.shadow_report import shadow_report
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
    encrypt,
    batches,
    batch,
    files,
    audit,
    explain,
    mark_loaded,
    mark_not_loaded,
    reprocess,
    close_now,
    unlock,
    forget,
    reprocess_objects,
    backfill,
    delete_batches,
    restore,
    import_lambda,
    shadow_report,
    demo,
):
    app.command()(command)
app.command()(new)
app.command("set")(set_setting)
app.add_typer(local_app, name="local")
