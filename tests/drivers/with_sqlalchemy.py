"""SQLAlchemy with sqlalchemy-redshift: dialect, COPY and reflection, on the driver that the argument names.

sqlalchemy-redshift 1.0.0 cannot reflect a column with SQLAlchemy 2.1, nor delete by the ORM's means with either.
"""

import datetime
import decimal
import json
import os
import sys
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy_redshift.commands import CopyCommand, Format

PLACE = json.loads(os.environ["LOCAL_REDSHIFT"])
DRIVER = sys.argv[1]


class Base(DeclarativeBase):
    metadata = sa.MetaData(schema=f"s_{uuid.uuid4().hex[:12]}")


class Order(Base):
    __tablename__ = "orders"
    __table_args__ = {"redshift_diststyle": "KEY", "redshift_distkey": "id", "redshift_sortkey": ("ordered",)}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(sa.String(40), redshift_encode="zstd")
    price: Mapped[decimal.Decimal | None] = mapped_column(sa.Numeric(8, 2))
    ordered: Mapped[datetime.date | None]


ORDERS = Order.__table__


def engine() -> sa.Engine:
    url = sa.URL.create(
        f"redshift+{DRIVER}",
        username=PLACE["user"],
        password=PLACE["password"],
        host=PLACE["host"],
        port=PLACE["port"],
        database=PLACE["database"],
    )
    if PLACE["tls"]:
        trusted = {} if DRIVER == "redshift_connector" else {"sslrootcert": PLACE["ca"]}
        return sa.create_engine(url, connect_args=trusted)  # both drivers ask for a verified server by default
    plain: dict[str, Any] = {"ssl": False} if DRIVER == "redshift_connector" else {"sslmode": "disable"}
    return sa.create_engine(url, connect_args=plain)


def logs_in_and_asks_the_version(database: sa.Engine) -> None:
    with database.connect() as connection:
        assert connection.dialect.server_version_info == (8, 0, 2), connection.dialect.server_version_info
        assert connection.dialect.default_schema_name == "public"


def creates_a_schema_and_its_tables(database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.execute(sa.schema.CreateSchema(Base.metadata.schema))
    Base.metadata.create_all(database)
    Base.metadata.create_all(database)  # which finds them


def copies_with_the_dialects_own_command(database: sa.Engine) -> None:
    with database.begin() as connection:
        with_key = CopyCommand(
            ORDERS,
            data_location=PLACE["orders"],
            access_key_id=PLACE["key_id"],
            secret_access_key=PLACE["key"],
            format=Format.csv,
            ignore_header=1,
        )
        connection.execute(executable(with_key, database))
        assert connection.scalar(sa.text("SELECT pg_last_copy_count()")) == 3
        with_role = CopyCommand(
            [ORDERS.c.id, ORDERS.c.name],
            data_location=PLACE["more"],
            iam_role_arns="arn:aws:iam::123456789012:role/loader",
            delimiter="|",
        )
        connection.execute(executable(with_role, database))
        assert connection.scalar(sa.text("SELECT pg_last_copy_count()")) == 2


def executable(command: CopyCommand, database: sa.Engine) -> sa.Executable:
    """Return a COPY as the driver can send it: psycopg2 fills in values by itself, COPY takes no parameters."""
    if DRIVER == "psycopg2":
        return command
    return sa.text(str(command.compile(database, compile_kwargs={"literal_binds": True})))


def reads_the_rows_back(database: sa.Engine) -> None:
    with Session(database) as session:
        found = session.scalars(sa.select(Order).order_by(Order.id)).all()
        assert [(row.id, row.name, row.price, row.ordered) for row in found] == [
            (1, "tea", decimal.Decimal("1.50"), datetime.date(2026, 1, 1)),
            (2, 'a "big" pot', decimal.Decimal("20.00"), datetime.date(2026, 1, 2)),
            (3, "", None, None),
            (4, "ünï", None, None),
            (5, "milk", None, None),
        ], found


def passes_parameters(database: sa.Engine) -> None:
    with Session(database) as session:
        session.add_all([Order(id=6, name="it's", price=decimal.Decimal("0.10")), Order(id=7, name="100%")])
        session.commit()
        query = sa.select(Order.name).where(Order.id > 5, Order.name.like("%s%")).order_by(Order.id).limit(3)
        assert session.scalars(query).all() == ["it's"]
        session.execute(sa.update(Order).where(Order.id == 7).values(name="milk"))
        session.execute(sa.delete(ORDERS).where(ORDERS.c.id == 6))
        session.commit()


def rolls_back(database: sa.Engine) -> None:
    with Session(database) as session:
        session.execute(sa.delete(ORDERS))
        session.execute(sa.text(f"COPY {ORDERS} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1"))
        assert session.scalar(sa.select(sa.func.count()).select_from(Order)) == 3
        session.rollback()
        assert session.scalar(sa.select(sa.func.count()).select_from(Order)) == 6


def reflects_tables_and_columns(database: sa.Engine) -> None:
    inspector = sa.inspect(database)
    assert inspector.get_table_names(schema=Base.metadata.schema) == ["orders"]
    columns = inspector.get_columns("orders", schema=Base.metadata.schema)
    assert [(column["name"], str(column["type"]), column["nullable"]) for column in columns] == [
        ("id", "INTEGER", False),
        ("name", "VARCHAR(40)", True),
        ("price", "NUMERIC(8, 2)", True),
        ("ordered", "DATE", True),
    ], columns
    assert inspector.get_pk_constraint("orders", schema=Base.metadata.schema) == {
        "constrained_columns": ["id"],
        "name": "orders_pkey",
    }
    reflected = sa.Table("orders", sa.MetaData(), schema=Base.metadata.schema, autoload_with=database)
    assert reflected.columns.keys() == ["id", "name", "price", "ordered"]


def sees_the_text_of_an_error(database: sa.Engine) -> None:
    try:
        with database.connect() as connection:
            connection.execute(sa.text("SELECT * FROM nowhere_at_all"))
    except sa.exc.ProgrammingError as error:
        assert 'relation "nowhere_at_all" does not exist' in str(error.orig), error
    else:
        raise AssertionError("no error")


def finds_the_bad_row_in_stl_load_errors(database: sa.Engine) -> None:
    try:
        with database.begin() as connection:
            connection.execute(sa.text(f"COPY {ORDERS} FROM '{PLACE['broken']}' IAM_ROLE default CSV"))
    except sa.exc.DBAPIError as error:
        expected = "Load into table 'orders' failed.  Check 'stl_load_errors' system table for details."
        assert expected in str(error.orig), error
    else:
        raise AssertionError("no error")
    query = sa.text(
        "SELECT trim(filename), line_number, trim(colname), trim(raw_field_value), err_code, trim(err_reason) "
        "FROM stl_load_errors WHERE filename = :file ORDER BY starttime DESC LIMIT 1"
    )
    with database.connect() as connection:
        (found,) = connection.execute(query, {"file": PLACE["broken"]}).all()
    reason = "Invalid digit, Value 'o', Pos 0, Type: Integer"
    assert tuple(found) == (PLACE["broken"], 2, "id", "one", 1207, reason), found


def reads_a_large_result(database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(sa.text("CREATE TEMP TABLE large (id integer, words varchar(100))"))
        connection.execute(sa.text(f"COPY large FROM '{PLACE['large']}' IAM_ROLE default CSV"))
        result = connection.execution_options(yield_per=10_000).execute(sa.text("SELECT id, words FROM large"))
        total, count = 0, 0
        for rows in result.partitions():
            total += sum(row.id for row in rows)
            count += len(rows)
    assert (count, total) == (PLACE["large_rows"], PLACE["large_sum"])


def drops_what_it_created(database: sa.Engine) -> None:
    Base.metadata.drop_all(database)
    assert not sa.inspect(database).has_table("orders", schema=Base.metadata.schema)
    with database.begin() as connection:
        connection.execute(sa.schema.DropSchema(Base.metadata.schema))


shared = engine()
for step in (
    logs_in_and_asks_the_version,
    creates_a_schema_and_its_tables,
    copies_with_the_dialects_own_command,
    reads_the_rows_back,
    passes_parameters,
    rolls_back,
    reflects_tables_and_columns,
    sees_the_text_of_an_error,
    finds_the_bad_row_in_stl_load_errors,
    reads_a_large_result,
    drops_what_it_created,
):
    step(shared)
    print(step.__name__)
