"""COPY's settings: what contradicts the load is refused before Redshift sees it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.objects import a_config

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.config.copy_clauses import check_copy_options
from rsloader_provider.core.load_file.reading import LoadFileError, read_load_file


def options(**settings: Any) -> CopyOptions:
    return CopyOptions.model_validate({"format": "csv", **settings})


@pytest.mark.parametrize(
    "delimiter", ["|", ",", ";", "\t", "\\t", "\\001", "\\174", "'", " ", "||", "|~|", "\\001\\t", "\x7f"]
)
def test_a_delimiter_is_ascii_characters_or_copys_notation_for_them(delimiter: str) -> None:
    """It is kept as written: COPY understands these itself."""
    assert options(delimiter=delimiter).delimiter == delimiter


@pytest.mark.parametrize(
    "delimiter",
    [
        "", "|\n|", "|" * 17, "\\012", "\\015", "\\000", "\\134", "|\\", "\\n", "\n", "\r", "\\",
        "\\x01", "\\200", "\\777", "\\01", "é", "\0",
    ],
)  # fmt: skip
def test_what_copy_would_misread_as_a_delimiter_is_refused(delimiter: str) -> None:
    """COPY fails on them only when the first batch is loaded."""
    with pytest.raises(ValidationError, match="is not a valid delimiter"):
        options(delimiter=delimiter)


def test_csvs_quote_is_no_delimiter_in_csv() -> None:
    """In delimited text it is a character like others."""
    assert options(format="text", delimiter='"').delimiter == '"'
    with pytest.raises(ValidationError, match="is the quote"):
        options(delimiter='"')


@pytest.mark.parametrize("copy_format", ["json", "avro", "parquet", "orc"])
@pytest.mark.parametrize("setting", [{"delimiter": "|"}, {"ignore_header": 1}])
def test_settings_of_delimited_files_are_refused_for_other_formats(copy_format: str, setting: dict[str, Any]) -> None:
    """COPY refuses the combination; here the author still looks at the file."""
    with pytest.raises(ValidationError, match=f"with {copy_format}"):
        options(format=copy_format, **setting)


@pytest.mark.parametrize("copy_format", ["avro", "parquet", "orc"])
def test_compression_is_refused_for_formats_that_compress_inside(copy_format: str) -> None:
    """As above. JSON may be compressed."""
    assert options(format="json", compression="gzip").compression == "gzip"
    with pytest.raises(ValidationError, match="compressed inside"):
        options(format=copy_format, compression="gzip")


@pytest.mark.parametrize("lines", [-1, "1", True, 1.0])
def test_header_lines_are_a_whole_number(lines: object) -> None:
    """True would skip one line."""
    with pytest.raises(ValidationError, match="ignore_header"):
        options(ignore_header=lines)


@pytest.mark.parametrize(
    "role",
    [
        "default",
        "arn:aws:iam::123456789012:role/loader",
        "arn:aws-us-gov:iam::123456789012:role/team/loader@x",
        "arn:aws:iam::123456789012:role/one,arn:aws:iam::210987654321:role/two",
    ],
)
def test_a_role_is_default_or_arns(role: str) -> None:
    """Chained roles are how one account reads another's bucket."""
    assert options(iam_role=role).iam_role == role


@pytest.mark.parametrize(
    "role",
    [
        "",
        "loader",
        "arn:aws:iam::1:role/x",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:role/x' --",
        "default,arn:aws:iam::123456789012:role/x",
        "arn:aws:iam::123456789012:role/a, arn:aws:iam::123456789012:role/b",
    ],
)
def test_what_is_no_role_is_refused(role: str) -> None:
    """Redshift's own message names neither the file nor the setting."""
    with pytest.raises(ValidationError, match="neither 'default' nor"):
        options(iam_role=role)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ACCEPTINVCHARS '^' TIMEFORMAT 'auto' MAXERROR 10",
        "NULL AS '\\\\N' REGION 'eu-west-1'",
        "NULL AS '' emptyasnull",
        "NULL '\\0'",
        "QUOTE '\\047' ACCEPTINVCHARS AS '''' TRIMBLANKS",
        "acceptinvchars fillrecord\nIgnoreBlankLines",
        "COMPUPDATE OFF STATUPDATE COMPROWS 5000 ROUNDEC",
        "compupdate preset ENCODING AS UTF16LE",
        "ENCODING 'utf-8' IGNOREALLERRORS",
        "MAXERROR AS 100000 TIMEFORMAT AS 'epochmillisecs' DATEFORMAT AS 'auto'",
        "DATEFORMAT 'DD;MM -- YYYY' QUOTE AS '%'",
        "NULL AS 'FORMAT JSON FROM'",
        "NULL AS 'it''s'",
    ],
)
def test_further_clauses_of_copy_are_taken_as_written(text: str) -> None:
    """What stands in quotes is a value, whatever it looks like."""
    assert options(options=f" {text}\n").options == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MANIFEST", "manifest"),
        ("format as json 'auto'", "copy.format"),
        ("Csv", "copy.format"),
        ("DELIMITER ','", "copy.delimiter"),
        ("maxerror 1 ignoreheader 1", "copy.ignore_header"),
        ("IAM_ROLE default", "copy.iam_role"),
        ("CREDENTIALS 'x'", "copy.iam_role"),
        ("ACCESS_KEY_ID 'x' SECRET_ACCESS_KEY 'y'", "copy.iam_role"),
        ("CREDENTIALS AS 'aws_access_key_id=x;aws_secret_access_key=y'", "copy.iam_role"),
        ("SESSION_TOKEN 'z'", "copy.iam_role"),
        ("ENCRYPTED", "no longer supports"),
        ("MASTER_SYMMETRIC_KEY 'x'", "no longer supports"),
        ("GZIP", "copy.compression"),
        ("FROM 's3://x'", "manifest"),
        ("NOLOAD", "loads nothing"),
        ("ROUNDEC; DROP TABLE x", "';'"),
        ("ROUNDEC;", "';'"),
        ("NULL AS 'x'; DROP TABLE x --'", "';'"),
        ("ROUNDEC -- why", "comment"),
        ("ROUNDEC /* why */", "comment"),
        ("/* GZIP", "comment"),
        ("NULL AS 'x", "not closed"),
        ("NULL AS '\\'", "not closed"),
        ('QUOTE AS "', "not closed"),
        ("REMOVEQUOTES", "format: text"),
        ("ESCAPE", "format: text"),
        ("FIXEDWIDTH 'id:3'", "copy.fixed_width"),
        ("JOB CREATE nightly", "the load itself does what a COPY job does"),
        ("READRATIO 50", "DynamoDB"),
    ],
)
def test_clauses_that_repeat_contradict_or_end_the_statement_are_refused(text: str, said: str) -> None:
    """Two formats in one COPY is an error at 3 a.m.; NOLOAD is worse, since nothing fails and nothing is loaded."""
    with pytest.raises(ValidationError, match=said):
        options(options=text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ACCEPTINVCHAR", "Did you mean ACCEPTINVCHARS"),
        ("MAXERRORS 10", "Did you mean MAXERROR"),
        ("TRIMBLANK", "Did you mean TRIMBLANKS"),
        ("STATUPDATE TRIMBLANK", "Did you mean TRIMBLANKS"),
        ("GZIPPED", "Did you mean GZIP"),
        ("HEADER", "It has ACCEPTANYDATE"),
        ("NULLS ''", "Did you mean NULL"),
        ("WITH CSV", "no clause 'WITH'.*copy.format"),
        ("TIMEFORMAT", "TIMEFORMAT needs a text in single quotes"),
        ("TIMEFORMAT AS", "TIMEFORMAT needs a text in single quotes"),
        ("TIMEFORMAT auto", "TIMEFORMAT needs a text in single quotes"),
        ('TIMEFORMAT "auto"', "TIMEFORMAT needs a text in single quotes"),
        ("TIMEFORMAT ROUNDEC", "TIMEFORMAT needs a text in single quotes"),
        ("TIMEFORMAT 'AUTO'", "'auto' in small letters"),
        ("TIMEFORMAT 'Epochsecs'", "'epochsecs' in small letters"),
        ("DATEFORMAT ''", "not empty"),
        ("NULL AS '\\n'", "other than a line end"),
        ("MAXERROR", "MAXERROR needs a whole number"),
        ("MAXERROR ten", "MAXERROR needs a whole number"),
        ("MAXERROR '10'", "MAXERROR needs a whole number"),
        ("MAXERROR -1", "MAXERROR needs a whole number"),
        ("MAXERROR 1.5", "'.' does not belong to any COPY clause"),
        ("MAXERROR 1 2", "'2' does not belong to any COPY clause"),
        ("MAXERROR 100001", "at most 100000"),
        ("ROUNDEC 'yes'", "does not belong to any COPY clause"),
        ("ROUNDEC, TRIMBLANKS", "a ',' between clauses"),
        ("QUOTE '%%'", "one ASCII character"),
        ("QUOTE ''", "one ASCII character"),
        ("QUOTE 'é'", "one ASCII character"),
        ("QUOTE ','", "the delimiter holds COPY's quote"),
        ("QUOTE '\\054'", "the delimiter holds COPY's quote"),
        ("ACCEPTINVCHARS 'ab'", "one ASCII character"),
        ("ACCEPTINVCHARS AS", "ACCEPTINVCHARS needs a text"),
        ("COMPUPDATE 'ON'", "COMPUPDATE needs a word"),
        ("COMPUPDATE AS MAYBE", "one of ON, OFF, TRUE, FALSE, PRESET"),
        ("ENCODING LATIN1", "one of UTF8, UTF16"),
        ("REGION 'Ireland'", "a region's name"),
        ("ROUNDEC TRIMBLANKS roundec", "ROUNDEC appears twice"),
        ("MAXERROR 5 IGNOREALLERRORS", "IGNOREALLERRORS and MAXERROR together"),
        ("SERIALIZETOJSON", "it is for orc, parquet"),
    ],
)
def test_a_clause_that_copy_would_not_take_is_refused_with_what_to_write(text: str, said: str) -> None:
    """Redshift says 'syntax error at or near', when the first batch is due."""
    with pytest.raises(ValidationError, match=said):
        options(options=text)


def test_all_mistakes_in_options_are_told_at_once() -> None:
    """Who corrects one and starts again for the next does so three times."""
    with pytest.raises(ValidationError) as raised:
        options(options="GZIP MAXERROR many ESCAPE TRIMBLANC")
    said = str(raised.value)
    assert all(each in said for each in ("copy.compression", "MAXERROR needs", "ESCAPE with csv", "mean TRIMBLANKS"))


FORMATS = ["csv", "text", "fixedwidth", "json", "avro", "parquet", "orc"]
TAKEN = {
    "ACCEPTANYDATE": "csv text fixedwidth json avro",
    "ACCEPTINVCHARS": "csv text fixedwidth json avro parquet orc",
    "DATEFORMAT 'auto'": "csv text fixedwidth json avro",
    "ENCODING UTF16": "csv text json",
    "ESCAPE": "text",
    "EXPLICIT_IDS": "csv text fixedwidth json avro parquet orc",
    "FILLRECORD": "csv text fixedwidth parquet orc",
    "IGNOREALLERRORS": "csv text fixedwidth json avro",
    "IGNOREBLANKLINES": "csv text fixedwidth",
    "MAXERROR 5": "csv text fixedwidth json avro",
    "NULL AS 'x'": "csv text fixedwidth",
    "QUOTE '%'": "csv",
    "REGION 'eu-west-1'": "csv text fixedwidth json avro",
    "REMOVEQUOTES": "text",
    "SERIALIZETOJSON": "parquet orc",
    "STATUPDATE OFF": "csv text fixedwidth json avro parquet orc",
    "TRUNCATECOLUMNS": "csv text fixedwidth json avro",
}


@pytest.mark.parametrize("clause", TAKEN)
def test_a_format_takes_the_clauses_that_redshift_documents_for_it(clause: str) -> None:
    """The lists are AWS's; the local Redshift, which is written apart from this, refuses the same."""
    for copy_format in FORMATS:
        settings = {"format": copy_format, "options": clause}
        if copy_format == "fixedwidth":
            settings["fixed_width"] = "id:3"
        if copy_format in TAKEN[clause].split():
            assert options(**settings).options == clause
        else:
            with pytest.raises(
                ValidationError, match=f"COPY does not take {clause.split(maxsplit=1)[0]} with {copy_format}"
            ):
                options(**settings)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("id:3", "id:3"), ("0:3,1:25", "0:3,1:25"), (" id : 3 , name:010 ", "id:3,name:10"), ("größe:1", "größe:1")],
)
def test_fields_of_fixed_width_have_a_label_and_a_width(written: str, kept: str) -> None:
    """The label means nothing to Redshift, and blanks are no part of either."""
    assert options(format="fixedwidth", fixed_width=written).fixed_width == kept


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "is not a fixed-width field"),
        ("3,25", "is not a fixed-width field"),
        ("id:3,", "is not a fixed-width field"),
        ("id:3;name:10", "is not a fixed-width field"),
        ("id=3", "is not a fixed-width field"),
        ("id:-3", "is not a fixed-width field"),
        ("id:3.5", "is not a fixed-width field"),
        ("id:٣", "is not a fixed-width field"),
        ("id':3", "is not a fixed-width field"),
        ("id:0", "Write a width from 1"),
        ("id:4194305", "Write a width from 1"),
        (None, "need a 'fixed_width'"),
        (3, "valid string"),
    ],
)
def test_what_is_no_list_of_widths_is_refused(written: object, said: str) -> None:
    """A width of 0 would shift every field behind it."""
    with pytest.raises(ValidationError, match=said):
        options(format="fixedwidth", fixed_width=written)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"format": "fixedwidth"}, "need a 'fixed_width'"),
        ({"format": "csv", "fixed_width": "id:3"}, "not take fixed_width with csv"),
        ({"format": "fixedwidth", "fixed_width": "id:3", "delimiter": "|"}, "not take delimiter with fixedwidth"),
        ({"format": "csv", "jsonpaths": "auto"}, "not take jsonpaths with csv"),
        ({"format": "parquet", "jsonpaths": "s3://acme/paths.json"}, "not take jsonpaths with parquet"),
        ({"format": "avro", "jsonpaths": "noshred"}, "'noshred' with json only"),
        ({"format": "json", "jsonpaths": "AUTO"}, "is not a way to map"),
        ({"format": "json", "jsonpaths": "paths.json"}, "is not a way to map"),
        ({"format": "json", "jsonpaths": "s3://acme/"}, "is not an object"),
        ({"format": "json", "jsonpaths": "s3://acme/paths/"}, "is not an object"),
        ({"format": "json", "jsonpaths": "s3://Acme/paths.json"}, "bucket"),
    ],
)
def test_settings_of_one_format_are_checked_and_refused_for_others(settings: dict[str, Any], said: str) -> None:
    """Each would be a COPY that fails."""
    with pytest.raises(ValidationError, match=said):
        options(**settings)


@pytest.mark.parametrize("mapping", ["auto", "auto ignorecase", "noshred", "s3://acme/paths/o'rders.json"])
def test_json_finds_its_columns_in_four_ways(mapping: str) -> None:
    """Avro in three: it knows no noshred."""
    assert options(format="json", jsonpaths=mapping).jsonpaths == mapping


@pytest.mark.parametrize(
    ("copy", "columns", "said"),
    [
        ({"format": "fixedwidth", "fixed_width": "a:1,b:2"}, ["id"], "fill 2 columns, but this names 1"),
        ({"format": "fixedwidth", "fixed_width": "a:1"}, ["id", "amount"], "fill 1 column, but this names 2"),
        ({"format": "json", "jsonpaths": "noshred"}, ["id", "amount"], "fill 1 column, but this names 2"),
    ],
)
def test_a_target_names_as_many_columns_as_the_files_have_fields(
    copy: dict[str, Any], columns: list[str], said: str
) -> None:
    """The fields go to the columns in their order, so another number of them can only be wrong."""
    right = ["id", "amount"][: a_config(copy=copy).copy_options.fields]
    assert a_config(copy=copy, targets=[{"table": "t", "columns": right}])
    with pytest.raises(ValidationError, match=said):
        a_config(copy=copy, targets=[{"table": "t", "columns": columns}])


def test_a_jsonpaths_file_is_no_data() -> None:
    """It would be claimed, and its batch would fail."""
    copy = {"format": "json", "jsonpaths": "s3://landing/orders/paths.json"}
    with pytest.raises(ValidationError, match="loaded as data"):
        a_config(copy=copy)
    assert a_config(copy=copy, file_filter=r"\.gz$")
    assert a_config(copy=copy | {"jsonpaths": "s3://landing/paths.json"})


def test_a_mistake_is_told_with_its_file_and_line() -> None:
    """Settings that only go wrong together included."""
    text = """load: orders
source: s3://landing/orders/
schedule: 5m
copy:
  format: fixedwidth
  fixed_width: id:3,name:0
  jsonpaths: auto
  options: MAXEROR 10
manifests: s3://loader/manifests/
targets:
  - {table: orders}
"""
    with pytest.raises(LoadFileError) as raised:
        read_load_file(text, "orders.yaml")
    lines = str(raised.value).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["orders.yaml:6:", "orders.yaml:7:", "orders.yaml:8:"]
    assert "Did you mean MAXERROR?" in lines[2]
    alone = text.replace("name:0", "name:10").replace("  jsonpaths: auto\n", "").replace("MAXEROR", "MAXERROR")
    with pytest.raises(LoadFileError, match=r"orders.yaml:10: .*fill 2 columns"):
        read_load_file(alone.replace("{table: orders}", "{table: orders, columns: [id]}"), "orders.yaml")
    with pytest.raises(LoadFileError, match=r"orders.yaml:6: .*loaded as data"):
        read_load_file(
            alone.replace("fixedwidth", "json").replace(
                "fixed_width: id:3,name:10", "jsonpaths: s3://landing/orders/x"
            ),
            "orders.yaml",
        )


def test_quote_handling_of_delimited_text_is_allowed_for_text() -> None:
    """They are what 'format: text' is for."""
    assert options(format="text", options="REMOVEQUOTES ESCAPE").options == "REMOVEQUOTES ESCAPE"


@given(st.text(alphabet="ab'\"\\;-/* \n$", max_size=12))
def test_no_accepted_option_holds_a_semicolon_outside_quotes(text: str) -> None:
    """Read independently: with all quoted parts taken out, in Redshift's way of quoting, none is left."""
    try:
        accepted = check_copy_options(text, copy_format="csv")
    except ValueError:
        return
    outside, quote, escaped = "", "", False
    for each in accepted:
        if quote:
            if escaped:
                escaped = False
            elif each == "\\" and quote == "'":
                escaped = True
            elif each == quote:
                quote, outside = "", outside + " "
        elif each in "'\"":
            quote = each
        else:
            outside += each
    assert quote == ""
    assert not any(bad in outside for bad in (";", "--", "/*", "$"))
