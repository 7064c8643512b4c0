"""CREATE DATABASE, ALTER DATABASE and DROP DATABASE, in PostgreSQL's words.

Source: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_DATABASE.html
"""

from dataclasses import dataclass

from rsloader_provider.local.redshift.errors import RedshiftError, unsupported
from rsloader_provider.local.redshift.postgres import ISOLATION_LEVELS, Isolation
from rsloader_provider.local.redshift.sql.quoting import Fragment, identifier, join, render
from rsloader_provider.local.redshift.sql.token_reader import TokenReader
from rsloader_provider.local.redshift.sql.tokens import Token


@dataclass(frozen=True)
class DatabaseChange:
    """A statement about a database as a whole.

    Attributes:
        sql: What PostgreSQL gets.
        vacates: The database that nobody may be in, not even the catalog's session, or None.
        isolation: What follows if it succeeds: a new database's name and isolation level, or None.
    """

    sql: Fragment
    vacates: str | None = None
    isolation: tuple[str, Isolation] | None = None


def understand(tokens: list[Token]) -> DatabaseChange | None:
    """Return what a statement does to a database, or None for any other statement.

    Raises:
        RedshiftError: The statement is malformed, or something in it is not supported.
    """
    reader = TokenReader(tokens)
    if reader.take("CREATE", "DATABASE"):
        return _create(reader, reader.name())
    if reader.take("ALTER", "DATABASE"):
        return _alter(reader, reader.name())
    if reader.take("DROP", "DATABASE"):
        return _drop(reader, reader.name())
    return None


def set_isolation(database: str, isolation: Isolation) -> Fragment:
    """Return the statement that sets the isolation level of a database's later sessions."""
    return render(
        "ALTER DATABASE {name} SET default_transaction_isolation TO {level}",
        name=identifier(database),
        level=ISOLATION_LEVELS[isolation],
    )


def _create(reader: TokenReader, name: str) -> DatabaseChange:
    options: list[Fragment] = []
    isolation: Isolation | None = None
    reader.take("WITH")
    while not reader.ended:
        if reader.take("OWNER"):
            reader.take("=")
            options.append(render("OWNER {owner}", owner=reader.identifier()))
        elif reader.take("CONNECTION", "LIMIT"):
            options.append(_connection_limit(reader))
        elif reader.take("COLLATE"):
            _refuse_case_insensitive(reader)
        elif reader.take("ISOLATION", "LEVEL"):
            isolation = _isolation(reader)
        else:
            raise _refused(reader)
    sql = render("CREATE DATABASE {name} {options}", name=identifier(name), options=join(" ", options))
    return DatabaseChange(sql, isolation=None if isolation is None else (name, isolation))


def _alter(reader: TokenReader, name: str) -> DatabaseChange:
    if reader.take("RENAME", "TO"):
        sql = render("ALTER DATABASE {name} RENAME TO {new}", name=identifier(name), new=reader.identifier())
        return DatabaseChange(_whole(reader, sql), vacates=name)
    if reader.take("OWNER", "TO"):
        sql = render("ALTER DATABASE {name} OWNER TO {owner}", name=identifier(name), owner=reader.identifier())
        return DatabaseChange(_whole(reader, sql))
    if reader.take("CONNECTION", "LIMIT"):
        limit = _connection_limit(reader)
        return DatabaseChange(
            _whole(reader, render("ALTER DATABASE {name} {limit}", name=identifier(name), limit=limit))
        )
    if reader.take("ISOLATION", "LEVEL"):
        return DatabaseChange(_whole(reader, set_isolation(name, _isolation(reader))))
    if reader.take("COLLATE"):
        raise unsupported("ALTER DATABASE … COLLATE")
    raise _refused(reader)


def _drop(reader: TokenReader, name: str) -> DatabaseChange:
    if reader.take("FORCE"):
        sql = render("DROP DATABASE {name} WITH (FORCE)", name=identifier(name))
    else:
        sql = render("DROP DATABASE {name}", name=identifier(name))
    return DatabaseChange(_whole(reader, sql), vacates=name)


def _isolation(reader: TokenReader) -> Isolation:
    return "snapshot" if reader.take_one_of("SNAPSHOT", "SERIALIZABLE") == "SNAPSHOT" else "serializable"


def _connection_limit(reader: TokenReader) -> Fragment:
    return render("CONNECTION LIMIT {limit}", limit=-1 if reader.take("UNLIMITED") else reader.integer())


def _refuse_case_insensitive(reader: TokenReader) -> None:
    if reader.take_one_of("CASE_SENSITIVE", "CS", "CASE_INSENSITIVE", "CI") in ("CASE_INSENSITIVE", "CI"):
        raise unsupported("COLLATE CASE_INSENSITIVE")


def _refused(reader: TokenReader) -> RedshiftError:
    """Return the error for what comes next: a database of somebody else's data, or words unknown to Redshift."""
    for keyword in ("FROM", "IAM_ROLE", "INTEGRATION", "SET"):
        if reader.take(keyword):
            return unsupported(f"A database with {keyword}")
    return reader.unexpected()


def _whole(reader: TokenReader, sql: Fragment) -> Fragment:
    """Return a statement if the reader is at its end."""
    if not reader.ended:
        raise reader.unexpected()
    return sql
