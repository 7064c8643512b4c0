"""Faults that a test orders over SQL, each as the drivers see it."""

import time
from collections.abc import Callable

import psycopg
import pytest
import redshift_connector
from support.redshift_fixtures import Client, connect_psycopg, new_table, server_error

from rsloader_provider.local.redshift import LocalRedshift
from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.faults import Faults


class TestFaults:
    def test_drop_before_leaves_no_effect(self, client: Client, connect: Callable[..., Client]) -> None:
        table = new_table(client, "id int")
        client.run(f"LOCAL FAULT drop BEFORE '^insert into {table}'")
        with pytest.raises((redshift_connector.Error, OSError)) as raised:
            client.run(f"INSERT INTO {table} VALUES (1)")
        assert not isinstance(raised.value.args[0], dict), "a lost connection carries no answer"
        assert connect().value(f"SELECT count(*) FROM {table}") == 0

    @pytest.mark.parametrize("protocol", ["simple", "extended"])
    def test_drop_after_leaves_the_full_effect(
        self, client: Client, snapshot_redshift: LocalRedshift, protocol: str
    ) -> None:
        """Outside a transaction block, too: the effect is committed, and the client learns nothing of it."""
        table = new_table(client, "id int")
        client.run(f"LOCAL FAULT drop AFTER '^insert into {table}'")
        with connect_psycopg(snapshot_redshift) as connection:
            with pytest.raises(psycopg.OperationalError):
                connection.execute(f"INSERT INTO {table} VALUES (1)", None if protocol == "simple" else ())
            connection.close()
        client.rollback()
        assert client.value(f"SELECT count(*) FROM {table}") == 1

    def test_an_error_fails_the_transaction_once(self, client: Client) -> None:
        client.run("LOCAL FAULT error:53300 BEFORE 'select 4711'")
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            client.run("SELECT 4711")
        assert server_error(raised.value)["C"] == "53300"
        client.rollback()
        assert client.run("SELECT 4711") == [[4711]]

    def test_an_error_after_comes_in_place_of_the_answer(self, client: Client) -> None:
        client.run("LOCAL FAULT error:XX000 AFTER 'select 4712'")
        with pytest.raises(redshift_connector.ProgrammingError):
            client.run("SELECT 4712")
        client.rollback()
        assert client.run("SELECT 1") == [[1]]

    def test_an_echo_quotes_the_statement(self, client: Client) -> None:
        client.run("LOCAL FAULT echo BEFORE 'select 4713'")
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            client.run("SELECT 4713, 'planted'")
        assert "SELECT 4713, 'planted'" in server_error(raised.value)["M"]

    def test_sleep_delays(self, client: Client) -> None:
        client.run("LOCAL FAULT sleep:0.3 BEFORE 'select ''x'''")
        started = time.monotonic()
        assert client.run("SELECT 'x'") == [["x"]]
        assert time.monotonic() - started >= 0.3

    @pytest.mark.parametrize(
        "order",
        [
            "drop BEFORE",
            "drop:1 BEFORE 'x'",
            "ghost BEFORE 'x'",
            "ghost:1 AFTER 'x'",
            "drop BEFORE '('",
            "nap:1 AFTER 'x'",
            "sleep:soon BEFORE 'x'",
            "error:123 BEFORE 'x'",
            "refuse BEFORE 'x'",
            "refuse:0 CONNECTION",
            "refuse:some CONNECTION",
            "drop CONNECTION",
            "s3:503 'x'",
            "s3:503 BEFORE 'x'",
            "s3:200 FOR 1 'x'",
            "s3 FOR 1 'x'",
            "s3:503 FOR ever 'x'",
            "s3:503 FOR 1 '('",
        ],
    )
    def test_a_misspelt_order_is_refused(self, client: Client, order: str) -> None:
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            client.run(f"LOCAL FAULT {order}")
        assert server_error(raised.value)["C"] == "42601"

    def test_orders_can_be_cleared(self, client: Client) -> None:
        client.run("LOCAL FAULT drop BEFORE 'select 1'")
        client.run("LOCAL FAULT CLEAR")
        assert client.run("SELECT 1") == [[1]]

    @pytest.mark.parametrize(("order", "refused"), [("refuse", 1), ("refuse:2", 2)])
    def test_connections_are_refused(
        self, client: Client, connect: Callable[..., Client], order: str, refused: int
    ) -> None:
        client.run(f"LOCAL FAULT {order} CONNECTION")
        for _ in range(refused):
            with pytest.raises((redshift_connector.Error, OSError)) as raised:
                connect()
            assert not isinstance(raised.value.args[0], dict), "there is no answer"
        assert connect().run("SELECT 1") == [[1]]
        assert client.run("SELECT 1") == [[1]], "who is in stays in"

    def test_refusals_can_be_cleared(self, client: Client, connect: Callable[..., Client]) -> None:
        client.run("LOCAL FAULT refuse:9 CONNECTION")
        client.run("LOCAL FAULT CLEAR")
        assert connect().run("SELECT 1") == [[1]]


class TestS3Outages:
    """What the reader of objects is told before it asks S3."""

    def test_an_outage_is_of_the_urls_that_match(self) -> None:
        faults = Faults()
        faults.order("LOCAL FAULT s3:503 FOR 60 '^s3://b/in/'")
        faults.order("local fault s3:404 for 60.5 '.csv$';")
        assert faults.s3_answer("s3://b/in/1.csv") == 503
        assert faults.s3_answer("S3://B/IN/1.CSV") == 503, "letters match in either case"
        assert faults.s3_answer("s3://b/out/1.csv") == 404
        assert faults.s3_answer("s3://b/out/") is None

    def test_an_outage_ends_by_itself_and_when_told_to(self) -> None:
        faults = Faults()
        faults.order("LOCAL FAULT s3:503 FOR 0 ''")
        assert faults.s3_answer("s3://b/k") is None
        faults.order("LOCAL FAULT s3:503 FOR 60 ''")
        assert faults.s3_answer("s3://b/k") == 503
        assert faults.s3_answer("s3://b/k") == 503, "it goes on"
        faults.order("LOCAL FAULT CLEAR")
        assert faults.s3_answer("s3://b/k") is None

    def test_an_outage_that_is_misspelt_is_none(self) -> None:
        faults = Faults()
        with pytest.raises(RedshiftError):
            faults.order("LOCAL FAULT s3:503 FOR 60 '('")
        assert faults.s3_answer("(") is None
