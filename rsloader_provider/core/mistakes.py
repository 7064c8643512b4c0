"""How a setting's check says what is wrong: a sentence, and another on what to write instead."""

from pydantic_core import PydanticCustomError

MISTAKE = "rsloader_mistake"


def mistake(message: str, hint: str, *, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Build the error that a check raises; it is a `ValueError`, and pydantic collects it with all others.

    Args:
        message: What is wrong, as a sentence that starts small and ends with a full stop.
        hint: What to write instead, as a sentence.
        at: Where below the setting being checked the mistake stands, e.g. `(1, "table")`. Empty means the setting.
    """
    # The template holds no text of the user's: braces in it would be read as places to fill.
    return PydanticCustomError(MISTAKE, "{message} {hint}", {"message": message, "hint": hint, "at": at})
