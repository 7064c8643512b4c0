"""`rsloader schema`: what a load file may say, for editors."""

import json

import typer

from rsloader_provider.core.config import LoadConfig


def schema() -> None:
    """Print the JSON Schema of a load file.

    Save it, and name it in the first line of a load file, so that an editor completes and checks:
    `# yaml-language-server: $schema=load.schema.json`
    """
    typer.echo(json.dumps(load_schema(), indent=2, ensure_ascii=False))


def load_schema() -> dict[str, object]:
    """Return the JSON Schema of a load file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **LoadConfig.model_json_schema(by_alias=True)}
