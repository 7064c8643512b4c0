"""The access keys that the local AWS has issued: its own two, IAM users' and the temporary ones of STS.

moto keeps the keys of users and of assumed roles. It answers every GetSessionToken with the same key, so here every
call gets a key of its own.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends
from moto.sts.responses import TokenResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

# The first is in LocalAws.env(), and the local Redshift's role uses it; most programs written for moto send the second.
_OWN_KEYS = {"local": "local", "test": "test"}
_SESSION_SECONDS = 43_200  # AWS's default for GetSessionToken


class AccessKey(NamedTuple):
    """One access key.

    Attributes:
        key_id: Its public half.
        secret: Its secret half.
        token: The session token that has to come with it; None for a key that is not temporary.
        expires: When it ends; None for never.
        holder: Whose it is: `IAM:<user>`, `IAMR:<role>`, or None for the account itself.
    """

    key_id: str
    secret: str
    token: str | None = None
    expires: datetime | None = None
    holder: str | None = None


class AccessKeys:
    """Finds a key by its id. Make one per process, as moto's state is the process's."""

    def __init__(self) -> None:
        self._sessions: dict[str, AccessKey] = {}

        def get_session_token(response: TokenResponse) -> ActionResult:
            return self._get_session_token(response)

        TokenResponse.get_session_token = get_session_token  # type: ignore[method-assign,assignment]

    def find(self, key_id: str) -> AccessKey | None:
        """Return an active key, None for one that was never issued, is deleted or is switched off."""
        if key_id in _OWN_KEYS:
            return AccessKey(key_id, _OWN_KEYS[key_id])
        if key_id in self._sessions:
            return self._sessions[key_id]
        return next((key for key in _issued_by_moto() if key.key_id == key_id), None)

    def _get_session_token(self, response: TokenResponse) -> ActionResult:
        seconds = response._get_int_param("DurationSeconds", _SESSION_SECONDS)
        key = AccessKey(
            "ASIA" + secrets.token_hex(8).upper(),
            secrets.token_urlsafe(30),
            secrets.token_urlsafe(120),
            datetime.now(UTC) + timedelta(seconds=seconds),
        )
        self._sessions[key.key_id] = key
        credentials = {
            "AccessKeyId": key.key_id,
            "SecretAccessKey": key.secret,
            "SessionToken": key.token,
            "Expiration": key.expires,
        }
        return ActionResult({"Credentials": credentials})


def _issued_by_moto() -> Iterator[AccessKey]:
    for users in [backend.users for partitions in list(iam_backends.values()) for backend in list(partitions.values())]:
        for user in list(users.values()):
            for key in user.access_keys:
                if key.status == "Active":
                    yield AccessKey(key.access_key_id, key.secret_access_key, holder=f"IAM:{user.name}")
    for roles in [
        backend.assumed_roles for partitions in list(sts_backends.values()) for backend in list(partitions.values())
    ]:
        for role in list(roles):
            yield AccessKey(
                role.access_key_id,
                role.secret_access_key,
                role.session_token,
                role.expiration.replace(tzinfo=UTC),
                f"IAMR:{role.role_arn.rpartition('/')[2]}",
            )
