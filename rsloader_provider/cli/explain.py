"""`rsloader explain`: the story of one object."""

import json
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from rsloader_provider.cli.airflow_hook import rsloader_hook, task_state
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.load_files.folder import read_load_folder
from rsloader_provider.loader.look.explain import explain_object
from rsloader_provider.loader.services import Services


def explain(
    url: Annotated[str, typer.Argument(metavar="URL", help="The object, s3://bucket/key, as S3 has it.")],
    loads: Annotated[Path, typer.Option(help="Folder of the load files.")] = Path("loads"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show which load owns an object, how far it is, and what happens next."""

    @cache
    def services_of(aws_conn_id: str) -> Services:
        return rsloader_hook(aws_conn_id).get_conn()

    with errors_to_exit_code():
        story = explain_object(_parsed(url), read_load_folder(loads), services_of, task_state)
    if as_json:
        typer.echo(json.dumps(story.as_json(), indent=2))
        return
    console = Console(soft_wrap=True)
    console.print(f"[bold]{escape(story.url)}[/]", highlight=False)
    for sentence in story.sentences:
        console.print(escape(sentence), highlight=False)
    for each in story.loads:
        console.print()
        for sentence in each.sentences:
            console.print(escape(sentence), highlight=False)


def _parsed(url: str) -> S3Url:
    try:
        parsed = S3Url.of_object(url)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    if not parsed.key:
        raise ConfigurationError(f"{url!r} is a bucket; write the URL of one object, s3://bucket/key.")
    return parsed
