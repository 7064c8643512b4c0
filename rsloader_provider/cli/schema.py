"""`rsloader schema`: what a load file may say, for editors."""

from rsloader_provider.cli.console import print_json
from rsloader_provider.core.config import LoadConfig


def schema() -> None:
    """Print the JSON Schema of a load file.

    Save it, and name it in the first line of a load file, so that an editor completes and checks:
    `# yaml-language-server: $schema=load.schema.json`
    """
    print_json(load_schema())


def load_schema() -> dict[str, object]:
    """Return the JSON Schema of a load file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **LoadConfig.model_json_schema(by_alias=True)}
