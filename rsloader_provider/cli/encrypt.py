"""`rsloader encrypt`: a secret becomes a text that a load file may hold."""

import sys
from typing import Annotated

import typer

from rsloader_provider.cli.airflow_hook import rsloader_hook
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.run.load_secrets import encrypt_secret


def encrypt(
    load: Annotated[str, typer.Argument(metavar="LOAD", help="Name of the load that the secret is for.")],
    key: Annotated[str, typer.Option(help="The KMS key: its alias (alias/…), id or ARN.")],
    aws_conn_id: Annotated[str, typer.Option(help="The Airflow connection for KMS.")] = "aws_default",
) -> None:
    """Encrypt a secret for one load, and print the text that stands for it in the load's file.

    Asks for the secret without showing it. Reads piped input instead, without its last line end. No other load can use
    the text.
    """
    with errors_to_exit_code():
        secret = typer.prompt("Secret", hide_input=True, err=True) if sys.stdin.isatty() else _piped_in(load)
        text = encrypt_secret(rsloader_hook(aws_conn_id).get_keys(), load=load, key=key, secret=secret)
    typer.echo(text)


def _piped_in(load: str) -> str:
    try:
        # Read as bytes: in text mode the locale would decide how they are decoded.
        secret = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"load {load}: the secret is not UTF-8 text. Nothing was encrypted.") from None
    return secret.removesuffix("\n").removesuffix("\r")
