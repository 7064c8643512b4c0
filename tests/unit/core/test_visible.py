"""One function shows keys and values; errors, logs and JSON show by it."""

import json
import logging
import subprocess
import traceback
from typing import Any

import pytest
from support.hostile import HOSTILE, UNSEEN, forged

from rsloader_provider.core import errors
from rsloader_provider.core.errors import (
    BadDataError,
    ConfigurationError,
    ObjectsMissingError,
    RowError,
    RsloaderError,
    concerning,
)
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.visible import shell_word, visible, visible_json

EVERY_CHARACTER = [*map(chr, range(0x3100)), *map(chr, range(0xD7F0, 0x10000)), *UNSEEN, "\U0001f600"]


def test_each_character_is_seen_and_no_two_look_the_same():
    shown = [visible(each) for each in EVERY_CHARACTER]
    assert [each for each in shown if not each.isprintable()] == []
    assert len({*shown}) == len({*EVERY_CHARACTER})
    assert [*map(visible, shown)] == shown


def test_what_is_seen_stays_as_it_is():
    """Also a backslash: people write them in expressions and in delimiters."""
    assert visible(r"orders/é 日本 \n \x1b '\.csv$'") == r"orders/é 日本 \n \x1b '\.csv$'"


def test_json_is_the_data_and_each_of_its_characters_is_seen():
    data = {text: [text] for text in (HOSTILE, UNSEEN, "half \udc80")}
    for ascii_only in (True, False):
        text = visible_json(data, indent=1, ascii_only=ascii_only)
        assert json.loads(text) == data
        assert forged(text) == []
    assert visible_json("é", ascii_only=False) == '"é"'


def test_a_word_of_a_command_is_the_key_again_when_a_shell_reads_it():
    r"""People copy commands from messages. The shell gets `\u009b`: its own `\x9b` is a byte."""
    for key in (HOSTILE, f"{HOSTILE}'\\n", UNSEEN, "orders/a b'c.csv", "plain.csv"):
        word = shell_word(key)
        assert word.isprintable()
        read = subprocess.run(
            ["bash", "-c", f"printf %s {word}"], env={"LC_ALL": "C.UTF-8"}, capture_output=True, check=True
        )
        assert read.stdout.decode() == key


@pytest.mark.parametrize(
    "kind",
    [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, RsloaderError)],
)
def test_no_error_shows_a_character_that_is_not_seen(kind: Any):
    rows = (RowError(HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE, 1207),)
    more: dict[str, Any] = {"ObjectsMissingError": {"urls": (HOSTILE,)}, "ObjectsArchivedError": {"urls": (HOSTILE,)}}
    error = kind(f"key {HOSTILE}", **({"rows": rows} if kind is BadDataError else more.get(kind.__name__, {})))
    error.concerns(f"load {HOSTILE}")
    error.concerns(f"load {HOSTILE}")
    assert str(error).startswith(f"load {visible(HOSTILE)}: key {visible(HOSTILE)}")
    assert forged(str(error)) == []
    assert str(error).count("\n") == (kind in {BadDataError, ObjectsMissingError})


def test_a_log_has_one_line_for_each_record_and_the_lines_of_an_error(caplog: pytest.LogCaptureFixture):
    log = logger_of("rsloader_provider.test_visible")
    with caplog.at_level(logging.INFO):
        log.info("%s: %d objects, %s", HOSTILE, 3, None)
        log.info("%s", ObjectsMissingError("gone", (HOSTILE,)))
    assert [*map(forged, caplog.messages)] == [[], []]
    assert [each.count("\n") for each in caplog.messages] == [0, 1]


def test_a_traceback_shows_no_cause_that_forges_a_line():
    """Airflow logs the causes of an error as they are. Ours says what they say."""
    with pytest.raises(ConfigurationError) as raised, concerning("load orders"):
        raise ConfigurationError(f"It is wrong: {HOSTILE}") from ValueError(HOSTILE)
    assert forged("".join(traceback.format_exception(raised.value))) == []
    assert visible(HOSTILE) in str(raised.value)
    itself = ConfigurationError("It is wrong.")
    with pytest.raises(ConfigurationError), concerning("load orders"):
        raise itself from itself
    with pytest.raises(ConfigurationError) as raised, concerning("load orders"):
        raise ConfigurationError("It is wrong.") from ValueError("why")
    assert "ValueError: why" in "".join(traceback.format_exception(raised.value))
