"""The manifest that COPY reads."""

import json

import pytest

from rsloader_provider.core.manifest import Entry, is_manifest_of, render_manifest
from rsloader_provider.core.objects import LEDGER_KEY_BYTES, ledger_key

TWO = [Entry("landing/b+%2B é\n.csv", 2), Entry("landing/a.csv", 1)]


def test_every_attempt_writes_the_same_bytes():
    assert render_manifest(TWO) == render_manifest(reversed(TWO)) == render_manifest(TWO + TWO)


def test_entries_are_mandatory_carry_their_length_and_keep_their_keys():
    content = render_manifest(TWO)
    assert content is not None
    assert json.loads(content) == {
        "entries": [
            {"url": "s3://landing/a.csv", "mandatory": True, "meta": {"content_length": 1}},
            {"url": "s3://landing/b+%2B é\n.csv", "mandatory": True, "meta": {"content_length": 2}},
        ]
    }


def test_an_empty_object_is_left_out_and_without_others_there_is_nothing_to_copy():
    content = render_manifest([*TWO, Entry("landing/empty.csv", 0)])
    assert content is not None
    assert b"empty" not in content
    assert render_manifest([Entry("landing/empty.csv", 0)]) is None


def test_a_name_too_long_for_dynamodb_is_cut_and_told_apart():
    names = [f"bucket/{'ü' * 510}{end}" for end in "ab"]
    keys = {ledger_key(name) for name in names}
    assert len(keys) == 2
    assert all(len(key.encode()) <= LEDGER_KEY_BYTES for key in keys)


CLAIMED = [Entry("landing/1.csv", 3), Entry("landing/2.csv", 4)]
LATER = render_manifest([Entry("landing/1.csv", 5), Entry("landing/2.csv", 4)]) or b""


@pytest.mark.parametrize(
    ("content", "by_a_machine", "for_a_person"),
    [
        (render_manifest(CLAIMED), True, True),
        (LATER, False, True),
        (LATER.replace(b"1.csv", b"9.csv"), False, False),
        (LATER.replace(b"true", b"false"), False, False),
        (LATER.replace(b"5", b'"five"'), False, False),
        (LATER + b" ", False, False),
        (render_manifest([*CLAIMED, Entry("landing/3.csv", 1)]), False, False),
        (render_manifest(CLAIMED[:1]), False, False),
        (b"[]", False, False),
        (b"\xff", False, False),
        (b"", False, False),
    ],
)
def test_a_manifest_is_known_by_its_objects_and_their_sizes(content: bytes, by_a_machine: bool, for_a_person: bool):
    assert is_manifest_of(content, CLAIMED, sizes_may_differ=False) is by_a_machine
    assert is_manifest_of(content, CLAIMED, sizes_may_differ=True) is for_a_person
