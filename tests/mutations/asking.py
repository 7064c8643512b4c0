"""Safeguards of what people ask for: clears, commands, and putting back what was lost."""

from collections.abc import Sequence

from mutations.judges import Interleaving, NamedTests, Safeguard, without

ATTEMPT = "loader/run/attempt.py"
TRANSACTION = "loader/run/transaction.py"
REBUILDING = "loader/operate/recovery/rebuild.py"
RECONCILING = "loader/operate/recovery/reconcile.py"
RENAMING = "aws/dynamodb/renaming.py"
CHANGES = "core/ledger/target_changes.py"
CLEARING = "core/ledger/clearing.py"
TRANSITIONS = "core/ledger/transitions.py"
BUFFERS = "tests/unit/loader/run/test_buffer.py"
LOST = "tests/unit/loader/run/test_lost_ledger.py"
REBUILDS = "tests/unit/loader/operate/recovery/test_rebuild.py"
RECONCILES = "tests/unit/loader/operate/recovery/test_reconcile.py"
RENAMED = "tests/unit/loader/run/test_renamed_load.py"
RENAMES = "tests/unit/loader/operate/recovery/test_rename.py"
TARGETS = "tests/unit/loader/operate/test_change_targets.py"
CLEARS = "tests/unit/core/ledger/test_clearing.py"
IMPORTS = "tests/unit/loader/move_in/test_import_lambda.py"

ASKING: Sequence[Safeguard] = (
    without(
        "where a clear counts for a batch that was handed out after it",
        Interleaving("buffering cleared with downstream"),
        (TRANSITIONS, "if self.task is not None:", "if False:"),
    ),
    without(
        "where only the first try after a clear is a person's",
        Interleaving("cleared after it was loaded"),
        (
            TRANSITIONS,
            "            earlier = progress.begun_by\n",
            "            if not self.cleared:\n                return None\n            earlier = progress.begun_by\n",
        ),
    ),
    without(
        "where a person's request counts at each try",
        Interleaving("cleared in two installations"),
        (
            TRANSITIONS,
            "return request is not None and not progress.has_counted(request)",
            "return request is not None",
        ),
    ),
    without(
        "where a changed max_tries says nothing of a clear",
        NamedTests(CLEARS),
        (
            CLEARING,
            "return self.max_tries != earlier.max_tries or self._run_began_again",
            "return self._run_began_again",
        ),
    ),
    without(
        "where more clears of a run that goes on are a clear of the task",
        NamedTests(CLEARS),
        (CLEARING, "return self.clears > clears and self.run_began != run_began", "return self.clears > clears"),
    ),
    without(
        "where a try that wakes up late belongs to the clear after it",
        NamedTests(
            f"{CLEARS}::test_a_try_that_wakes_up_after_the_tries_that_follow_a_clear_is_not_taken_for_one_of_them"
        ),
        (
            CLEARING,
            "earlier.try_number is not None and self.try_number <= earlier.try_number:",
            "False:",
        ),
    ),
    without(
        "where a cleared buffer_objects leaves alone what its run left in error",
        NamedTests(f"{BUFFERS}::test_a_run_whose_buffer_objects_is_cleared_gets_again_what_it_left_in_error"),
        ("loader/run/take_over.py", "return self._again is not None and batch.run == self._run", "return False"),
    ),
    without(
        "without asking whether the ledger knows the newest batch of the history",
        NamedTests(LOST),
        (TRANSACTION, "refuse_unknown(self.ledger, self.key.load, self.target.name, self.key.target, answer)", "pass"),
    ),
    without(
        "without asking the histories before the first claim",
        NamedTests(f"{LOST}::test_before_its_first_claim_a_load_finds_out_that_its_ledger_was_lost"),
        ("loader/run/buffer.py", "needs_asking = not self.config.shadow", "needs_asking = False"),
    ),
    without(
        "where an open batch counts as one that was loaded",
        NamedTests(f"{LOST}::test_a_batch_that_is_open_again_counts_as_unknown"),
        ("loader/run/lost_ledger.py", "return batch.status is not BatchStatus.OPEN", "return True"),
    ),
    without(
        "where a batch that ended without objects counts as one that was loaded",
        NamedTests(REBUILDS),
        ("loader/run/lost_ledger.py", "return was_loaded(batch, progress)", "return True"),
    ),
    without(
        "where a batch that filled up with others counts as one that was loaded",
        NamedTests(f"{LOST}::test_a_batch_that_filled_up_with_others_after_a_restore_counts_as_unknown"),
        (
            "loader/run/lost_ledger.py",
            "return progress.generation > 1 or digest in {digest_of_names(ever), digest_of_names(present)}",
            "return True",
        ),
    ),
    without(
        "where rebuild-ledger leaves the claims that were made meanwhile",
        NamedTests(f"{REBUILDS}::test_claims_made_meanwhile_are_undone"),
        (REBUILDING, "elif claim.batch != lost.batch and self._may_take(lost, claim):", "elif False:"),
    ),
    without(
        "where rebuild-ledger writes a batch before its claims",
        NamedTests(f"{REBUILDS}::test_a_rebuilding_that_stops_anywhere_loads_nothing_twice_and_goes_on"),
        (
            REBUILDING,
            "rebuilding.take_back(each)\n    for each in plan.lost.batches:\n        rebuilding.put_back(each)",
            "rebuilding.put_back(each)\n    for each in plan.lost.batches:\n        rebuilding.take_back(each)",
        ),
    ),
    without(
        "where rebuild-ledger takes objects from a batch that has loaded them since",
        NamedTests(f"{REBUILDS}::test_what_a_batch_has_loaded_again_that_is_not_lost_stays_its_own"),
        (REBUILDING, "if claim.batch > lost.batch and claim.batch in self._lost.loaded:", "if False:"),
    ),
    without(
        "where rebuild-ledger keeps a batch that has filled up again",
        NamedTests(f"{REBUILDS}::test_an_open_batch_that_was_loaded_gives_way"),
        (REBUILDING, "    for batch_id in plan.lost.refilled:\n", "    for batch_id in ():\n"),
    ),
    without(
        "where rebuild-ledger does not ask when it is in doubt",
        NamedTests(f"{REBUILDS}::test_without_a_manifest_a_person_has_to_say_first_what_was_loaded"),
        (REBUILDING, "    if plan.is_in_doubt:\n", "    if False:\n"),
    ),
    without(
        "without the condition under which a lost claim is put back",
        NamedTests("tests/contract/test_ledger_rebuilding.py"),
        (
            "aws/dynamodb/rebuilding.py",
            'condition, values = "attribute_not_exists(#load)", {}',
            'condition, values = "attribute_not_exists(#missing)", {}',
        ),
    ),
    without(
        "without the condition under which a lost batch is put back",
        NamedTests("tests/contract/test_ledger_rebuilding.py"),
        (
            "aws/dynamodb/rebuilding.py",
            '[self._requests.put(self._names.batches, each, "attribute_not_exists(#load)") for each in items]',
            '[self._requests.put(self._names.batches, each, "attribute_not_exists(#missing)") for each in items]',
        ),
    ),
    without(
        "where reconcile opens a generation",
        NamedTests(f"{RECONCILES}::test_what_is_there_after_all_is_found_and_not_loaded_twice"),
        (
            TRANSITIONS,
            "waiting = replace(progress.asked_by(by), state=TargetState.WAITING, rows=None, query_id=None)",
            "waiting = replace(progress.asked_by(by), state=TargetState.WAITING, generation=progress.generation + 1)",
        ),
    ),
    without(
        "where reconcile asks for what an attempt has looked for since",
        NamedTests(f"{RECONCILES}::test_an_attempt_that_began_meanwhile_is_left_alone"),
        (RECONCILING, "if now.progress(name).attempt == lost.batch.progress(name).attempt:", "if True:"),
    ),
    without(
        "where reconcile asks for what was loaded without a history",
        NamedTests(f"{RECONCILES}::test_what_was_loaded_without_a_history_is_not_loaded_again_because_it_has_one_now"),
        (RECONCILING, 'if batch.progress(name).settings.get("history", "table") == "table":', "if True:"),
    ),
    without(
        "where the first batch of a load under another name counts as that of a new load",
        NamedTests(f"{RENAMED}::test_what_was_claimed_while_redshift_slept_is_refused_in_the_transaction_and_waits"),
        (TRANSACTION, "        if answer.keeps_sources:\n", "        if False:\n"),
    ),
    without(
        "where a load under another name is not noticed before its first claim",
        NamedTests(f"{RENAMED}::test_a_renamed_load_claims_nothing_and_says_both_ways_out"),
        ("loader/run/lost_ledger.py", "elif answer.keeps_sources:", "elif False:"),
    ),
    without(
        "with batches handed over before their objects are claimed for the new name",
        NamedTests(f"{RENAMES}::test_a_renaming_that_stops_anywhere_loads_nothing_twice_and_goes_on"),
        (
            "loader/operate/recovery/rename.py",
            "    handing.close()\n",
            "    handing.close()\n    handing.hand_over_batches()\n",
        ),
    ),
    without(
        "where a renaming that has come to its end is not noticed",
        NamedTests("tests/contract/test_ledger_renaming.py::test_no_step_is_taken_after_the_end"),
        (RENAMING, "[*actions, self._is_under_way(renaming)])\n\n", "[*actions])\n\n"),
    ),
    without(
        "without ConsistentRead of the claims that are handed over",
        NamedTests("tests/contract/test_lagging_reads.py"),
        (RENAMING, '{":load": load}, ConsistentRead=True)', '{":load": load})'),
    ),
    without(
        "where a batch is loaded into a target that the load no longer has",
        NamedTests(f"{TARGETS}::test_a_removed_target_is_not_loaded_into_although_its_table_is_there"),
        (ATTEMPT, "if self.config.target_named(self.target.name) is None:", "if False:"),
    ),
    without(
        "where a batch is retargeted though it may be in the old table",
        NamedTests(f"{TARGETS}::test_what_was_committed_before_the_table_was_renamed_is_found_where_it_was"),
        (CHANGES, "_refuse_unless_certain(batch, old, progress)", "pass"),
    ),
    without(
        "where a target is given up though the batch may be in it",
        Interleaving("given up while it is loaded"),
        (CHANGES, "_refuse_unless_certain(batch, target, progress)", "pass"),
    ),
    without(
        "where a target is given up in a batch as it was read before",
        NamedTests(f"{TARGETS}::test_a_decision_that_loses_a_race_looks_again"),
        (
            "loader/operate/change_targets.py",
            '    return until_won(f"batch {batch_id} of load {config.load}", write)',
            "    return write()",
        ),
    ),
    without(
        "where a batch is merged over a newer one without a word of a person",
        NamedTests("tests/unit/loader/operate/test_out_of_order.py"),
        (TRANSACTION, 'if mode == "merge" and self.out_of_order:', 'if mode == "merge":'),
    ),
    without(
        "where import-lambda goes by the worst that is known of a file",
        NamedTests(f"{IMPORTS}::test_a_file_whose_latest_batch_was_deleted_is_unknown_whatever_an_earlier_one_says"),
        (
            "core/lambda_loader/fates.py",
            "age = self._recorded.get(name) == found.batch, moment or _LONG_AGO, -_ORDER.index(found.fate)",
            "age = False, _LONG_AGO, -_ORDER.index(found.fate)",
        ),
    ),
)
