"""`rsloader explain`: the story of one object."""

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from rsloader_provider.cli.airflow_hook import rsloader_hook, task_state
from rsloader_provider.cli.console import Console, escape, print_json, say
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError, NotSetUpError, TransientError
from rsloader_provider.loader.load_files.folder import read_load_folder
from rsloader_provider.loader.look.explain import explain_object
from rsloader_provider.loader.services import Services
from rsloader_provider.loader.variables import refuse_other_values


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
        folder = read_load_folder(loads)
        for config in folder.loads.values():
            if config.variables:
                # What cannot be asked is told in the story.
                with suppress(AccessDeniedError, NotSetUpError, TransientError):
                    refuse_other_values(config, services_of(config.aws_conn_id))
        story = explain_object(_parsed(url), folder, services_of, task_state)
    if as_json:
        print_json(story.as_json())
        return
    console = Console(soft_wrap=True)
    console.print(f"[bold]{escape(story.url)}[/]", highlight=False)
    say(story.sentences)
    for each in story.loads:
        console.print()
        say(each.sentences)


def _parsed(url: str) -> S3Url:
    try:
        parsed = S3Url.of_object(url)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    if not parsed.key:
        raise ConfigurationError(f"{url!r} is a bucket; write the URL of one object, s3://bucket/key.")
    return parsed
