"""COPY's settings: what contradicts the load is refused before Redshift sees it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.sql_text import check_copy_options


def options(**settings: Any) -> CopyOptions:
    return CopyOptions.model_validate({"format": "csv", **settings})


@pytest.mark.parametrize("delimiter", ["|", ",", ";", "\t", "\\t", "\\001", "\\174", "'", " "])
def test_a_delimiter_is_one_character_or_copys_notation_for_one(delimiter: str) -> None:
    """It is kept as written: COPY understands these itself."""
    assert options(delimiter=delimiter).delimiter == delimiter


@pytest.mark.parametrize("delimiter", ["", "||", "\\n", "\n", "\r", "\\", "\\x01", "\\200", "\\777", "\\01", "é", "\0"])
def test_what_copy_would_misread_as_a_delimiter_is_refused(delimiter: str) -> None:
    """COPY fails on them only when the first batch is loaded."""
    with pytest.raises(ValidationError, match="is no delimiter"):
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
    with pytest.raises(ValidationError, match="compress inside"):
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
        ("ENCRYPTED", "has ended"),
        ("MASTER_SYMMETRIC_KEY 'x'", "has ended"),
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
    ],
)
def test_clauses_that_repeat_contradict_or_end_the_statement_are_refused(text: str, said: str) -> None:
    """Two formats in one COPY is an error at 3 a.m.; NOLOAD is worse, since nothing fails and nothing is loaded."""
    with pytest.raises(ValidationError, match=said):
        options(options=text)


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
