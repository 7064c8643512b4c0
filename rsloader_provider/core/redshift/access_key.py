"""An AWS access key, long-lived or temporary, that the loader gives to Redshift."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key. Its `repr` does not show the secret halves, so no message or traceback holds them.

    >>> AccessKey("AKIA…", "secret")
    AccessKey(access_key_id='AKIA…')

    Attributes:
        access_key_id: Its public half.
        secret_access_key: Its secret half.
        session_token: What has to come with a temporary key; None for a long-lived one.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must never be shown."""
        return tuple(filter(None, (self.secret_access_key, self.session_token)))
