"""The name under which a load keeps its claims and batches."""

from rsloader_provider.core.config import LoadConfig

SHADOW = "@shadow"
"""No load's name holds an '@', so no other load has a shadow's records."""


def as_recorded(config: LoadConfig) -> LoadConfig:
    """Give the load under the name that it has in the ledger: its own, or a shadow's name beside it.

    Safe to call twice.
    """
    if not config.shadow or config.load.endswith(SHADOW):
        return config
    return config.model_copy(update={"load": config.load + SHADOW})
