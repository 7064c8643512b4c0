"""Filters and wildcards take time that grows with the key alone, and mean what they seem to."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.objects import a_config

from rsloader_provider.core.config.filters import linear
from rsloader_provider.core.config.sources import SourcePattern

SECONDS = 2.0
"""Python's engine would take years; a busy machine takes a fraction of this."""


@pytest.mark.parametrize(
    "expression",
    [r"(a+)+$", r"(a|a)*$", r"(a|aa)+$", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(.*a){20}$", r"(?:x?a?.?){999}z$"],
)
def test_no_expression_makes_a_key_take_long(expression: str):
    """A stranger who may put objects could otherwise stop a load with one key."""
    config = a_config(file_filter=expression)
    before = time.monotonic()
    config.matches("landing", "orders/" + "a" * 1016 + "!")
    assert time.monotonic() - before < SECONDS


def test_a_source_of_many_wildcards_does_not_either():
    pattern = SourcePattern.parse(f"s3://landing/{'*a' * 200}b/")
    before = time.monotonic()
    assert not pattern.matches("a" * 1024)
    assert not pattern.covers(SourcePattern.parse(f"s3://landing/{'a' * 1000}/"))
    assert time.monotonic() - before < SECONDS


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        (r"^(?!old/)", "as a whole"),
        (r"(?<=a)b", "as a whole"),
        (r"(a)\1", "Write out"),
        (r"(?P<x>a)(?P=x)", "Write out"),
        (r"\.csv\Z", r"Write '\$'"),
        (r"\u20ac", r"x\{20AC\}"),
        (r"(?x) a", "known"),
        (r"(?a)\w", "known"),
        (r"(?#c)a", "after a '#'"),
        (r"a++", "Write it without"),
        (r"(?>a)b", "Write it without"),
        (r"(a)?(?(1)b|c)", r"both cases"),
        (r"a{1001}", "smaller numbers"),
        (r"(?:a{100}){100}", "smaller numbers"),
        (r"a{,3}", r"Write \{0,n\}"),
        (r"a{,}", r"Write \{0,n\}"),
        ("(", r"Write for example"),
        ("\ud800", "Write the character"),
    ],
)
def test_what_python_knows_and_re2_does_not_is_refused_with_a_hint(expression: str, hint: str):
    """Python's expressions are what people know; one that silently meant something else would lose objects."""
    with pytest.raises(ValidationError, match=hint):
        a_config(file_filter=expression)


@pytest.mark.parametrize(("expression", "key"), [(r"\.csv$", "a.csv\n"), (r"^\w+$", "ä"), (r"^\d+$", "٣")])
def test_the_differences_that_are_documented(expression: str, key: str):
    assert linear(expression).search(key) is None


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_a_filter_or_a_mistake(expression: str):
    try:
        config = a_config(file_filter=expression)
    except ValidationError:
        return
    config.matches("landing", f"orders/{expression}")


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_what_stands_between_wildcards_stands_for_itself(name: str):
    folder = "".join(each for each in name if each not in "*/")
    assert SourcePattern("landing", f"a*{folder}*/").matches(f"a-{folder}-/1.csv")
    assert not SourcePattern("landing", f"a*{folder}?/").matches(f"a-{folder}-/1.csv")
