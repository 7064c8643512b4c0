"""A search that finds nothing says something only if it would have found something."""

import sqlite3
from pathlib import Path

import pytest

from support.secret_search import secrets_below, secrets_in_texts

SECRET = "planted/+'s3cret"


def a_log(folder: Path) -> None:
    (folder / "logs").mkdir()
    (folder / "logs" / "attempt=1.log").write_text(f'{{"event": "COPY with {SECRET}"}}\n')


def a_url(folder: Path) -> None:
    (folder / "scheduler.log").write_text("redshift://loader:planted%2F%2B%27s3cret@host/dev")


def rows(kind: str, folder: Path, value: object) -> None:
    with sqlite3.connect(folder / "airflow.db") as connection:
        connection.execute(f"CREATE TABLE xcom (id integer, value {kind})")
        # So long that it is cut into pages, with the secret at the cut.
        connection.execute("INSERT INTO xcom VALUES (1, ?)", (value,))
    connection.close()


def a_long_text(folder: Path) -> None:
    rows("text", folder, "".join(f"{number} {SECRET} " for number in range(1000)))


def a_blob(folder: Path) -> None:
    rows("blob", folder, b"x" * 4070 + SECRET.encode() + b"x" * 5000)


@pytest.mark.parametrize("plant", [a_log, a_url, a_long_text, a_blob])
def test_a_planted_secret_is_found_wherever_it_stands(tmp_path: Path, plant: object):
    plant(tmp_path)  # type: ignore[operator]
    found = secrets_below(tmp_path, [SECRET, "another"])
    assert len(found) == 1
    assert found[0].startswith("a secret in ")


def test_what_holds_none_is_not_named(tmp_path: Path):
    (tmp_path / "scheduler.log").write_text("planted/+'s3cre")
    assert secrets_below(tmp_path, [SECRET]) == []


def test_texts_are_searched_alike():
    texts = {"the message": '{"error": "planted/+\'s3cret"}', "another": "nothing"}
    assert secrets_in_texts(texts, [SECRET]) == ["a secret in the message"]
