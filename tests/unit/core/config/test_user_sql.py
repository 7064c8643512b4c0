"""One text of SQL, cut into its statements, and what may not be one of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.objects import a_config

from rsloader_provider.core.config.sql_tokens import UnreadableSqlError, tokens
from rsloader_provider.core.config.user_sql import refusal, split_sql
from rsloader_provider.core.load_file.reading import LoadFileError, read_load_file


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        (" ;; SELECT 1 ;\n; -- the end;", ["SELECT 1"]),
        ("SELECT ';'; SELECT 'it''s;'", ["SELECT ';'", "SELECT 'it''s;'"]),
        (r"SELECT 'a\';b'; SELECT '\\'; SELECT 2", [r"SELECT 'a\';b'", r"SELECT '\\'", "SELECT 2"]),
        ('SELECT "a;""b"; SELECT 2', ['SELECT "a;""b"', "SELECT 2"]),
        ("SELECT /*+ ; */ 1 /* a *//* ; */; SELECT 2", ["SELECT /*+ ; */ 1 /* a *//* ; */", "SELECT 2"]),
        ("/* a /* ; */ ; */ SELECT 1; SELECT 2", ["/* a /* ; */ ; */ SELECT 1", "SELECT 2"]),
        ("-- a;\nSELECT 1; --b;\rSELECT 2", ["-- a;\nSELECT 1", "--b;\rSELECT 2"]),
        ("SELECT '-- a'; SELECT '/*'; SELECT 2", ["SELECT '-- a'", "SELECT '/*'", "SELECT 2"]),
        ("SELECT $$a;'$$; SELECT $x$;$$;$x$", ["SELECT $$a;'$$", "SELECT $x$;$$;$x$"]),
        ("CREATE PROCEDURE p() AS $$ BEGIN a; END; $$; CALL p(';')", [
            "CREATE PROCEDURE p() AS $$ BEGIN a; END; $$", "CALL p(';')"]),
        ("EXPLAIN SELECT ';'; DECLARE c CURSOR FOR SELECT ';'; FETCH c", [
            "EXPLAIN SELECT ';'", "DECLARE c CURSOR FOR SELECT ';'", "FETCH c"]),
        ("SELECT a$b$c; SELECT 1 # 2; SELECT x$b$c FROM #t", ["SELECT a$b$c", "SELECT 1 # 2", "SELECT x$b$c FROM #t"]),
    ],
)  # fmt: skip
def test_a_text_is_cut_where_redshift_would_cut_it(sql: str, expected: list[str]):
    """A semicolon in quotes, in a comment or in a procedure ends nothing; comments nest."""
    assert [each.text for each in split_sql(sql)] == expected


@pytest.mark.parametrize(
    "sql", ["SELECT 'a; SELECT 2", 'SELECT "a;', "SELECT 1 /* ; /* */", "SELECT $$;", "$a$ ; $b$", "/*/**/*/ SELECT 1"]
)
def test_what_has_no_end_is_not_guessed_at(sql: str):
    with pytest.raises(UnreadableSqlError):
        split_sql(sql)


PIECES = ["a", ";", "'", "''", r"\'", r"\\", '"', "$$", "$t$", "/*", "*/", "--", "\n", " ", "#t", "SELECT", "/*+", "*"]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_each_statement_is_one_and_nothing_but_semicolons_blanks_and_comments_is_lost(sql: str):
    try:
        found = split_sql(sql)
    except UnreadableSqlError:
        return
    for each in found:
        assert [again.words for again in split_sql(each.text)] == [each.words]
    assert [word for each in found for word in each.words] == [each.word for each in tokens(sql) if each.text != ";"]
    assert len(found) == len(statements_by_hand(sql))


def statements_by_hand(sql: str) -> list[str]:
    """Cut character by character, by the rules as PostgreSQL's and Redshift's documentation has them."""
    at, seen, found = 0, False, [False]
    while at < len(sql):
        if sql[at] == "'":
            at += 1
            while sql[at] != "'":
                at += 2 if sql[at] == "\\" else 1
            seen = True
        elif sql[at] == '"':
            at, seen = sql.index('"', at + 1), True
        elif sql.startswith("--", at):
            at = min([each for sign in "\r\n" if (each := sql.find(sign, at)) >= 0], default=len(sql))
            continue
        elif sql.startswith("/*", at):
            depth = 1
            at += 2
            while depth:
                sign = sql[at : at + 2]
                depth += (sign == "/*") - (sign == "*/")
                at += 2 if sign in {"/*", "*/"} else 1
            continue
        elif word := re.match(r"[A-Za-z_#][\w$]*", sql[at:]):
            at, seen = at + len(word[0]) - 1, True
        elif quote := re.match(r"\$(?:[A-Za-z_]\w*)?\$", sql[at:]):
            at, seen = sql.index(quote[0], at + len(quote[0])) + len(quote[0]) - 1, True
        elif sql[at] == ";":
            found.append(False)
            seen = False
        elif not sql[at].isspace():
            seen = True
        found[-1] = found[-1] or seen
        at += 1
    return [sql for each in found if each]


@pytest.mark.parametrize(
    "sql",
    [
        "Truncate t", "COMMIT", "commit work", "END", "rollback", "ABORT", "begin", "START TRANSACTION", "VACUUM t",
        "ALTER TABLE a APPEND FROM b", "alter table a.b /* c */ append from b", "CREATE DATABASE d", "DROP DATABASE d",
        "CREATE EXTERNAL TABLE s.t (i int)", "DROP EXTERNAL TABLE s.t", "CREATE OR REPLACE LIBRARY f",
        "ALTER TABLE s.t ADD IF NOT EXISTS PARTITION (d='1') LOCATION 's3://b/'", "ALTER TABLE s.t SET LOCATION 's3://b'",
        "GRANT SELECT ON EXTERNAL TABLE s.t TO u", "ALTER TABLE t ALTER COLUMN c TYPE varchar(9)",
        "REINDEX DATABASE d", "CLUSTER t",
    ],
)  # fmt: skip
def test_what_commits_or_cannot_run_in_a_transaction_is_refused(sql: str):
    (statement,) = split_sql(sql)
    assert refusal(statement) is not None


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM truncate", "SELECT 'COMMIT'", 'ALTER TABLE "append" ADD COLUMN append int', '"COMMIT"',
        "CREATE TABLE database (i int)", "GRANT SELECT ON t TO external", "ANALYZE t", "CALL commit()",
        "CREATE EXTERNAL SCHEMA s FROM DATA CATALOG DATABASE 'd' IAM_ROLE default", "ALTER TABLE t RENAME TO partition",
        "ALTER TABLE t ALTER COLUMN type ENCODE zstd", "LOCK t", "UNLOAD ('SELECT 1') TO 's3://b/' IAM_ROLE default",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_taken(sql: str):
    (statement,) = split_sql(sql)
    assert refusal(statement) is None


TEXT = """load: orders
source: s3://landing/orders/
schedule: "@hourly"
copy: {format: csv}
manifests: s3://loader/manifests/
targets:
  - table: public.orders
    pre_sql: |
      DELETE FROM staging;

      COMMIT;
    post_sql:
      - |
        {% if ds %}
        SELECT {{ rows };
      - "SELECT 1;\\n TRUNCATE x"
"""


def test_a_mistake_in_sql_has_its_own_line_in_the_load_file():
    with pytest.raises(LoadFileError) as raised:
        read_load_file(TEXT, "orders.yaml")
    assert [(each.line, each.message.partition(" ")[0]) for each in raised.value.mistakes] == [
        (11, "COMMIT"),
        (15, "this"),
        (16, "TRUNCATE"),
    ]


def test_a_load_with_templates_is_the_same_again_after_json():
    config = a_config(targets=[{"table": "t", "post_sql": ["SELECT {{ rows }}; SELECT 2;", "{{ ds }}"]}])
    assert type(config).model_validate(config.model_dump(mode="json", by_alias=True)) == config
