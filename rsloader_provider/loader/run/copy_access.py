"""How Redshift reads the objects that it is to copy: with a role of its own, or with a key that it is given."""

from collections.abc import Callable

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.loader.ports.credentials import Credentials
from rsloader_provider.loader.ports.keys import Keys
from rsloader_provider.loader.run.load_secrets import decrypt_secret

log = logger_of(__name__)


class CopyAccess:
    """Gives the key that Redshift reads a load's objects with, right before it does.

    Nothing is kept: a role's credentials end, and a key may be changed between two batches.

    Args:
        keys: Gives KMS; asked only for loads with an encrypted secret.
        credentials: Gives the credentials of Airflow's AWS connections.
        mask: Keeps a secret out of every log. The loader gives it only to Redshift, and nothing else may write it into
            the task's log.
    """

    def __init__(
        self, keys: Callable[[], Keys], credentials: Credentials, mask: Callable[[str], None] = lambda _: None
    ):
        self._keys = keys
        self._credentials = credentials
        self._mask = mask

    def __call__(self, config: LoadConfig) -> AccessKey | None:
        """Give the key, or None where Redshift reads with a role of its own.

        Raises:
            ConfigurationError, NotSetUpError, AccessDeniedError, TransientError: As `Credentials.of` and
                `decrypt_secret` raise them; they name the load's setting, and no secret.
        """
        options = config.copy_options
        log.info("load %s: Redshift reads with %s", config.load, options.reader)
        key = self._key(config)
        for secret in key.secrets if key else ():
            self._mask(secret)
        return key

    def _key(self, config: LoadConfig) -> AccessKey | None:
        options = config.copy_options
        if options.aws_conn_id is not None:
            return self._credentials.of(options.aws_conn_id)
        if options.access_key_id is None or options.secret_access_key is None:
            return None
        secret = decrypt_secret(
            self._keys(), load=config.load, setting="copy.secret_access_key", text=options.secret_access_key
        )
        return AccessKey(options.access_key_id, secret)
