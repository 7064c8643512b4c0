"""Safeguards of what is read: load files, keys and other people's texts."""

from collections.abc import Sequence

from mutations.judges import NamedTests, Safeguard, without

BOUNDARY = "core/ledger/boundary.py"
SOURCES = "core/config/sources.py"
BUFFERS = "tests/unit/loader/run/test_buffer.py"
HIDDEN = "tests/unit/loader/run/test_hidden_objects.py"
VARIABLES = "tests/unit/core/load_file/test_variables.py"
SANDBOX = "tests/airflow/test_sql_sandbox.py"
SEEN = "tests/unit/core/test_visible.py"

READING: Sequence[Safeguard] = (
    without(
        "without what is remembered of load files that are away",
        NamedTests(f"{BUFFERS}::test_a_load_file_that_is_away_for_a_moment_does_not_widen_the_load_round_it"),
        (
            BOUNDARY,
            "    left_alone = {**dict.fromkeys(named), **remembered}\n",
            "    left_alone, remembered = {}, {}\n",
        ),
    ),
    without(
        "without holding still beside a file that cannot be read",
        NamedTests(f"{BUFFERS}::test_a_load_that_never_ran_claims_nothing_beside_a_file_that_cannot_be_read"),
        (BOUNDARY, "    if known is None and unread:\n", "    if False:\n"),
    ),
    without(
        "where what no load file names any more is given up at once",
        NamedTests(f"{BUFFERS}::test_a_load_file_that_is_away_for_a_moment_does_not_widen_the_load_round_it"),
        (BOUNDARY, "AWAY = timedelta(minutes=10)", "AWAY = timedelta(0)"),
    ),
    without(
        "with hidden objects",
        NamedTests(HIDDEN),
        (
            "loader/run/discover.py",
            "        elif not hidden.leaves_out(found.name):\n            yield found\n    if",
            "        else:\n            yield found\n    if",
        ),
    ),
    without(
        "where a partition that begins with an underscore is hidden",
        NamedTests(HIDDEN),
        (SOURCES, '(name.startswith("_") and "=" not in name)', 'name.startswith("_")'),
    ),
    without(
        "where a load that has claimed hidden objects leaves out the next",
        NamedTests(
            f"{HIDDEN}::test_a_load_that_has_claimed_such_an_object_goes_on_taking_them_until_it_is_told_otherwise"
        ),
        ("loader/hidden_objects.py", "            self.are_taken = True\n", "            self.are_taken = False\n"),
    ),
    without(
        "where a key that looks like a secret is refused",
        NamedTests(
            "tests/unit/core/config/test_sources.py::test_a_key_that_looks_like_a_secret_can_be_named_by_a_person"
        ),
        (SOURCES, "return cls(*_bucket_and_key(text, key_is_data=True))", "return cls(*_bucket_and_key(text))"),
    ),
    without(
        "without the list of what a template may read",
        NamedTests(f"{SANDBOX}::test_no_known_way_leads_out"),
        (
            "core/config/sql_sandbox.py",
            "        if not isinstance(obj, (*_OPEN, Undefined)) or (isinstance(obj, str) and attr in _NOT_OF_TEXT):\n",
            "        if False:\n",
        ),
    ),
    without(
        "where a load file is a template",
        NamedTests("tests/airflow/test_dags.py::test_no_setting_of_a_load_is_rendered_with_the_tasks_fields"),
        (
            "operators/load_batch.py",
            'template_fields: Sequence[str] = ("batch", "target")',
            'template_fields: Sequence[str] = ("batch", "target", "load_config")',
        ),
    ),
    without(
        "where a variable of a load file may be a secret",
        NamedTests(VARIABLES),
        ("core/load_file/variables.py", "        elif _SECRET_NAME.search(name):\n", "        elif False:\n"),
    ),
    without(
        "where a command goes on though a variable has another value here",
        NamedTests(
            "tests/unit/loader/test_variables.py::test_a_command_that_resolves_otherwise_than_the_last_run_is_refused"
        ),
        (
            "loader/variables.py",
            "if others := differing(config.variables, services.ledger.variables(as_recorded(config).load)):",
            "if others := ():",
        ),
    ),
    without(
        "where an error shows a text as it is",
        NamedTests(f"{SEEN}::test_no_error_shows_a_character_that_is_not_seen"),
        (
            "core/errors.py",
            'super().__init__("\\n".join(map(visible, lines)))',
            'super().__init__("\\n".join(map(str, lines)))',
        ),
    ),
    without(
        "where a log shows a text as it is",
        NamedTests(f"{SEEN}::test_a_log_has_one_line_for_each_record_and_the_lines_of_an_error"),
        ("core/logs.py", "or argument is None else visible(argument)", "or argument is None else argument"),
    ),
    without(
        "where a command shows a text as it is",
        NamedTests("tests/airflow/test_hostile_keys.py::test_no_command_prints_a_character_that_is_not_seen"),
        ("cli/console.py", 'return "\\n".join(map(visible, text.split("\\n")))', "return text"),
        ("cli/console.py", "return without_markup(visible(text))", "return without_markup(str(text))"),
    ),
    without(
        "where a message of SNS shows a text as it is",
        NamedTests("tests/unit/loader/test_hostile_keys.py"),
        (
            "core/visible.py",
            'return "".join(each if each.isprintable() else _in_json(each) for each in line)',
            "return line",
        ),
    ),
    without(
        "where `error` of a message is a sentence",
        NamedTests("tests/unit/core/test_messages.py::test_a_program_that_reads_the_lambda_loaders_errors_reads_ours"),
        ("core/messages.py", '"error": _by_cluster(target, error, said),', '"error": said,'),
    ),
)
