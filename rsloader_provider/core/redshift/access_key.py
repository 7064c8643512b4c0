"""An access key of AWS, long-lived or temporary, that the loader hands on."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key; its secret halves stand in no `repr`, and so in no message and no traceback.

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
        """What nobody may be told."""
        return tuple(filter(None, (self.secret_access_key, self.session_token)))
