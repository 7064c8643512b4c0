"""S3 URLs and source patterns: which object belongs to which prefix, checked against brute force."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsloader_provider.core.config.sources import S3Url, SourcePattern, prefixes_to_list

# Few letters, so that generated patterns and keys meet often.
names = st.text(alphabet="ab*", max_size=4).map(lambda name: re.sub(r"\*+", "*", name))
patterns = st.lists(names, max_size=3).map(lambda parts: SourcePattern("bkt", "".join(f"{part}/" for part in parts)))


patterns_in_buckets = st.builds(
    SourcePattern, st.sampled_from(["bkt", "bkt-2", "bkt.a"]), patterns.map(lambda p: p.pattern)
)


def all_keys(depth: int) -> list[str]:
    """Every key of up to `depth` folders whose names have at most three of the letters a, b, c, and a file."""
    folders = ["".join(name) for length in range(4) for name in itertools.product("abc", repeat=length)]
    return ["".join(f"{name}/" for name in path) + "f" for path in itertools.product(folders, repeat=depth)]


KEYS = [key for depth in range(3) for key in all_keys(depth)]


def brute_force(pattern: SourcePattern) -> set[str]:
    expression = re.compile("".join("[^/]*" if each == "*" else re.escape(each) for each in pattern.pattern))
    return {key for key in KEYS if expression.match(key)}


@pytest.mark.parametrize(
    ("source", "key", "belongs"),
    [
        ("s3://bkt/orders/", "orders/a.csv", True),
        ("s3://bkt/orders/", "orders/2024/a.csv", True),
        ("s3://bkt/orders/", "orders_old/a.csv", False),
        ("s3://bkt/orders/", "orders", False),
        ("s3://bkt/", "anything", True),
        ("s3://bkt", "anything", True),
        ("s3://bkt/d/year=*/", "d/year=2024/a.csv", True),
        ("s3://bkt/d/year=*/", "d/year=/a.csv", True),
        ("s3://bkt/d/year=*/", "d/year=2024", False),
        ("s3://bkt/d/year=*/month=*/", "d/year=2024/day=1/month=5/a", False),
        ("s3://bkt/d/*/x/", "d/1/2/x/a", False),
        ("s3://bkt/d/*/x/", "d/new\nline/x/a", True),
        ("s3://bkt/a.c/", "abc/x", False),
        ("s3://bkt/a+b (1)/", "a+b (1)/x", True),
        ("s3://bkt/100%25/", "100%25/x", True),
        ("s3://bkt/100%25/", "100%/x", False),
    ],
)
def test_a_source_takes_the_keys_below_it(source: str, key: str, belongs: bool) -> None:
    """An object of a neighbour's folder in the wrong table cannot be told apart afterwards."""
    assert SourcePattern.parse(source).matches(key) is belongs


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("s3://bkt/orders", "s3://bkt/orders/"),
        ("s3://bkt/orders/*", "'s3://bkt/orders/'"),
        ("s3://bkt/*", "'s3://bkt/'"),
        ("s3://bkt/a/**/b/", "stays within one folder"),
        ("bkt/orders/", "s3://bucket/prefix/"),
        ("", "s3://bucket/prefix/"),
        ("https://bkt.s3.amazonaws.com/x/", "s3://bucket/prefix/"),
        ("S3://bkt/orders/", "'s3://bkt/orders/'"),
        ("s3a://bkt/orders/", "'s3://bkt/orders/'"),
        ("s3://bucket-*/orders/", "no wildcard"),
    ],
)
def test_a_source_that_could_surprise_is_refused_with_what_to_write(text: str, hint: str) -> None:
    """`s3://bkt/orders` as a plain prefix would also take orders_old/, and as a folder would miss orders_1.csv."""
    with pytest.raises(ValueError, match=re.escape(hint)):
        SourcePattern.parse(text)


@pytest.mark.parametrize(
    "bucket",
    ["", "ab", "a" * 64, "Bucket", "a_b_c", "a..b", "-abc", "abc-", "abc.", "192.168.0.1", "a b c", "büc", "abc\n"],
)
def test_a_bucket_that_s3_cannot_have_is_refused(bucket: str) -> None:
    """Otherwise the first run fails, in the middle of the night, with S3's words."""
    with pytest.raises(ValueError, match=r"is not a valid bucket name|does not begin"):
        S3Url.parse(f"s3://{bucket}/key")


@pytest.mark.parametrize("bucket", ["abc", "a" * 63, "my.bucket-1", "0ab", "x--x-s3", "point-s3alias"])
def test_every_bucket_that_s3_can_have_is_taken(bucket: str) -> None:
    """Directory buckets and access-point aliases are named by the same rules."""
    assert S3Url.parse(f"s3://{bucket}/key") == S3Url(bucket, "key")


def test_a_key_over_1024_bytes_is_refused() -> None:
    """S3 counts bytes, not letters: 1,024 letters of which one has two bytes are too long."""
    S3Url.parse("s3://bkt/" + "a" * 1024)
    with pytest.raises(ValueError, match=r"1,024 bytes"):
        S3Url.parse("s3://bkt/ä" + "a" * 1023)


def test_an_s3_url_keeps_its_key_as_it_stands() -> None:
    """Keys are bytes to S3: decoding %2B or + would name another object."""
    text = "s3://bkt/a b+c%2B'\"//ü?x#y"
    assert str(S3Url.parse(text)) == text
    assert S3Url.parse(text).join("/z").key.endswith("#y/z")


def test_a_prefix_to_write_under_ends_with_a_slash() -> None:
    """Without one, names would run into the prefix; a whole bucket needs no slash."""
    assert str(S3Url.parse("s3://bkt/m").as_prefix()) == "s3://bkt/m/"
    assert str(S3Url.parse("s3://bkt/m/").as_prefix()) == "s3://bkt/m/"
    assert str(S3Url.parse("s3://bkt").as_prefix()) == "s3://bkt/"


@pytest.mark.parametrize(
    ("source", "prefix"),
    [
        ("s3://bkt/d/year=*/month=*/", "d/year="),
        ("s3://bkt/orders/", "orders/"),
        ("s3://bkt", ""),
        ("s3://bkt/*/x/", ""),
    ],
)
def test_the_literal_prefix_is_what_s3_can_list_by(source: str, prefix: str) -> None:
    """A shorter one lists objects in vain, a longer one misses some."""
    assert SourcePattern.parse(source).literal_prefix == prefix


@given(patterns)
def test_a_pattern_written_and_parsed_is_the_same(pattern: SourcePattern) -> None:
    """Operators carry it as text."""
    assert SourcePattern.parse(str(pattern)) == pattern


@given(patterns, st.sampled_from(KEYS))
def test_matching_agrees_with_brute_force(pattern: SourcePattern, key: str) -> None:
    """Also every matching key begins with the literal prefix, or the listing would miss it."""
    assert pattern.matches(key) is (key in brute_force(pattern))
    assert not pattern.matches(key) or key.startswith(pattern.literal_prefix)


@given(patterns, patterns)
def test_overlapping_agrees_with_brute_force(one: SourcePattern, other: SourcePattern) -> None:
    """An overlap that is not seen loads objects twice; one that is imagined refuses a good configuration."""
    shared = any(other.matches(key) for key in brute_force(one))
    # Keys of the brute force have two folders and three letters; what overlaps only beyond is not seen by it.
    if shared or (one.pattern.count("/") <= 2 and other.pattern.count("/") <= 2 and _short(one) and _short(other)):
        assert one.overlaps(other) is shared
    assert one.overlaps(other) is other.overlaps(one)


@given(patterns, patterns)
def test_covering_agrees_with_brute_force(one: SourcePattern, other: SourcePattern) -> None:
    """Covering decides who owns an object, so it must be exact."""
    if one.covers(other):
        assert brute_force(other) <= brute_force(one)
        assert one.overlaps(other)
    elif other.pattern.count("/") <= 2 and _short(other):
        # The letter c stands in no pattern: wherever a '*' could be anything, some key shows the difference.
        assert not brute_force(other) <= brute_force(one)


def _short(pattern: SourcePattern) -> bool:
    """Whether names of three letters are enough to fill every '*' of a folder name with a letter, or with none."""
    return all(len(name) <= 3 and name.count("*") <= 1 for name in pattern.pattern.split("/")) and (
        max((len(name.replace("*", "")) for name in pattern.pattern.split("/")), default=0) <= 1
    )


@given(st.lists(patterns_in_buckets, max_size=5), st.lists(st.text(alphabet="ab/", max_size=6), max_size=9))
def test_every_object_below_the_patterns_is_listed_once_and_in_order(
    some: list[SourcePattern], keys: list[str]
) -> None:
    """An object under two listed prefixes would be offered twice; one under none would never be loaded."""
    listed = prefixes_to_list(some)
    names = [f"{bucket}/{key}" for bucket in ("bkt", "bkt-2", "bkt.a") for key in keys]
    for name in names:
        bucket, _, key = name.partition("/")
        under = [each for each in listed if each.bucket == bucket and key.startswith(each.key)]
        assert len(under) <= 1
        assert under or not any(each.bucket == bucket and each.matches(key) for each in some)
    walked = [name for each in listed for name in sorted(set(names)) if name.startswith(f"{each.bucket}/{each.key}")]
    assert walked == sorted(walked), "claims sort so"


@given(patterns, patterns, patterns)
def test_covering_is_an_order(one: SourcePattern, two: SourcePattern, three: SourcePattern) -> None:
    """The more specific one owns the object: that must not go round in a circle."""
    assert one.covers(one)
    assert not (one.covers(two) and two.covers(three)) or one.covers(three)


def test_patterns_of_two_buckets_never_meet() -> None:
    """The same key in two buckets is two objects."""
    one, other = SourcePattern.parse("s3://bkt/a/"), SourcePattern.parse("s3://bucket2/a/")
    assert not one.overlaps(other)
    assert not one.covers(other)


@pytest.mark.parametrize(
    ("one", "other", "overlaps", "covers"),
    [
        ("orders/", "orders/eu/", True, True),
        ("orders/eu/", "orders/", True, False),
        ("orders/*/", "orders/eu/", True, True),
        ("*/eu/", "orders/*/", True, False),
        ("year=*/", "month=*/", False, False),
        ("a*b/", "ab*/", True, False),
        ("a*/", "a*b*/", True, True),
        ("a*b*/", "a*/", True, False),
        ("*a/", "*b/", False, False),
        ("x*/", "*y/", True, False),
        ("a/*/", "a/", True, False),
        ("", "a/*/", True, True),
    ],
)
def test_how_two_patterns_lie_to_each_other(one: str, other: str, overlaps: bool, covers: bool) -> None:
    """The cases that people ask about, spelled out."""
    assert SourcePattern("bkt", one).overlaps(SourcePattern("bkt", other)) is overlaps
    assert SourcePattern("bkt", one).covers(SourcePattern("bkt", other)) is covers


@pytest.mark.parametrize("key", ["session_token=abc/1", "AKIAIOSFODNN7EXAMPLE", "x-amz-signature/", "a://b:c@d"])
def test_a_key_that_looks_like_a_secret_can_be_named_by_a_person(key: str) -> None:
    """Otherwise such an object could neither be explained nor taken out of its batch."""
    assert S3Url.of_object(f"s3://bkt/{key}") == S3Url("bkt", key)


@pytest.mark.parametrize("text", ["s3://AKIA:hunter2@bkt/key", "redshift://loader:hunter2@host/x", "s3://a:hunter2"])
def test_what_stands_before_a_key_may_hold_no_secret(text: str) -> None:
    with pytest.raises(ValueError, match="holds a key") as raised:
        S3Url.of_object(text)
    assert "hunter2" not in str(raised.value)
