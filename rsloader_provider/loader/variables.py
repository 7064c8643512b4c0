"""Whether a load file's variables stand here for what they stood for in the load's last run."""

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.core.load_file.variables import differing
from rsloader_provider.loader.services import Services


def refuse_other_values(config: LoadConfig, services: Services) -> None:
    """Refuse to look or work for a load that is another one here than where it runs. Costs nothing without variables.

    Raises:
        ConfigurationError: A variable has another value here than in the load's last run.
    """
    if not config.variables:
        return
    if others := differing(config.variables, services.ledger.variables(as_recorded(config).load)):
        names = ", ".join(others)
        raise ConfigurationError(
            f"load {config.load}: {names} had another value in the load's last run than it has here, so that here the "
            "load file means another load. Nothing was done. Set it as the workers have it. If theirs was changed, the "
            "load's next run makes it known."
        )
