"""What a load remembers beside its open batch, in the item that names that, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rsloader_provider.aws.dynamodb.items import CURRENT, Item, text, time
from rsloader_provider.core.errors import CorruptLedgerError
from rsloader_provider.core.ledger.boundary import LeftAlone
from rsloader_provider.core.ledger.renaming import Accepted, Renaming


def left_alone_map(left_alone: LeftAlone) -> Item:
    """Write what a load leaves alone as a map, with an empty text for what some load file names."""
    return {prefix: "" if since is None else since.isoformat() for prefix, since in left_alone.items()}


def left_alone_from(current: Mapping[str, Any]) -> LeftAlone | None:
    """Read what a load leaves alone from the item that names its open batch; None where nothing is recorded.

    Raises:
        CorruptLedgerError: The item does not say what it must.
    """
    if "left_alone" not in current:
        return None
    try:
        return {text(prefix): time(since) if since else None for prefix, since in current["left_alone"].items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise CorruptLedgerError(
            f"Item {CURRENT} of load {current.get('load')!r} cannot be read ({error!r}). Remove its attribute "
            "left_alone; the next run writes it again. Nothing was changed."
        ) from error


def renaming_map(renaming: Renaming) -> Item:
    """Write a renaming as a map."""
    return {**asdict(renaming), "began_at": renaming.began_at.isoformat()}


def renaming_from(current: Mapping[str, Any]) -> Renaming | None:
    """Read the renaming that is under way from the item that names a load's open batch; None if there is none.

    Raises:
        CorruptLedgerError: The item does not say what it must.
    """
    if "renaming" not in current:
        return None
    try:
        found = current["renaming"]
        return Renaming(text(found["old"]), text(found["new"]), text(found["by"]), time(found["began_at"]))
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(current, "renaming", error) from error


def accepted_map(accepted: Mapping[str, Accepted]) -> Item:
    """Write of which other loads a person has said that a load may load what they have loaded."""
    return {other: {"by": each.by, "at": each.at.isoformat()} for other, each in accepted.items()}


def accepted_from(current: Mapping[str, Any]) -> Mapping[str, Accepted]:
    """Read that from the item that names a load's open batch; nothing where nothing is recorded.

    Raises:
        CorruptLedgerError: The item does not say what it must.
    """
    try:
        listed = current.get("accepted", {}).items()
        return {text(other): Accepted(text(each["by"]), time(each["at"])) for other, each in listed}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(current, "accepted", error) from error


def _unreadable(current: Mapping[str, Any], name: str, error: Exception) -> CorruptLedgerError:
    return CorruptLedgerError(
        f"Item {CURRENT} of load {current.get('load')!r} cannot be read ({error!r}). Put its attribute {name} back as "
        "it was, for example from a backup of the table. Nothing was changed."
    )


def variables_from(current: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Read the digests of a load's variables from the item that names its open batch; None where none are recorded.

    Raises:
        CorruptLedgerError: The item does not say what it must.
    """
    if "variables" not in current:
        return None
    try:
        return {text(name): text(digest) for name, digest in current["variables"].items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise CorruptLedgerError(
            f"Item {CURRENT} of load {current.get('load')!r} cannot be read ({error!r}). Remove its attribute "
            "variables; the next run writes it again. Nothing was changed."
        ) from error
