"""`rsloader permissions`: the minimum permissions of each load in IAM and in Redshift."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rsloader_provider.cli.airflow_hook import data_api_address_of, table_names
from rsloader_provider.cli.console import print_json, say
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.permissions import (
    Installation,
    operator_policy,
    reader_policies,
    render_policy,
    setup_policy,
    worker_policy,
)
from rsloader_provider.core.redshift.data_api_address import DataApiAddress
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.load_files.folder import read_load_folder
from rsloader_provider.loader.setup import grants_for_loads


def permissions(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the load files.")] = Path("loads"),
    load: Annotated[str | None, typer.Option(help="Only this load.")] = None,
    user: Annotated[str, typer.Option(help="The loader's Redshift user.")] = "rsloader",
    region: Annotated[str, typer.Option(help="Region of the DynamoDB tables.")] = "*",
    account: Annotated[str, typer.Option(help="AWS account of the DynamoDB tables.")] = "*",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Print the minimum permissions of each load: IAM policies for workers and Redshift, and Redshift's grants.

    Asks AWS and Redshift nothing. Reads the Airflow connections of targets with `transport: data_api`. Of what only
    `rsloader setup` needs, once, it prints the IAM policy; `rsloader setup --print-sql` prints the rest.
    """
    with errors_to_exit_code():
        configs = _configs(folder, load)
        if names := sorted({name for config in configs for name in config.variables}):
            say([f"Note: these variables were read as they are here: {', '.join(names)}."], aside=True)
        found = _found(configs, user, _installation(region, account))
    if as_json:
        print_json(found)
    else:
        _print(configs, found)


def _configs(folder: Path, load: str | None) -> list[LoadConfig]:
    read = read_load_folder(folder)
    if load in read.loads:
        return [read.loads[load]]
    if read.mistakes:
        raise ConfigurationError("Correct the load files first.", *read.mistakes)
    if load is not None:
        raise ConfigurationError(f"There is no load {load!r} in {folder}. Its loads: {', '.join(sorted(read.loads))}.")
    return [*read.loads.values()]


def _installation(region: str, account: str) -> Installation:
    # botocore takes a second to import, which the other commands should not.
    from rsloader_provider.aws.dynamodb.tables import ATTENTION_INDEX  # noqa: PLC0415

    names = table_names()
    return Installation(names.files, names.batches, ATTENTION_INDEX, region, account)


def _places(config: LoadConfig) -> dict[str, DataApiAddress]:
    conn_ids = dict.fromkeys(target.conn_id for target in config.targets if target.transport == "data_api")
    return {conn_id: data_api_address_of(conn_id) for conn_id in conn_ids}


def _found(configs: Sequence[LoadConfig], user: str, installation: Installation) -> dict[str, Any]:
    return {
        "setup_policy": render_policy(setup_policy(installation)),
        "loads": {
            config.load: {
                "aws_conn_id": config.aws_conn_id,
                "worker_policy": render_policy(worker_policy(config, installation, _places(config))),
                "operator_policy": render_policy(operator_policy(config, installation)),
                "redshift_role_policies": {
                    role: render_policy(policy) for role, policy in reader_policies(config, installation).items()
                },
            }
            for config in configs
        },
        "redshift_grants": {
            conn_id: [*map(render, statements)] for conn_id, statements in grants_for_loads(configs, user).items()
        },
    }


def _reader(name: str) -> str:
    kind, _, conn_id = name.partition(" ")
    match kind:
        case "default":
            return "the default role of the cluster or workgroup"
        case "copy.aws_conn_id":
            return f"the role or user of Airflow connection {conn_id}"
        case "copy.access_key_id":
            return "the user whose key copy.access_key_id is"
    return f"the role {name}"


def _print(configs: Sequence[LoadConfig], found: dict[str, Any]) -> None:
    typer.echo("-- IAM policy for `rsloader setup`, once; SeeProtection also for `rsloader audit`")
    print_json(found["setup_policy"])
    for config in configs:
        each = found["loads"][config.load]
        typer.echo(f"-- load {config.load}: IAM policy for the role or user of Airflow connection {config.aws_conn_id}")
        print_json(each["worker_policy"])
        typer.echo(f"-- load {config.load}: IAM policy, besides the one above, for people who operate it")
        print_json(each["operator_policy"])
        for role, policy in each["redshift_role_policies"].items():
            typer.echo(f"-- load {config.load}: IAM policy for {_reader(role)}, with which Redshift reads")
            print_json(policy)
    for conn_id, statements in found["redshift_grants"].items():
        typer.echo(f"-- Airflow connection {conn_id}: SQL for a superuser or the owner of the tables")
        for statement in statements:
            typer.echo(f"{statement};")
