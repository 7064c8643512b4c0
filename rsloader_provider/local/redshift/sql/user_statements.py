"""CREATE USER and ALTER USER, in PostgreSQL's words.

Passwords are hashed here, so that PostgreSQL sees, keeps and logs only hashes. What Redshift can do and PostgreSQL
cannot is refused.
Source: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
"""

import re

from rsloader_provider.local.redshift.errors import RedshiftError, unsupported
from rsloader_provider.local.redshift.sql.quoting import Fragment, identifier, join, render
from rsloader_provider.local.redshift.sql.token_reader import TokenReader
from rsloader_provider.local.redshift.sql.tokens import Token
from rsloader_provider.local.redshift.wire.passwords import hashed

# On Redshift anybody may lock a table that they may write to; pg_maintain stands for that.
_LOCKING_ROLE = Fragment("pg_maintain")
_MD5_HASH = re.compile(r"md5[0-9a-f]{32}", re.IGNORECASE)
_GOOD_PASSWORD = re.compile(r"""(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[^'"\\/@\x00-\x20\x7f-\U0010ffff]{8,64}""")


def rewrite(tokens: list[Token]) -> Fragment | None:
    """Return CREATE USER or ALTER USER for PostgreSQL, or None for a statement that it takes as it is.

    Raises:
        RedshiftError: The statement is malformed, its password is too weak, or an option is not supported.
    """
    reader = TokenReader(tokens)
    if reader.take("CREATE", "USER"):
        return _create(reader)
    if reader.take("ALTER", "USER"):
        name = reader.name()
        if not (reader.take("RENAME") or reader.take("SET")):
            return _alter(reader, name)
        # PostgreSQL's own words. A new name makes it forget an md5 password, as Redshift does: it hashes the name too.
    return None


def _create(reader: TokenReader) -> Fragment:
    name = reader.name()
    reader.take("WITH")
    roles: list[Fragment] = []
    options: list[Fragment] = []
    has_password = False
    while not reader.ended:
        if reader.take("IN", "GROUP"):
            roles.append(reader.identifier())
            while reader.take(","):
                roles.append(reader.identifier())
        elif reader.take("PASSWORD"):
            has_password = True
            options.append(_password(reader, name))
        else:
            options.append(_option(reader))
    if not has_password:
        raise reader.unexpected()  # Redshift's grammar has no CREATE USER without one
    options.append(render("IN ROLE {roles}", roles=join(", ", [*roles, _LOCKING_ROLE])))
    return render("CREATE ROLE {name} LOGIN {options}", name=identifier(name), options=join(" ", options))


def _alter(reader: TokenReader, name: str) -> Fragment:
    reader.take("WITH")
    options: list[Fragment] = []
    if reader.take("RESET"):
        if reader.take("SESSION", "TIMEOUT"):
            raise unsupported("SESSION TIMEOUT")
        return render("ALTER ROLE {name} RESET {parameter}", name=identifier(name), parameter=reader.identifier())
    while not reader.ended:
        options.append(_password(reader, name) if reader.take("PASSWORD") else _option(reader))
    if not options:
        raise reader.unexpected()
    return render("ALTER ROLE {name} {options}", name=identifier(name), options=join(" ", options))


def _password(reader: TokenReader, user: str) -> Fragment:
    if reader.take("DISABLE"):
        return Fragment("PASSWORD NULL")
    password = reader.literal()
    if password.startswith("sha256|"):
        raise unsupported("A SHA-256 password")
    if not _MD5_HASH.fullmatch(password):
        if not _GOOD_PASSWORD.fullmatch(password):
            raise RedshiftError(
                "Password must be 8 to 64 characters long, with at least one uppercase letter, one lowercase letter "
                "and one number, and without ', \", \\, /, @ or a space"
            )
        password = hashed(password, user)
    return render("PASSWORD {password}", password=password.lower())


def _option(reader: TokenReader) -> Fragment:
    """Read one of the options that both statements have."""
    if reader.take("CONNECTION", "LIMIT"):
        return render("CONNECTION LIMIT {limit}", limit=-1 if reader.take("UNLIMITED") else reader.integer())
    if reader.take("VALID", "UNTIL"):
        return render("VALID UNTIL {moment}", moment=reader.literal())
    if reader.take("SYSLOG", "ACCESS"):
        if reader.take("RESTRICTED"):
            return Fragment("")  # every user's access is restricted here
        raise unsupported("SYSLOG ACCESS UNRESTRICTED") if reader.take("UNRESTRICTED") else reader.unexpected()
    if reader.take("SESSION", "TIMEOUT"):
        raise unsupported("SESSION TIMEOUT")
    if reader.take("EXTERNALID"):
        raise unsupported("EXTERNALID")
    rights = {
        "CREATEDB": "CREATEDB",
        "NOCREATEDB": "NOCREATEDB",
        "CREATEUSER": "SUPERUSER",
        "NOCREATEUSER": "NOSUPERUSER",
    }
    return Fragment(rights[reader.take_one_of(*rights)])
