"""The safeguards of the loader, each with a copy of the loader that lacks it, and with what must notice that."""

from collections.abc import Sequence
from dataclasses import dataclass

from support.mutations import Mutation, Replacement


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of the crash matrix: those round claim, lock, commit and finish into one table; and its races."""


@dataclass(frozen=True, slots=True)
class Interleaving:
    """A scenario of tests/interleavings, with two preemptions.

    Attributes:
        scenario: Its name.
    """

    scenario: str


@dataclass(frozen=True, slots=True)
class NamedTests:
    """A test, or a file of tests.

    Attributes:
        named: As pytest names it.
    """

    named: str


Judge = Cells | Interleaving | NamedTests


@dataclass(frozen=True, slots=True)
class Safeguard:
    """One safeguard.

    Attributes:
        mutation: The loader without it.
        judge: What must notice that.
    """

    mutation: Mutation
    judge: Judge


def _without(what: str, judge: Judge, *replacements: tuple[str, str, str]) -> Safeguard:
    return Safeguard(Mutation(what, tuple(Replacement(*each) for each in replacements)), judge)


ATTEMPT = "loader/run/attempt.py"
TRANSACTION = "loader/run/transaction.py"
CLAIMING = "aws/dynamodb/claiming.py"
REQUESTS = "aws/dynamodb/requests.py"
RENAMING = "aws/dynamodb/renaming.py"
BOUNDARY = "core/ledger/boundary.py"
LOADS = "tests/unit/loader/run/test_load_batch.py"
MODES = "tests/unit/loader/run/test_modes.py"
BUFFERS = "tests/unit/loader/run/test_buffer.py"
RENAMED = "tests/unit/loader/run/test_renamed_load.py"
RENAMES = "tests/unit/loader/operate/recovery/test_rename.py"
LEDGER = "tests/contract/test_ledger.py"
WAREHOUSE = "tests/contract/test_warehouse.py"
LAG = "tests/contract/test_lagging_reads.py"

SAFEGUARDS: Sequence[Safeguard] = (
    _without(
        "without the LOCK of the history", Cells(), (TRANSACTION, "run(sql.LockHistory(self.key.target))", "pass")
    ),
    _without("without the look into the history", Cells(), (TRANSACTION, "if committed is None:", "if True:")),
    _without(
        "without the generation in the look into the history",
        NamedTests(f"{WAREHOUSE}::test_another_generation_of_a_batch_is_not_taken_for_this_one"),
        (
            "core/redshift/render.py",
            """this = f'"batch" = {literal(key.batch)} AND "generation" = {literal(key.generation)}'""",
            """this = f'"batch" = {literal(key.batch)}'""",
        ),
    ),
    _without(
        "without the condition of a claim",
        Cells(),
        (
            CLAIMING,
            'condition: str = "attribute_not_exists(#load)"',
            'condition: str = "attribute_not_exists(#missing)"',
        ),
    ),
    # As the Lambda loader does it: the list of objects is read first, and then the batch is locked as it is by then.
    _without(
        "with the lock after the read",
        Cells(),
        (
            "loader/run/buffer.py",
            "            try:\n                with self.steps.taking(Step.LOCK, self.batch):\n",
            "            from rsloader_provider.core.ledger.manifest import render_manifest\n"
            '            name = f"{self.config.load}/{self.batch.batch}.manifest"\n'
            "            manifest = self.config.manifests.join(name)\n"
            '            content = render_manifest(self.ledger.entries(self.batch)) or b""\n'
            "            self.storage.write(manifest.bucket, manifest.key, content)\n"
            "            try:\n                with self.steps.taking(Step.LOCK, self.batch):\n",
        ),
        (
            "loader/run/buffer.py",
            "        self.ledger = services.ledger\n",
            "        self.ledger = services.ledger\n        self.storage = services.storage\n",
        ),
        (ATTEMPT, "self.services.storage.write(self.manifest.bucket, self.manifest.key, content)", "pass"),
        (
            "aws/dynamodb/batch_states.py",
            "#status = :open AND #files = :files AND #size_bytes = :size_bytes AND",
            "#status = :open AND #files >= :files AND #size_bytes >= :size_bytes AND",
        ),
    ),
    _without(
        "without the condition of a segment",
        NamedTests(f"{LEDGER}::test_a_segment_whose_claims_are_gone_is_named_and_is_no_lost_race"),
        (
            CLAIMING,
            'self._requests.put(self._names.batches, segment, "attribute_not_exists(#load)")]',
            'self._requests.put(self._names.batches, segment, "attribute_not_exists(#missing)")]',
        ),
    ),
    _without(
        "without ConsistentRead of one item",
        NamedTests(LAG),
        (REQUESTS, "Key=key, ConsistentRead=True)", "Key=key)"),
    ),
    _without(
        "without ConsistentRead of a batch's objects",
        NamedTests(LAG),
        (REQUESTS, "projection=projection,\n            ConsistentRead=True,", "projection=projection,"),
    ),
    _without(
        "without ConsistentRead of many claims",
        NamedTests(LAG),
        (REQUESTS, '{"Keys": keys, "ConsistentRead": True}', '{"Keys": keys}'),
    ),
    _without(
        "without ConsistentRead of all batches",
        NamedTests(LAG),
        ("aws/dynamodb/reading.py", "            ConsistentRead=True,\n", ""),
    ),
    _without(
        "with a transaction for a batch without objects",
        Interleaving("emptied while it is loaded"),
        (ATTEMPT, "        if not claimed:\n", "        if False:\n"),
    ),
    _without(
        "with a transaction for a batch of empty objects only",
        NamedTests(f"{MODES}::test_a_batch_of_empty_objects_is_refused_where_it_would_empty_the_table"),
        (ATTEMPT, "if not has_rows and self.target.mode in _EMPTYING and", "if False and"),
    ),
    _without(
        "without the digest of names in the history row",
        NamedTests(f"{LOADS}::test_a_batch_that_came_back_with_as_many_other_objects_is_not_taken_for_loaded"),
        (TRANSACTION, "names_digest=self.names_digest if answer.keeps_digests else None,", "names_digest=None,"),
    ),
    _without(
        "without a look at the digest of names",
        NamedTests(f"{LOADS}::test_a_batch_that_came_back_with_as_many_other_objects_is_not_taken_for_loaded"),
        (TRANSACTION, "elif committed.names_digest != self.names_digest:", "elif False:"),
    ),
    _without(
        "without asking S3 again for objects that were empty",
        NamedTests("tests/unit/loader/run/test_filled_objects.py"),
        (ATTEMPT, "self.filled = find_filled(self.services.storage, claimed)", "self.filled = Filled()"),
    ),
    _without(
        "with claims of empty objects at once",
        NamedTests("tests/unit/loader/run/test_filled_objects.py"),
        ("loader/run/discover.py", "if found.size_bytes == 0 and", "if False and"),
    ),
    _without(
        "where an attempt that never looked into the history forgets what may have committed",
        Interleaving("history switched off"),
        (ATTEMPT, "had_session = self.has_session and not self.may_be_in_history", "had_session = self.has_session"),
    ),
    _without(
        "where a history that was dropped counts as one that does not know the batch",
        Interleaving("history dropped"),
        (ATTEMPT, "        if not self.may_be_in_history:\n", "        if True:\n"),
    ),
    _without(
        "where a clear counts for a batch that was handed out after it",
        Interleaving("buffering cleared with downstream"),
        ("core/ledger/transitions.py", "if self.task is not None:", "if False:"),
    ),
    _without(
        "where only the first try after a clear is a person's",
        Interleaving("cleared after it was loaded"),
        (
            "core/ledger/transitions.py",
            "            earlier = progress.begun_by\n",
            "            if not self.cleared:\n                return None\n            earlier = progress.begun_by\n",
        ),
    ),
    _without(
        "where a person's request counts at each try",
        Interleaving("cleared in two installations"),
        (
            "core/ledger/transitions.py",
            "return request is not None and not progress.has_counted(request)",
            "return request is not None",
        ),
    ),
    _without(
        "where the first batch of a load under another name counts as that of a new load",
        NamedTests(f"{RENAMED}::test_what_was_claimed_while_redshift_slept_is_refused_in_the_transaction_and_waits"),
        (TRANSACTION, "        if answer.keeps_sources:\n", "        if False:\n"),
    ),
    _without(
        "where a load under another name is not noticed before its first claim",
        NamedTests(f"{RENAMED}::test_a_renamed_load_claims_nothing_and_says_both_ways_out"),
        ("loader/run/lost_ledger.py", "elif answer.keeps_sources:", "elif False:"),
    ),
    _without(
        "with batches handed over before their objects are claimed for the new name",
        NamedTests(f"{RENAMES}::test_a_renaming_that_stops_anywhere_loads_nothing_twice_and_goes_on"),
        (
            "loader/operate/recovery/rename.py",
            "    handing.close()\n",
            "    handing.close()\n    handing.hand_over_batches()\n",
        ),
    ),
    _without(
        "where a renaming that has come to its end is not noticed",
        NamedTests("tests/contract/test_ledger_renaming.py::test_no_step_is_taken_after_the_end"),
        (RENAMING, "[*actions, self._is_under_way(renaming)])\n\n", "[*actions])\n\n"),
    ),
    _without(
        "without ConsistentRead of the claims that are handed over",
        NamedTests(LAG),
        (RENAMING, '{":load": load}, ConsistentRead=True)', '{":load": load})'),
    ),
    _without(
        "without what is remembered of load files that are away",
        NamedTests(f"{BUFFERS}::test_a_load_file_that_is_away_for_a_moment_does_not_widen_the_load_round_it"),
        (
            BOUNDARY,
            "    left_alone = {**dict.fromkeys(named), **remembered}\n",
            "    left_alone, remembered = {}, {}\n",
        ),
    ),
    _without(
        "without holding still beside a file that cannot be read",
        NamedTests(f"{BUFFERS}::test_a_load_that_never_ran_claims_nothing_beside_a_file_that_cannot_be_read"),
        (BOUNDARY, "    if known is None and unread:\n", "    if False:\n"),
    ),
)
"""All of them."""
