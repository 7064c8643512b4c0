"""A folder of load files: names and objects belong to one load each, and a broken file breaks its own load only."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.load_files.folder import (
    BrokenLoad,
    LoadFolder,
    read_file_alone,
    read_load_folder,
    read_one,
)
from rsloader_provider.loader.load_files.one_file import read_one_file


def load_text(load: str, source: str, manifests: str = "s3://loader/manifests/", more: str = "") -> str:
    return f"""load: {load}
source: {source}
schedule: 5m
copy: {{format: csv}}
manifests: {manifests}
targets: [{{table: {load}}}]
{more}"""


def folder_of(folder: Path, **files: str) -> LoadFolder:
    """The folder after writing these files, named without their ending."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return read_load_folder(folder)


def said(folder: LoadFolder) -> list[str]:
    return [str(mistake) for mistake in folder.mistakes]


def excluded(config: LoadConfig) -> list[str]:
    return [str(each) for each in config.exclude]


def test_all_yaml_files_are_read_except_hidden_ones(tmp_path: Path) -> None:
    """Editors and Kubernetes keep hidden copies beside the files."""
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "b.yml").write_text(load_text("b", "s3://bkt/b/"))
    (tmp_path / "sub" / "deep" / "a.YAML").write_text(load_text("a", "s3://bkt/a/"))
    (tmp_path / ".hidden" / "c.yaml").write_text("[")
    (tmp_path / ".d.yaml").write_text("[")
    (tmp_path / "e.yaml.orig").write_text("[")
    folder = read_load_folder(tmp_path)
    assert list(folder.loads) == ["b", "a"]
    assert not folder.broken


def test_an_empty_folder_has_no_loads_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    """A misspelled folder must not look like a decision to stop all loads."""
    assert read_load_folder(tmp_path) == LoadFolder({}, {})
    with pytest.raises(ConfigurationError, match=r"does not exist.*loads_folder"):
        read_load_folder(tmp_path / "nope")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="is not a folder"):
        read_one(tmp_path / "file", "x")


def test_a_broken_file_breaks_its_own_load_only(tmp_path: Path) -> None:
    """One person's typo must not stop everybody's loads."""
    folder = folder_of(
        tmp_path,
        good=load_text("good", "s3://bkt/good/"),
        bad=load_text("bad", "s3://bkt/bad/").replace("format", "fomat"),
        ugly="load: ugly\nschedule: 30s\n[",
        nameless="]",
    )
    (tmp_path / "bytes.yaml").write_bytes(b"load: latin\nsource: s3://bkt/\xe9/\n")
    folder = read_load_folder(tmp_path)
    assert list(folder.loads) == ["good"]
    assert set(folder.broken) == {"bad", "ugly", "nameless", "latin"}
    assert folder.broken["ugly"].dag_id == "rsloader_ugly"
    assert folder.broken["ugly"].schedule == timedelta(seconds=30)
    assert folder.broken["nameless"].schedule is None
    assert [str(each) for each in folder.broken["latin"].mistakes] == [
        "bytes.yaml:2: this is not UTF-8. Save the file as UTF-8."
    ]


def test_a_file_that_cannot_be_opened_breaks_its_own_load_only(tmp_path: Path) -> None:
    """A dangling link, or a file that another user wrote."""
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    folder = folder_of(tmp_path, good=load_text("good", "s3://bkt/good/"))
    assert list(folder.loads) == ["good"]
    assert said(folder) == [
        "gone.yaml:1: this cannot be read: No such file or directory. Check the file and who may read it."
    ]
    assert read_one(tmp_path, "gone") == folder.broken["gone"]


def test_two_loads_of_one_name_break_each_other(tmp_path: Path) -> None:
    """They would share batches; which of the two was meant, nobody can tell."""
    folder = folder_of(
        tmp_path,
        a=load_text("orders", "s3://bkt/a/"),
        b="# copied from a\n" + load_text("orders", "s3://bkt/b/"),
        c=load_text("other", "s3://bkt/c/"),
    )
    assert list(folder.loads) == ["other"]
    assert said(folder) == [
        "a.yaml:1: load 'orders' is also in b.yaml:2. Give each load a name of its own.",
        "b.yaml:2: load 'orders' is also in a.yaml:1. Give each load a name of its own.",
    ]


def test_a_broken_copy_of_a_name_breaks_the_name_and_a_guessed_name_does_not(tmp_path: Path) -> None:
    """A name that somebody wrote counts; a name that is only the file's gives way to a written one."""
    folder = folder_of(
        tmp_path,
        a=load_text("orders", "s3://bkt/a/"),
        b="load: orders\n[",
        c=load_text("lines", "s3://bkt/c/"),
        lines="[",
    )
    assert list(folder.loads) == ["lines"]
    assert set(folder.broken) == {"orders", "lines_broken"}
    assert {each.file for each in folder.broken["orders"].mistakes} == {"a.yaml", "b.yaml"}


def test_the_more_specific_load_owns_its_objects(tmp_path: Path) -> None:
    """An object is loaded by one load: the one whose source says most about it."""
    loads = folder_of(
        tmp_path,
        all=load_text("all", "s3://bkt/", "s3://loader/m/"),
        orders=load_text("orders", "s3://bkt/orders/"),
        eu=load_text("eu", "s3://bkt/orders/*/eu/"),
        elsewhere=load_text("elsewhere", "s3://other-bucket/orders/"),
    ).loads
    assert excluded(loads["all"]) == ["s3://bkt/orders/", "s3://bkt/orders/*/eu/"]
    assert excluded(loads["orders"]) == ["s3://bkt/orders/*/eu/"]
    assert excluded(loads["eu"]) == excluded(loads["elsewhere"]) == []
    owners = [name for name, config in loads.items() if config.matches("bkt", "orders/2024/eu/1.csv")]
    assert owners == ["eu"]


def test_two_loads_of_one_source_break_each_other(tmp_path: Path) -> None:
    """Each object would be loaded by both."""
    folder = folder_of(tmp_path, a=load_text("a", "s3://bkt/x/"), b=load_text("b", "s3://bkt/x/"))
    hint = "Put one below the other, which then leaves it alone; or list one under 'exclude' of the other load."
    assert said(folder) == [
        f"a.yaml:2: the source is the same as the one of load 'b' (b.yaml:2): 's3://bkt/x/'. {hint}",
        f"b.yaml:2: the source is the same as the one of load 'a' (a.yaml:2): 's3://bkt/x/'. {hint}",
    ]


def test_sources_that_cross_break_each_other_unless_one_gives_way(tmp_path: Path) -> None:
    """Neither is more specific, so a person has to say who owns what both match."""
    one = load_text("one", "s3://bkt/*/eu/")
    other = load_text("other", "s3://bkt/orders/*/")
    folder = folder_of(tmp_path, one=one, other=other)
    assert set(folder.broken) == {"one", "other"}
    assert "the source overlaps the one of load 'other' (other.yaml:2): 's3://bkt/orders/*/'." in said(folder)[0]
    folder = folder_of(tmp_path, one=one + "exclude: ['s3://bkt/orders/*/']")
    assert set(folder.loads) == {"one", "other"}


def test_the_most_specific_load_owns_its_objects_across_several_sources(tmp_path: Path) -> None:
    """Each may own a part of what the other watches."""
    folder = folder_of(
        tmp_path,
        one=load_text("one", "[s3://bkt/a/, s3://two/b/c/]"),
        other=load_text("other", "[s3://two/b/, s3://bkt/a/b/, s3://three]"),
        third=load_text("third", "s3://two/b/c/d/"),
    )
    assert not folder.broken
    loads = folder.loads
    assert excluded(loads["one"]) == ["s3://bkt/a/b/", "s3://two/b/c/d/"]
    assert excluded(loads["other"]) == ["s3://two/b/c/", "s3://two/b/c/d/"]
    for name, owner in {
        "bkt:a/1": "one", "bkt:a/b/1": "other", "two:b/1": "other", "two:b/c/1": "one", "two:b/c/d/1": "third",
        "three:x": "other",
    }.items():  # fmt: skip
        assert [load for load, config in loads.items() if config.matches(*name.split(":"))] == [owner]
    for name, load in loads.items():
        assert read_one(tmp_path, name) == load


def test_a_list_of_sources_breaks_with_the_line_of_the_one_that_is_wrong(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        a=load_text("a", "\n  - s3://bkt/x/\n  - &both s3://bkt/y/\nexclude: []"),
        b=load_text("b", "\n- s3://bkt/z/\n\n- s3://bkt/y/"),
        c=load_text("c", "[s3://abc/, s3://log/m/x/]", "s3://other-log/"),
        d=load_text("d", "s3://abd/", "s3://log/m/"),
    )
    hint = "Put one below the other, which then leaves it alone; or list one under 'exclude' of the other load."
    assert said(folder) == [
        f"a.yaml:4: the source is the same as the one of load 'b' (b.yaml:5): 's3://bkt/y/'. {hint}",
        f"b.yaml:5: the source is the same as the one of load 'a' (a.yaml:4): 's3://bkt/y/'. {hint}",
        "c.yaml:2: the source lies under 's3://log/m/', where load 'd' writes manifests (d.yaml:5). "
        "Choose another prefix for the manifests of that load.",
    ]


def test_a_broken_load_keeps_all_of_its_sources(tmp_path: Path) -> None:
    broken = load_text("eu", "\n  - s3://bkt/orders/eu/\n  - s3://bkt/orders/de").replace("format", "fomat")
    folder = folder_of(tmp_path, orders=load_text("orders", "s3://bkt/orders/"), eu=broken)
    assert excluded(folder.loads["orders"]) == ["s3://bkt/orders/de/", "s3://bkt/orders/eu/"]


def test_a_broken_load_still_owns_its_objects(tmp_path: Path) -> None:
    """Otherwise a typo in one file would send its objects into another load's table, for good."""
    broken = load_text("eu", "s3://bkt/orders/eu", "s3://bkt/orders/log/").replace("format", "fomat")
    folder = folder_of(tmp_path, orders=load_text("orders", "s3://bkt/orders/"), eu=broken)
    assert excluded(folder.loads["orders"]) == ["s3://bkt/orders/eu/", "s3://bkt/orders/log/"]
    folder = folder_of(tmp_path, eu="load: eu\n[\nsource: s3://bkt/orders/eu/  # below the broken line\n")
    assert excluded(folder.loads["orders"]) == ["s3://bkt/orders/eu/"]


def test_a_broken_load_never_breaks_a_good_one_by_its_prefixes(tmp_path: Path) -> None:
    """It may hold anything, half-written."""
    folder = folder_of(
        tmp_path,
        orders=load_text("orders", "s3://bkt/orders/"),
        same="load: same\nsource: s3://bkt/orders/\n[",
        above="load: above\nmanifests: s3://bkt/\n[",
    )
    assert list(folder.loads) == ["orders"]
    assert excluded(folder.loads["orders"]) == []


def test_manifests_of_other_loads_are_never_data(tmp_path: Path) -> None:
    """A load of a whole bucket would load the manifests that its neighbour writes there."""
    folder = folder_of(
        tmp_path,
        all=load_text("all", "s3://bkt/"),
        orders=load_text("orders", "s3://landing/", "s3://bkt/manifests/", "failed_manifests: s3://bkt/failed/"),
        under=load_text("under", "s3://bkt/manifests/x/"),
    )
    assert excluded(folder.loads["all"]) == ["s3://bkt/failed/", "s3://bkt/manifests/", "s3://bkt/manifests/x/"]
    assert said(folder) == [
        "under.yaml:2: the source lies under 's3://bkt/manifests/', where load 'orders' writes manifests "
        "(orders.yaml:5). Choose another prefix for the manifests of that load."
    ]


def test_one_load_is_read_without_parsing_what_has_no_say_in_it(tmp_path: Path) -> None:
    """A worker needs one DAG: 500 other files must not cost it a quarter of a second."""
    for number in range(500):
        text = load_text(f"load_{number}", f"s3://bkt/tables/t{number}/", more="file_filter: '\\.csv$'\n")
        (tmp_path / f"{number}.yaml").write_text(text)
    parsed: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is read_one_file.__code__:
            parsed.append(frame.f_locals["found"].file)

    sys.setprofile(note)
    try:
        config = read_one(tmp_path, "load_250")
    finally:
        sys.setprofile(None)
    assert config == read_load_folder(tmp_path).loads["load_250"]
    assert parsed == ["250.yaml"]


@pytest.mark.parametrize(
    "other",
    [
        "s3://bkt/*/b/",
        "s3://bkt/a/*/",
        "s3://bkt/a/b/c/",
        "s3://bkt/",
        "s3://bkt",
        "'s3://bkt/a/b/'",
        ">-\n  s3://bkt/a/",
        r'"s3:\/\/bkt/a/b/c/"',
        r'"s3://\x62kt/a/b/c/"',
        '"s3://bkt/a\\\n  /b/c/"',
        "s3://bkt/ab/",
        "s3://bkt2/a/b/",
    ],
)
def test_a_source_that_overlaps_is_seen_however_it_is_written(tmp_path: Path, other: str) -> None:
    """The search in the bytes may read a file in vain, but must never pass over one that has a say."""
    folder = folder_of(tmp_path, one=load_text("one", "s3://bkt/a/b/"), two=load_text("two", other))
    for name, load in {**folder.loads, **folder.broken}.items():
        assert read_one(tmp_path, name) == load


def test_an_unknown_load_is_an_error_that_names_the_known(tmp_path: Path) -> None:
    """A file was renamed while its DAG was running."""
    folder_of(tmp_path, a=load_text("a", "s3://bkt/a/"), b="load: b\n[")
    with pytest.raises(ConfigurationError, match=r"no load 'c'.*The loads there: a, b"):
        read_one(tmp_path, "c")


def test_a_file_alone_is_read_as_if_it_were_a_folder(tmp_path: Path) -> None:
    """`rsloader validate` takes a file as well."""
    folder_of(tmp_path, a=load_text("a", "s3://bkt/a/"), b=load_text("a", "s3://bkt/a/"))
    assert list(read_file_alone(tmp_path / "a.yaml").loads) == ["a"]
    with pytest.raises(ConfigurationError, match="does not exist"):
        read_file_alone(tmp_path / "c.yaml")


# Names that stand in no prefix, so that a file is read for its name or for its prefixes, seldom for both.
load_names = st.sampled_from(["one", "two", "one.two", "orders", "bkt"])
file_names = st.sampled_from(["a", "b", "orders", "x y", "sub/a", "sub/c", "a_broken"])
prefixes = st.sampled_from(
    [
        *["s3://bkt/", "s3://bkt", "s3://bkt/a/", "s3://bkt/a b/", "s3://bkt/a/b/", "s3://bkt/*/b/", "s3://bkt/a/*/"],
        *["s3://bkt/a*/", "s3://bkt/ab/", "s3://bkt2/a/", "s3://log/m/", "s3://bkt/a", "s3://bkt/é/", "nowhere"],
    ]
)
written = st.sampled_from(["s3://log/m/", "s3://log/m/", "s3://log/m/", "s3://bkt/a/m/", "s3://bkt/", "s3://bkt/ab"])
forms = st.sampled_from(
    [
        *["load: {load}\nsource: {source}\n"] * 4,
        "source: '{source}'\nload: \"{load}\"\n",
        "{{load: {load}, source: '{source}'}}\n",
        "? load\n: >-\n  {load}\nsource: |-\n  {source}\n",
        'load: "{escaped}"\nsource: "{escaped_source}"\n',
        "load: {load}\nsource: {source}\n[\n",
        "[\nload: {load}\nsource: {source}\n",
        "load: &n {load}\nsource: &s {source}\ncopy: {{format: *n}}\n",
        "load: [{load}]\nsource: {source}\n",
        "load: {load}\nsource: [s3://two/c/, {source}]\n",
        "load: {load}\nsource:\n  - {source}\n  - s3://bkt/a/c/\n",
        'load: {load}\nsource: ["{escaped_source}", s3://two/c/]\n',
        "load: {load}\nsource:\n- s3://bkt/ab/\n- {source}\n[\n",
    ]
)
good_rest = "copy: {format: csv}\ntargets: [{table: t}]\n"
rests = st.sampled_from([good_rest, good_rest, good_rest, "copy: {fomat: csv}\n"])


def hidden(text: str) -> str:
    """The text in YAML's escapes, so that no search in the bytes finds it."""
    return "".join(f"\\x{ord(each):02x}" if each.isascii() else each for each in text).replace("\\x2f", "\\/")


@st.composite
def file_texts(draw: st.DrawFn) -> str:
    load, source, form = draw(load_names), draw(prefixes), draw(forms)
    head = form.format(load=load, source=source, escaped=hidden(load), escaped_source=hidden(source))
    if head.startswith("{"):
        return head
    return f"{head}schedule: 5m\nmanifests: {draw(written)}\n{draw(rests)}"


@pytest.mark.slow
@settings(max_examples=150)
@given(st.dictionaries(file_names, file_texts(), max_size=5))
def test_one_load_reads_the_same_alone_as_with_all_others(files: dict[str, str]) -> None:
    """The scheduler reads all and a worker reads one: if they disagreed, a worker would load another's objects."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "sub").mkdir()
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)
        everything = read_load_folder(folder)
        assert not set(everything.loads) & set(everything.broken)
        expected: dict[str, LoadConfig | BrokenLoad] = {**everything.loads, **everything.broken}
        assert {name: read_one(folder, name) for name in expected} == expected


@settings(max_examples=100)
@given(
    st.dictionaries(
        file_names,
        st.tuples(st.lists(prefixes, min_size=1, max_size=3, unique_by=lambda each: each.rstrip("/")), prefixes),
        max_size=5,
    )
)
def test_no_object_belongs_to_two_loads(sources: dict[str, tuple[list[str], str]]) -> None:
    """This is half of 'exactly once', whatever people write into their files."""
    keys = [f"{one}{two}x" for one in ("", "a/", "ab/", "c/") for two in ("", "a/", "b/", "c/")]
    with TemporaryDirectory() as place:
        (Path(place) / "sub").mkdir()
        for number, (name, (source, manifests)) in enumerate(sources.items()):
            Path(place, f"{name}.yaml").write_text(load_text(f"l{number}", f"{source}", f"'{manifests}'"))
        loads = read_load_folder(Path(place)).loads
    for key in keys:
        owners = [name for name, config in loads.items() if config.matches("bkt", key)]
        assert len(owners) <= 1, key
        for config in loads.values():
            if owners and config.manifests.bucket == "bkt":
                assert not key.startswith(config.manifests.key), "a manifest is no data"


def test_a_file_whose_name_is_not_unicode_can_be_named_in_a_report(tmp_path: Path) -> None:
    """File names are bytes on Linux."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.yaml")).write_text("[")
    (mistake,) = said(read_load_folder(tmp_path))
    assert mistake.encode()


ORDERS = load_text("orders", "s3://bkt/orders/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet\n",
        "load: orders\n",
        ORDERS[: ORDERS.index("rders/")],
        ORDERS[: ORDERS.index("schedule")],
        "load: orders\nsource:\n- s3://bkt/orders/\n",
        "load: orders\nsource: [s3://bkt/orders/, s3://bkt/re",
        ORDERS.replace("s3://bkt/", "bkt/"),
        ORDERS.replace("s3://bkt/orders/", "[s3://bkt/orders/, 5]"),
        ORDERS + "source: s3://bkt/returns/\n",
        "\x00",
    ],
)
def test_a_file_that_is_empty_or_cut_off_may_own_anything(tmp_path: Path, text: str):
    """Whatever it will name once it is whole, another load must not take in the meantime."""
    folder = folder_of(tmp_path, all=load_text("all", "s3://bkt/"), orders=text)
    assert folder.unread == ("orders.yaml",)
    assert folder.loads["all"].unread_files == ("orders.yaml",)
    one = read_one(tmp_path, "all")
    assert isinstance(one, LoadConfig)
    assert (one, one.unread_files) == (folder.loads["all"], ("orders.yaml",))


@pytest.mark.parametrize("text", ["load: orders\n", "load: orders\nschedule: 5m\nsorce: s3://bkt/orders/\n"])
def test_a_whole_file_without_a_source_holds_nobody_up_once_nobody_writes_it_any_more(tmp_path: Path, text: str):
    """It breaks its own load only."""
    folder_of(tmp_path, all=load_text("all", "s3://bkt/"), orders=text)
    changed = (tmp_path / "orders.yaml").stat().st_ctime
    for age, unread in [(0, ("orders.yaml",)), (59, ("orders.yaml",)), (61, ())]:
        folder = read_load_folder(tmp_path, clock=lambda age=age: changed + age)
        one = read_one(tmp_path, "all", clock=lambda age=age: changed + age)
        assert isinstance(one, LoadConfig)
        assert (folder.unread, folder.loads["all"].unread_files, one.unread_files) == (unread, unread, unread)
        assert [*folder.broken] == ["orders"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "load: [orders\n", "load: orders\nsource: bkt/orders/\n"])
def test_what_may_still_own_anything_does_so_however_old_it_is(tmp_path: Path, text: str):
    folder_of(tmp_path, all=load_text("all", "s3://bkt/"), orders=text)
    assert read_load_folder(tmp_path, clock=lambda: 1e12).unread == ("orders.yaml",)


def test_every_beginning_of_a_load_file_is_owned_unread_or_whole(tmp_path: Path):
    """A copy that is stopped anywhere: what is written so far decides nothing that the whole file would not."""
    whole = load_text("orders", "\n  - s3://bkt/orders/ # here\n\n  - 's3://bkt/returns/'")
    for end in range(len(whole)):
        config = folder_of(tmp_path, all=load_text("all", "s3://bkt/"), orders=whole[:end]).loads["all"]
        if not config.unread_files:
            assert excluded(config) == ["s3://bkt/orders/", "s3://bkt/returns/"], whole[:end]


@pytest.mark.parametrize(
    "source",
    [
        "s3://bkt/orders/",
        "'s3://bkt/orders/'  # here",
        "[s3://bkt/orders/, 's3://bkt/re turns/']",
        "\n- s3://bkt/orders/\n# and\n- s3://bkt/returns/",
        "s3://bkt/orders",
    ],
)
def test_a_broken_file_that_names_its_sources_owns_them_and_holds_nobody_up(tmp_path: Path, source: str):
    broken = load_text("orders", source).replace("format", "fomat")
    folder = folder_of(tmp_path, all=load_text("all", "s3://bkt/"), orders=broken)
    assert (folder.unread, [*folder.broken]) == ((), ["orders"])
    assert "s3://bkt/orders/" in excluded(folder.loads["all"])


def test_a_link_that_leads_nowhere_may_own_anything(tmp_path: Path):
    (tmp_path / "orders.yaml").symlink_to(tmp_path / "nowhere")
    folder = folder_of(tmp_path, all=load_text("all", "s3://bkt/"))
    assert folder.loads["all"].unread_files == ("orders.yaml",)
    one = read_one(tmp_path, "all")
    assert isinstance(one, LoadConfig)
    assert one.unread_files == ("orders.yaml",)


def test_a_good_file_is_never_unread_however_it_is_written(tmp_path: Path):
    last = "load: orders\nschedule: 5m\ncopy: {format: csv}\nmanifests: s3://bkt2/m/\ntargets: [{table: a}]\n"
    flow = "{load: f, source: s3://bkt3/, schedule: 5m, copy: {format: csv}, manifests: s3://bkt2/m/, "
    folder = folder_of(
        tmp_path,
        all=load_text("all", "s3://bkt/"),
        orders=last + "source: s3://bkt/orders/",
        flow=flow + "targets: [{table: f}]}",
    )
    assert (folder.unread, folder.broken) == ((), {})
    assert excluded(folder.loads["all"]) == ["s3://bkt/orders/"]
