"""A load file: every mistake at once, with its line and what to write instead."""

import pickle

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.checkout import CHECKOUT

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.setting_types import is_load_name
from rsloader_provider.core.load_file.reading import (
    LoadFileError,
    LoadFileMistake,
    load_name_in,
    prefixes_in,
    read_load_file,
    schedule_in,
)

GOOD = r"""load: orders
source: s3://acme-landing/orders/
file_filter: '\.csv$'
schedule: "*/5 * * * *"
batch: {max_files: 100, max_bytes: 1GiB, max_age: 5m}
copy:
  format: csv
  delimiter: "|"
  ignore_header: 1
  options: "ACCEPTINVCHARS"
manifests: s3://acme-loader/manifests/
targets:
  - conn_id: redshift_default
    table: public.orders
    columns: [on, no, null_, y]
"""


def mistakes(text: str) -> list[str]:
    """The report on a file, a line each."""
    with pytest.raises(LoadFileError) as caught:
        read_load_file(text, "orders.yaml")
    return str(caught.value).split("\n")


def test_a_good_file_becomes_a_load() -> None:
    """What looks like YAML 1.1's true and false is text here: columns may be named 'on' and 'no'."""
    config = read_load_file(GOOD, "orders.yaml")
    assert (config.load, str(config.sources[0]), config.batch.max_bytes) == (
        "orders",
        "s3://acme-landing/orders/",
        2**30,
    )
    assert config.targets[0].columns == ("on", "no", "null_", "y")


def test_the_sample_is_a_good_file() -> None:
    """It is what newcomers copy."""
    sample = CHECKOUT / "dags" / "loads" / "orders.yaml"
    assert read_load_file(sample.read_text(), "orders.yaml").dag_id == "rsloader_orders"


def test_every_mistake_of_a_file_is_in_one_report() -> None:
    """One mistake for each try, and a deployment between them, is how an afternoon goes by."""
    text = """load: 1orders
source: s3://acme-landing/orders
schedule: 0 0 30 2 *
delimiter: x
batch: {max_files: yes, max_age: 5x}
copy:
  fomat: csv
  ignore_header: -1
  compression: gz
manifests:
targets:
  - conn_id: redshift_default
    mode: apend
  - table: a
    pre_sql:
      - DELETE FROM a
      - TRUNCATE a
  - table: public.A
load: orders
on_clear: maybe
max_batches_per_run: 5000
"""
    assert mistakes(text) == [
        "orders.yaml:1: '1orders' is not a valid load name. Begin with a letter; go on with letters, digits, '_', '-' "
        "and single '.'; at most 200 characters.",
        "orders.yaml:2: 's3://acme-landing/orders' does not end with '/', so it could mean a folder or the start of "
        "many names. Write 's3://acme-landing/orders/', and choose among names with file_filter.",
        "orders.yaml:3: the cron expression '0 0 30 2 *' names a day that never comes. "
        'Write for example "*/5 * * * *", @hourly, "@continuous" or a duration such as 30s or 5m.',
        "orders.yaml:4: unknown key 'delimiter'. It belongs under 'copy'.",
        "orders.yaml:5: '5x' is not a duration. Write for example 30s, 5m, 1h30m or 2d; a number means seconds.",
        "orders.yaml:5: 'max_files' should be a whole number. Write for example: max_files: 100",
        "orders.yaml:7: 'format' is missing. Add for example: format: csv",
        "orders.yaml:7: unknown key 'fomat'. Write 'format'.",
        "orders.yaml:8: 'ignore_header' is -1. Write at least 0.",
        "orders.yaml:9: 'compression' cannot be 'gz'. Write 'gzip'.",
        "orders.yaml:10: 'manifests' is empty. Write for example: manifests: 's3://acme-loader/manifests/'",
        "orders.yaml:12: 'table' is missing. Add for example: table: public.orders",
        "orders.yaml:13: 'mode' cannot be 'apend'. Write 'append'.",
        "orders.yaml:17: TRUNCATE would commit or break the load's transaction, and a failure after it could not be "
        "undone. To empty a table write DELETE FROM, or 'mode: replace'.",
        "orders.yaml:19: the key 'load' appears twice; first in line 1. Keep one of them.",
        "orders.yaml:20: 'on_clear' cannot be 'maybe'. Write one of reload, skip.",
        "orders.yaml:21: 'max_batches_per_run' is 5000. Write at most 1000.",
    ]


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("load: orders", "load: [orders]"), 1, "'load' should be text. Write for example: load: orders"),
        (("load: orders", "load: 5"), 1, "'load' is 5, which is not text. Put it in quotes: '5'."),
        (("load: orders", "load: true"), 1, "'load' is True, which is not text. Put it in quotes: 'true'."),
        (("load: orders", "load:"), 1, "'load' is empty. Write for example: load: orders"),
        (("load: orders\n", ""), 1, "'load' is missing. Add for example: load: orders"),
        (("load: orders", "load: 2024-01-01"), 1, "'2024-01-01' is not a valid load name."),
        (
            ("load: orders", "!!python/name:os.system load: orders"),
            1,
            "the tag '!!python/name:os.system' is not allowed",
        ),
        (("load: orders", "load: !!python/object/apply:os.system [x]"), 1, "'!!python/object/apply:os.system' is not"),
        (("load: orders", "load: !!binary b3JkZXJz"), 1, "the tag '!!binary' is not allowed"),
        (("load: orders", "load: !!int orders"), 1, "'orders' is not a valid int. Write a plain value."),
        (("load: orders", "load: orders\n5: x"), 2, "'5' cannot be a key. A key is the name of a setting."),
        (("load: orders", "load: orders\n[a]: x"), 2, "a list or mapping cannot be a key."),
        (("load: orders", "load: orders\n<<: {on_clear: skip}"), 2, "unknown key '<<'."),
        (("load: orders", "load: orders\nx: 1"), 2, "unknown key 'x'. Known here: load, source, exclude"),
        (("load: orders", "load: orders\ntable: x"), 2, "unknown key 'table'. It belongs under 'targets'."),
        (("load: orders", "load: orders\nLoad: x"), 2, "unknown key 'Load'. Write 'load'."),
        (
            ("copy:", "copy: csv\nx:"),
            6,
            "'copy' should be a mapping of settings. Write for example: copy: {format: csv}",
        ),
        (("targets:\n  -", "targets:\n   "), 13, "'targets' should be a list. Write for example: targets: [{table:"),
        (("y]", "y]\n  - 7"), 16, "'targets' should be a mapping of settings."),
        (
            ("y]", "y]\n  - {table: Orders}"),
            16,
            "the target 'redshift_default/public.Orders' appears",
        ),
        (("[on, no,", "[on, On,"), 15, "the column 'On' appears twice."),
        (("format: csv", "format: 'cvs'"), 7, "'format' cannot be 'cvs'. Write 'csv'."),
        (('"|"', "|"), 8, "'' is not a valid delimiter."),
        (("'\\.csv$'", "'('"), 3, "'(' is not a valid regular expression: missing )"),
    ],
)
def test_a_mistake_names_its_line_and_what_to_write(change: tuple[str, str], line: int, said: str) -> None:
    """A line number that is off by one sends people to the wrong setting."""
    report = mistakes(GOOD.replace(*change, 1))
    assert any(each.startswith(f"orders.yaml:{line}: ") and said in each for each in report), report


def test_one_wrong_entry_in_a_list_is_one_mistake() -> None:
    """Pydantic also says that the list is empty, since it counts good entries only."""
    assert mistakes(GOOD.partition("targets:")[0] + "targets: [orders]") == [
        "orders.yaml:12: 'targets' should be a mapping of settings. "
        "Write for example: targets: [{table: public.orders}]"
    ]


def test_a_repeated_key_is_a_mistake_at_every_level() -> None:
    """YAML readers take the last one without a word, and the author looks at the first."""
    assert mistakes(GOOD.replace("  ignore_header: 1", "  format: text")) == [
        "orders.yaml:9: the key 'format' appears twice; first in line 7. Keep one of them."
    ]


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("load: orders\nschedule: */5 * * * *", 2, 'schedule: "*/5 * * * *"'),
        ("load: orders\nschedule: @hourly", 2, "in quotes"),
        ("load: orders\n\tsource: x", 2, "not tabs"),
        ("load: orders\nfile_filter: [a-z]+", 2, "Check indentation, brackets and quotes"),
        ('load: orders\nfile_filter: "\\.csv$"', 2, "in single quotes"),
        ("load: orders\nsource: a: b", 2, "in quotes"),
        ("load: orders\n---\nload: other", 2, "one load in each file"),
        ("load: orders\nsource: 'x", 2, "Close the quote"),
        ("load: orders\nsource: \x07", 2, "control character"),
        ("load: orders\nsource: \ud800", 2, "Remove it"),
        ("load: orders\nsource: " + "[" * 5000, 2, "three levels"),
        ("a: " * 1 + "{a: " * 100_000, 1, "three levels"),
        ("copy: {", 1, "Check indentation"),
    ],
)
def test_broken_yaml_gives_its_line_and_a_likely_cure(text: str, line: int, hint: str) -> None:
    """Libyaml's words alone help few; deep nesting without the check would end Airflow's DAG processor."""
    (mistake,) = mistakes(text)
    assert mistake.startswith(f"orders.yaml:{line}: this is not YAML: "), mistake
    assert hint in mistake


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "null"])
def test_an_empty_file_says_so(text: str) -> None:
    """Somebody saved too early."""
    assert mistakes(text) == ["orders.yaml:1: the file is empty. Begin with the line 'load: <name>'."]


def test_aliases_are_read_and_a_circle_of_them_is_a_mistake() -> None:
    """Anchors save typing; a list that holds itself must not hang the reader."""
    text = GOOD.replace("orders\n", "&name orders\n", 1) + "    pre_sql: &sql [SELECT 1]\n    post_sql: *sql\n"
    assert read_load_file(text, "f").targets[0].post_sql == ("SELECT 1",)
    assert mistakes("targets: &a [*a]")


LAUGHS = ["[lol]", *(f"[{', '.join([f'*a{level}'] * 10)}]" for level in range(9))]
BOMB = "bomb: [" + ", ".join(f"&a{level} {text}" for level, text in enumerate(LAUGHS)) + "]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB + GOOD.replace("format: csv", "format: *a9"), "its aliases stand for over 1,000,000 characters"),
        (BOMB + GOOD.replace("load: orders", "load: *a9"), "its aliases stand for over 1,000,000 characters"),
        ("load: orders\nbatch: &b {max_bytes: *b}\n", "an alias inside its own anchor"),
        ("[" * 500 + "]" * 500, "nested too deeply"),
        ("{a: " * 500 + "1" + "}" * 500, "nested too deeply"),
        ("# " + "x" * 1_000_000, "over 1,000,000 characters"),
    ],
    ids=["laughs in a choice", "laughs in a name", "circle", "deep lists", "deep mappings", "large"],
)
def test_a_file_that_is_small_and_means_much_is_refused_at_once(text: str, said: str) -> None:
    """One such file in the folder would otherwise take the memory, or the DAGs, of all loads."""
    (told,) = mistakes(text)
    assert said in told


def test_a_mistake_is_one_line_without_control_characters() -> None:
    """What a file's author wrote must not move the cursor of whoever reads the report."""
    text = GOOD.replace("load: orders", 'load: "a\\e[2J\\nb"').replace("landing/orders/", "landing/\x1b")
    assert all(each.isprintable() for each in mistakes(GOOD.replace("load: orders", 'load: "a\\e[2J\\nb"')))
    assert all(each.isprintable() for each in mistakes(text))
    assert str(LoadFileMistake("a\nb", 1, "m.", "h.")) == "a\\nb:1: m. h."


def test_the_error_survives_pickling() -> None:
    """Airflow's processes hand errors to each other that way."""
    with pytest.raises(LoadFileError) as caught:
        read_load_file("", "f")
    assert pickle.loads(pickle.dumps(caught.value)).mistakes == caught.value.mistakes


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("load: orders\nsource: [", "orders"),
        ("source: [\nload: orders", "orders"),
        ("source: @x\nload: 'orders'  # the name", "orders"),
        ('{"load":"orders", x', "orders"),
        ("copy:\n  load: no\nload: orders\n\tx", "orders"),
        ("load: a\nload: b", "a"),
        ("load: not a name", "my-file_1.2"),
        ("load: [orders]", "my-file_1.2"),
        ("load: *orders", "my-file_1.2"),
        ("- load: orders", "my-file_1.2"),
        ("", "my-file_1.2"),
    ],
)
def test_a_broken_file_keeps_its_loads_name(text: str, name: str) -> None:
    """Its DAG keeps its id, so its history stays and its place in the UI shows what is wrong."""
    assert load_name_in(text, "folder/my-file_1.2.yaml") == name


@pytest.mark.parametrize(
    ("file", "name"),
    [("a b.yaml", "a_b"), ("1.yaml", "load_1"), ("a..b.yml", "a_.b"), ("ü.yaml", "load__"), ("", "load_")],
)
def test_a_name_from_a_file_is_one_that_a_dag_may_have(file: str, name: str) -> None:
    """A DAG with a bad id is an import error, and takes the DAGs of all other loads with it."""
    assert load_name_in("", file) == name


def test_what_can_be_read_of_a_broken_file_is_read() -> None:
    """Its schedule stays, and no other load takes its objects."""
    text = "schedule: 5m\nsource: s3://bkt/a\nmanifests: s3://log/m/\nfailed_manifests: nowhere\nx: ["
    assert schedule_in(text) == "5m"
    assert {key: [*map(str, patterns)] for key, patterns in prefixes_in(text).items()} == {
        "source": ["s3://bkt/a/"],
        "manifests": ["s3://log/m/"],
    }
    assert (schedule_in("schedule: never"), schedule_in("["), prefixes_in("[")) == (None, None, {})


@pytest.mark.parametrize(
    "text",
    [
        "source:\n  - s3://bkt/a/\n  - s3://two/b\nx: [",
        "source: # both\n- 's3://bkt/a/'\n\n# and\n- \"s3://two/b/\"  # this\nx: y",
        "source: [s3://bkt/a/, 's3://two/b/']\n[",
        "[\nsource:\n  - s3://bkt/a/\n  - s3://two/b/\nschedule: 5m",
        "[\nsource: [s3://bkt/a/, 's3://two/b']\nschedule: 5m",
        "source:\n  - s3://bkt/a/\n  - *x\n  - s3://two/b/\n",
        "other: [x]\nmore: {source: [s3://no/]}\nsource: ['s3://bkt/a/', {a: b}, s3://two/b/, 5, [s3://no/]]\nx: [",
        "source: |\n  - s3://no/\nsource:\n  - s3://bkt/a/\n  - s3://two/b/\n",
    ],
)
def test_all_sources_of_a_broken_file_are_read(text: str) -> None:
    """One that was passed over would be loaded by another load meanwhile, for good."""
    assert [*map(str, prefixes_in(text)["source"])][-2:] == ["s3://bkt/a/", "s3://two/b/"]


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("[s3://abc/x/, s3://abc/x/y/]", 2, "the source 's3://abc/x/y/' lies below 's3://abc/x/', which takes all"),
        ("\n- s3://abc/x/\n- s3://abd/\n- s3://abc/x/", 5, "the source 's3://abc/x/' appears twice. Leave it out."),
        ("\n- s3://abc/x/2/\n- s3://abc/x/*/", 3, "the source 's3://abc/x/2/' lies below 's3://abc/x/*/', which"),
        ("\n- s3://abc/x/\n- s3://abc/y", 4, "'s3://abc/y' does not end with '/'"),
        ("\n- s3://abc/x/\n- 5", 4, "'source' is 5, which is not text. Put it in quotes: '5'."),
        ("[]", 2, "'source' is empty. Write at least one entry: source: 's3://acme"),
        ("{a: b}", 2, "'source' should be text or a list. Write for example: source: 's3://acme"),
    ],
)
def test_a_source_that_is_wrong_or_in_vain_is_told_with_its_line(source: str, line: int, said: str) -> None:
    """Each object is loaded once; which of two sources takes it makes no difference, so one of them is a slip."""
    text = (
        f"load: a\nsource: {source}\nschedule: 5m\ncopy: {{format: csv}}\nmanifests: s3://l-m/\ntargets: [{{table: a}}]"
    )
    with pytest.raises(LoadFileError) as caught:
        read_load_file(text, "a.yaml")
    (found,) = caught.value.mistakes
    assert found.line == line
    assert str(found).startswith(f"a.yaml:{line}: {said}")


def test_python_s_names_of_settings_are_no_keys_of_a_file() -> None:
    """The rest of the loader looks for `source` in files that are broken."""
    text = (
        "load: a\nsources: s3://abc/x/\nschedule: 5m\ncopy: {format: csv}\nmanifests: s3://l-m/\ntargets: [{table: a}]"
    )
    with pytest.raises(LoadFileError, match=r"a.yaml:2: unknown key 'sources'. Write 'source'."):
        read_load_file(text, "a.yaml")


# Pieces that mean something, put together without sense, reach further into the reader than random letters.
marks = [
    *"[]{},'\"\\%@#\t\0é",
    ": ",
    ":",
    "\n",
    "\n  ",
    "- ",
    "? ",
    "| ",
    "> ",
    "&a ",
    "*a",
    "---\n",
    "...\n",
    "\x85",
    "\ufeff",
]
words = (
    "load source copy targets table schedule batch max_age x s3://bkt/a/ !!binary !!set !x << ~ null true 1 -1 .inf 5m"
)
pieces = st.sampled_from([*marks, *words.split(), "!!int ", "9" * 5000, "2024-13-45"])
texts = st.lists(pieces, max_size=25).map("".join) | st.text(max_size=60)


@settings(max_examples=400)
@given(texts)
@example(GOOD + "\x85")
def test_any_text_is_a_load_or_an_error_that_names_lines_of_the_file(text: str) -> None:
    """One file that raises anything else takes every load's DAG with it."""
    found: tuple[LoadFileMistake, ...] = ()
    try:
        assert isinstance(read_load_file(text, "f.yaml"), LoadConfig)
    except LoadFileError as error:
        found = error.mistakes or (LoadFileMistake("f.yaml", 0, "an error without a mistake.", ""),)
    for mistake in found:
        assert 1 <= mistake.line <= max(1, text.count("\n") + 1)
        assert "docs/configuration.md" not in mistake.hint, "the fast reader and the explaining one disagree"
    assert is_load_name(load_name_in(text, "f.yaml"))


@settings(max_examples=300)
@given(st.integers(0, len(GOOD)), st.integers(0, 12), texts)
def test_any_edit_of_a_good_file_is_a_load_or_an_error_that_names_lines_of_the_file(
    at: int, cut: int, put: str
) -> None:
    """As above, close to what people have."""
    test_any_text_is_a_load_or_an_error_that_names_lines_of_the_file.hypothesis.inner_test(  # type: ignore[attr-defined]
        GOOD[:at] + put + GOOD[at + cut :]
    )


@given(st.integers(1, 5000), st.sampled_from(["5m", "@hourly", "0 6 * * *"]), st.sampled_from(["csv", "json", "orc"]))
def test_a_load_written_as_yaml_reads_as_the_same(max_files: int, schedule: str, copy_format: str) -> None:
    """`rsloader validate --json` and the DAGs show loads in this form; people will paste it back."""
    config = read_load_file(GOOD, "f").model_dump(mode="json", by_alias=True, exclude_defaults=True)
    config |= {"batch": {"max_files": max_files}, "schedule": schedule, "copy": {"format": copy_format}}
    read = read_load_file(yaml.safe_dump(config, sort_keys=False), "f")
    assert read == LoadConfig.model_validate(config)
