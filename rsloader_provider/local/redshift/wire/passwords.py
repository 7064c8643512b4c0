"""Passwords: how they are kept, and whether what a client sent is one of them.

PostgreSQL keeps `md5` and the hexadecimal MD5 of the password followed by the name, in pg_authid. Redshift takes the
same form in `CREATE USER … PASSWORD 'md5…'`. From it both kinds of log-in can be checked.

Temporary passwords stand in `local_redshift.temporary_password` of the database that the server was started with (see
users.sql). The local AWS writes one by calling, as a superuser and in that database,

    SELECT local_redshift.grant_temporary_password('alice', 'secret', 900)

after which, for 900 seconds, a client may log in as `IAM:alice`, `IAMA:alice` or `IAMR:alice` with the password
`secret`, and is then the database user `alice`. Its columns:

    login_name    the name with the prefix, as the client sends it
    user_name     the database user that the client becomes; it has to exist at the log-in, not before
    password_md5  `md5` and the hexadecimal MD5 of the password followed by login_name
    valid_until   when the password ends, with a time zone

Several rows may hold for one name at the same time, as several calls of the AWS API do.
Source: https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
"""

import hashlib
import hmac
from typing import NamedTuple


class StoredPassword(NamedTuple):
    """A password that is valid now, and whom it admits.

    Attributes:
        user: The database user.
        md5: `md5` and the hexadecimal MD5 of the password followed by the name that the client logs in with.
    """

    user: str
    md5: str


def hashed(password: str, name: str) -> str:
    """Return a password as PostgreSQL keeps it.

    >>> hashed("Secret12", "alice")
    'md5f13c4160b9a8034a37dad6190970f3d1'
    """
    return "md5" + _md5((password + name).encode())


def admits(stored: StoredPassword, *, name: str, answer: str, salt: bytes | None) -> bool:
    """Tell whether a client's answer proves that it knows a password.

    Args:
        stored: The password.
        name: What the client calls itself.
        answer: What it sent: the password itself or, to a challenge, its salted hash.
        salt: The challenge; None if the client was asked for the password itself.
    """
    if salt is None:
        return hmac.compare_digest(stored.md5.encode(), hashed(answer, name).encode())
    expected = "md5" + _md5(stored.md5.removeprefix("md5").encode() + salt)
    return hmac.compare_digest(expected.encode(), answer.encode())


def _md5(text: bytes) -> str:
    return hashlib.md5(text, usedforsecurity=False).hexdigest()  # the protocol's choice
