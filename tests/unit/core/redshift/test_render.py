"""Statements as Redshift reads them."""

import pytest

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName, history_table
from rsloader_provider.core.redshift.render import render

ORDERS = TableName("public", "orders")
HOSTILE = TableName('pub"lic', "x; DROP TABLE y --")
KEY = LoadKey(ORDERS, "orders", "01ARZ3NDEKTSV4RRFFQ69G5FAV", 1)


def test_copy_says_all_that_the_load_file_says():
    options = CopyOptions.model_validate(
        {"format": "csv", "delimiter": "|", "ignore_header": 1, "compression": "gzip", "options": "ACCEPTINVCHARS"}
    )
    assert render(sql.Copy(ORDERS, ("id", "amount"), "s3://loader/m'1.manifest", options)) == (
        """COPY "public"."orders" ("id", "amount") FROM 's3://loader/m''1.manifest' IAM_ROLE default MANIFEST """
        "FORMAT AS CSV DELIMITER '|' IGNOREHEADER 1 GZIP ACCEPTINVCHARS"
    )


@pytest.mark.parametrize(
    ("written", "clause"), [("|", "'|'"), ("\t", "'\t'"), ("\\t", "'\\t'"), ("\\001", "'\\001'"), ("'", "''''")]
)
def test_a_delimiter_stays_what_copy_understands(written: str, clause: str):
    options = CopyOptions.model_validate({"format": "text", "delimiter": written})
    assert f"DELIMITER {clause}" in render(sql.Copy(ORDERS, None, "s3://l/m", options))


def test_a_role_is_quoted_and_the_default_role_is_a_keyword():
    role = "arn:aws:iam::123456789012:role/redshift"
    options = CopyOptions.model_validate({"format": "parquet", "iam_role": role})
    assert f"IAM_ROLE '{role}' MANIFEST FORMAT AS PARQUET" in render(sql.Copy(ORDERS, None, "s3://l/m", options))


@pytest.mark.parametrize("statement", [sql.LockHistory(HOSTILE), sql.DeleteAll(HOSTILE), sql.CreateHistory(HOSTILE)])
def test_names_that_would_be_sql_stay_names(statement: sql.Statement):
    outside = render(statement).replace('""', "").split('"')[::2]
    assert "DROP" not in " ".join(outside)


def test_values_that_would_be_sql_stay_values():
    run = "manual'); DROP TABLE x; --\\"
    assert """'manual''); DROP TABLE x; --\\\\'""" in render(sql.RecordLoaded(KEY, 1, 2, 3, None, run))
    assert "NULL" in render(sql.RecordLoaded(KEY, 1, 2, 3, None, run))


def test_each_table_has_a_history_of_its_own_whose_name_is_short_enough():
    """Locking the history is the mutex: one for two tables would make their loads wait for each other."""
    long = [history_table(TableName("s" * 100, "t" * 100 + end)) for end in "ab"]
    assert len({*long}) == 2
    assert all(len(name.table.encode()) <= 127 for name in long)


def test_what_a_person_wrote_is_sent_as_it_is():
    text = "UPDATE t SET a = 'x' WHERE b LIKE '%s' -- 100 %"
    assert render(sql.UserStatement(text)) == text


def test_nothing_but_a_statement_is_rendered():
    with pytest.raises(TypeError, match="not a statement"):
        render("DROP TABLE x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "clause"),
    [
        ({"format": "csv", "delimiter": "\\t"}, r"FORMAT AS CSV DELIMITER '\t'"),
        ({"format": "text", "options": "REMOVEQUOTES ESCAPE"}, "MANIFEST REMOVEQUOTES ESCAPE"),
        (
            {"format": "fixedwidth", "fixed_width": "id:3, n:9", "ignore_header": 1},
            "FIXEDWIDTH 'id:3,n:9' IGNOREHEADER 1",
        ),
        ({"format": "json", "compression": "zstd"}, "FORMAT AS JSON 'auto' ZSTD"),
        ({"format": "json", "jsonpaths": "noshred"}, "FORMAT AS JSON 'noshred'"),
        ({"format": "json", "jsonpaths": "s3://acme/o'rders.json"}, "FORMAT AS JSON 's3://acme/o''rders.json'"),
        ({"format": "avro"}, "FORMAT AS AVRO 'auto'"),
        ({"format": "avro", "jsonpaths": "auto ignorecase"}, "FORMAT AS AVRO 'auto ignorecase'"),
        ({"format": "parquet", "options": "SERIALIZETOJSON"}, "FORMAT AS PARQUET SERIALIZETOJSON"),
        ({"format": "orc"}, "FORMAT AS ORC"),
    ],
)
def test_each_format_is_written_as_copy_takes_it(settings: dict[str, object], clause: str):
    options = CopyOptions.model_validate(settings)
    assert render(sql.Copy(ORDERS, None, "s3://l/m", options)).endswith(clause)
