"""What every model of a load configuration is: frozen, without unknown keys, plain JSON and back."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict

_Value = TypeVar("_Value", str, int, None)


class Settings(BaseModel):
    """Frozen, without unknown keys, and taken by name or by alias."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # a load that is built by hand may hold a secret
    )
