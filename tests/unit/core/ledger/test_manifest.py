"""The manifest that COPY reads."""

import json

from rsloader_provider.core.ledger.manifest import Entry, render_manifest
from rsloader_provider.core.ledger.objects import LEDGER_KEY_BYTES, ledger_key

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
