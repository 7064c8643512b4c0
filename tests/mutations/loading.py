"""Safeguards of what every run does: claim, lock, load, and end an attempt."""

from collections.abc import Sequence

from mutations.judges import Cells, Interleaving, NamedTests, Safeguard, without

ATTEMPT = "loader/run/attempt.py"
TRANSACTION = "loader/run/transaction.py"
CLAIMING = "aws/dynamodb/claiming.py"
REQUESTS = "aws/dynamodb/requests.py"
LOADS = "tests/unit/loader/run/test_load_batch.py"
MODES = "tests/unit/loader/run/test_modes.py"
LEDGER = "tests/contract/test_ledger.py"
WAREHOUSE = "tests/contract/test_warehouse.py"
LAG = "tests/contract/test_lagging_reads.py"

LOADING: Sequence[Safeguard] = (
    without("without the LOCK of the history", Cells(), (TRANSACTION, "run(sql.LockHistory(self.key.target))", "pass")),
    without("without the look into the history", Cells(), (TRANSACTION, "if committed is None:", "if True:")),
    without(
        "without the generation in the look into the history",
        NamedTests(f"{WAREHOUSE}::test_another_generation_of_a_batch_is_not_taken_for_this_one"),
        (
            "core/redshift/render.py",
            """this = f'"batch" = {literal(key.batch)} AND "generation" = {literal(key.generation)}'""",
            """this = f'"batch" = {literal(key.batch)}'""",
        ),
    ),
    without(
        "without the condition of a claim",
        Cells(),
        (
            CLAIMING,
            'condition: str = "attribute_not_exists(#load)"',
            'condition: str = "attribute_not_exists(#missing)"',
        ),
    ),
    # As the Lambda loader does it: the list of objects is read first, and then the batch is locked as it is by then.
    without(
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
    without(
        "without the condition of a segment",
        NamedTests(f"{LEDGER}::test_a_segment_whose_claims_are_gone_is_named_and_is_no_lost_race"),
        (
            CLAIMING,
            'self._requests.put(self._names.batches, segment, "attribute_not_exists(#load)")]',
            'self._requests.put(self._names.batches, segment, "attribute_not_exists(#missing)")]',
        ),
    ),
    without(
        "without ConsistentRead of one item",
        NamedTests(LAG),
        (REQUESTS, "Key=key, ConsistentRead=True)", "Key=key)"),
    ),
    without(
        "without ConsistentRead of a batch's objects",
        NamedTests(LAG),
        (REQUESTS, "projection=projection,\n            ConsistentRead=True,", "projection=projection,"),
    ),
    without(
        "without ConsistentRead of many claims",
        NamedTests(LAG),
        (REQUESTS, '{"Keys": keys, "ConsistentRead": True}', '{"Keys": keys}'),
    ),
    without(
        "without ConsistentRead of all batches",
        NamedTests(LAG),
        ("aws/dynamodb/reading.py", "            ConsistentRead=True,\n", ""),
    ),
    without(
        "with a transaction for a batch without objects",
        Interleaving("emptied while it is loaded"),
        (ATTEMPT, "        if not claimed:\n", "        if False:\n"),
    ),
    without(
        "with a transaction for a batch of empty objects only",
        NamedTests(f"{MODES}::test_a_batch_of_empty_objects_is_refused_where_it_would_empty_the_table"),
        (ATTEMPT, "if not has_rows and self.target.mode in _EMPTYING and", "if False and"),
    ),
    without(
        "without the digest of names in the history row",
        NamedTests(f"{LOADS}::test_a_batch_that_came_back_with_as_many_other_objects_is_not_taken_for_loaded"),
        (TRANSACTION, "names_digest=self.names_digest if answer.keeps_digests else None,", "names_digest=None,"),
    ),
    without(
        "without a look at the digest of names",
        NamedTests(f"{LOADS}::test_a_batch_that_came_back_with_as_many_other_objects_is_not_taken_for_loaded"),
        (TRANSACTION, "elif committed.names_digest != self.names_digest:", "elif False:"),
    ),
    without(
        "without asking S3 again for objects that were empty",
        NamedTests("tests/unit/loader/run/test_filled_objects.py"),
        (ATTEMPT, "self.filled = find_filled(self.services.storage, claimed)", "self.filled = Filled()"),
    ),
    without(
        "with claims of empty objects at once",
        NamedTests("tests/unit/loader/run/test_filled_objects.py"),
        ("loader/run/discover.py", "if found.size_bytes == 0 and", "if False and"),
    ),
    without(
        "where an attempt that never looked into the history forgets what may have committed",
        Interleaving("history switched off"),
        (ATTEMPT, "had_session = self.has_session and not self.may_be_in_history", "had_session = self.has_session"),
    ),
    without(
        "where a history that was dropped counts as one that does not know the batch",
        Interleaving("history dropped"),
        (ATTEMPT, "        if not self.may_be_in_history:\n", "        if True:\n"),
    ),
    without(
        "with the sizes of now in the manifest of the claims",
        NamedTests(
            f"{LOADS}::test_an_attempt_that_saw_an_object_empty_leaves_the_manifest_of_one_that_saw_it_filled_alone"
        ),
        (ATTEMPT, "if content != render_manifest(claimed):", "if False:"),
    ),
    without(
        "without the number of objects where the history row has no digest",
        NamedTests(f"{LOADS}::test_a_batch_that_came_back_from_a_backup_with_other_objects_is_not_taken_for_loaded"),
        (TRANSACTION, "if committed.files != self.batch.files:", "if False:"),
    ),
    without(
        "where a fault of the loader leaves its attempt open",
        NamedTests(f"{LOADS}::test_a_fault_of_the_loader_ends_the_attempt_and_the_next_run_tries_again"),
        (ATTEMPT, "        except Exception as bug:\n", "        except MemoryError as bug:\n"),
    ),
    without(
        "where a fault of the loader at COMMIT ends its attempt",
        NamedTests(f"{LOADS}::test_a_fault_at_commit_leaves_the_attempt_open_as_a_lost_connection_does"),
        (ATTEMPT, "if self.steps.may_have_committed:", "if False:"),
    ),
    without(
        "where an object in an archive counts as a right that is missing",
        NamedTests(f"{LOADS}::test_archived_objects_are_named_once_and_the_batch_waits_for_a_person"),
        (
            "loader/run/copy_errors.py",
            "    if not found:\n        return None\n    batch, first",
            "    return None\n    batch, first",
        ),
    ),
    without(
        "without what tells of a batch that keeps failing",
        NamedTests("tests/unit/loader/run/test_keeps_failing.py"),
        (ATTEMPT, "            if not final:\n", "            if False:\n"),
    ),
    without(
        "without the look for rows that COPY skipped",
        NamedTests("tests/unit/loader/run/test_skipped_rows.py"),
        (ATTEMPT, "if self.config.copy_options.may_skip_rows and found.query_id is not None:", "if False:"),
    ),
    without(
        "without asking again where the views lag",
        NamedTests("tests/unit/loader/run/test_skipped_rows.py"),
        ("loader/run/skipped_rows.py", "_WAITS_SECONDS = (1, 2, 4, 8, 15, 30)", "_WAITS_SECONDS = ()"),
    ),
    without(
        "with SQL of a user that commits",
        NamedTests("tests/unit/loader/run/test_user_sql.py"),
        ("loader/run/user_sql.py", "if reason := refusal(statement):", "if reason := None:"),
    ),
    without(
        "where a segment without claims counts as a lost race",
        NamedTests(f"{LEDGER}::test_a_segment_whose_claims_are_gone_is_named_and_is_no_lost_race"),
        (CLAIMING, "if failed == {len(objects)}:", "if False:"),
    ),
    without(
        "without the version in a write to a batch",
        NamedTests(f"{LEDGER}::test_a_write_on_an_old_version_loses"),
        (
            "aws/dynamodb/batch_states.py",
            '"#version = :before", values',
            '"#version = :before OR #version <> :before", values',
        ),
    ),
)
