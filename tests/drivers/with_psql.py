"""psql, as scripts use it: one process for each run of statements."""

import json
import os
import re
import subprocess
import uuid

PLACE = json.loads(os.environ["LOCAL_REDSHIFT"])
TABLE = f"orders_{uuid.uuid4().hex}"
LOGIN = {
    "PGHOST": PLACE["host"],
    "PGPORT": str(PLACE["port"]),
    "PGDATABASE": PLACE["database"],
    "PGUSER": PLACE["user"],
    "PGPASSWORD": PLACE["password"],
    "PGSSLMODE": "verify-full" if PLACE["tls"] else "disable",
    "PGSSLROOTCERT": PLACE["ca"],
}


def psql(script: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Feed psql a script; it stops at the first error."""
    return subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", *options],
        input=script,
        env={"PATH": os.environ["PATH"]} | LOGIN,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def answer(script: str, *options: str) -> list[str]:
    run = psql(script, *options)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def logs_in_and_asks_the_version() -> None:
    (version,) = answer("SELECT version();")
    assert re.match(r"PostgreSQL 8\.0\.2 on .*, Redshift 1\.0\.\d+$", version), version


def creates_a_table() -> None:
    answer(f"""
        -- psql sends each statement by itself; this comment comes with the first one
        CREATE TABLE {TABLE} (id integer NOT NULL, name varchar(40), price decimal(8, 2), ordered date,
        PRIMARY KEY (id))
        DISTSTYLE ALL
        SORTKEY AUTO;
    """)


def copies_and_counts() -> None:
    said = answer(f"""
        COPY {TABLE} FROM '{PLACE["orders"]}' IAM_ROLE 'arn:aws:iam::123456789012:role/loader'
        FORMAT AS CSV IGNOREHEADER 1;
        SELECT pg_last_copy_count();
        COPY {TABLE} (id, name) FROM '{PLACE["more"]}'
        CREDENTIALS 'aws_access_key_id={PLACE["key_id"]};aws_secret_access_key={PLACE["key"]}' DELIMITER '|';
        SELECT pg_last_copy_count();
    """)
    assert said == ["3", "2"], said


def copies_among_several_statements_of_one_message() -> None:
    statements = (
        f"DELETE FROM {TABLE} WHERE id <= 3; "
        f"COPY {TABLE} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1; "
        f"SELECT count(*) FROM {TABLE}"
    )
    assert answer("", "--command", statements) == ["5"]


def reads_the_rows_back() -> None:
    found = answer(f"SELECT * FROM {TABLE} ORDER BY id;")
    assert found == ["1|tea|1.50|2026-01-01", '2|a "big" pot|20.00|2026-01-02', "3|||", "4|ünï||", "5|milk||"], found


def passes_parameters() -> None:
    found = answer(
        f"""
        PREPARE named (int) AS SELECT name FROM {TABLE} WHERE id = $1;
        EXECUTE named (4);
        EXECUTE named (5);
        DEALLOCATE named;
        SELECT :'quoted', id FROM {TABLE} WHERE name = :'quoted';
        """,
        "--set=quoted=milk",
    )
    assert found == ["ünï", "milk", "milk|5"], found


def rolls_back() -> None:
    found = answer(f"""
        BEGIN;
        DELETE FROM {TABLE};
        COPY {TABLE} FROM '{PLACE["orders"]}' IAM_ROLE default CSV IGNOREHEADER 1;
        SELECT count(*) FROM {TABLE};
        ROLLBACK;
        SELECT count(*) FROM {TABLE};
    """)
    assert found == ["3", "5"], found
    run = psql(f"DELETE FROM {TABLE}; SELECT nothing_like_it;", "--single-transaction")
    assert run.returncode == 3, run
    assert answer(f"SELECT count(*) FROM {TABLE};") == ["5"]


def sees_the_text_of_an_error() -> None:
    run = psql("SELECT * FROM nowhere_at_all;")
    assert (run.returncode, run.stderr) == (3, 'ERROR:  relation "nowhere_at_all" does not exist\n'), run


def finds_the_bad_row_in_stl_load_errors() -> None:
    run = psql(f"COPY {TABLE} FROM '{PLACE['broken']}' IAM_ROLE default CSV;")
    expected = f"ERROR:  Load into table '{TABLE}' failed.  Check 'stl_load_errors' system table for details.\n"
    assert (run.returncode, expected in run.stderr) == (3, True), run
    (found,) = answer(f"""
        SELECT trim(filename), line_number, trim(colname), trim(raw_field_value), err_code, trim(err_reason)
        FROM stl_load_errors WHERE filename = '{PLACE["broken"]}' ORDER BY starttime DESC LIMIT 1;
    """)
    assert found == f"{PLACE['broken']}|2|id|one|1207|Invalid digit, Value 'o', Pos 0, Type: Integer", found


def reads_a_large_result() -> None:
    """Whole, and in pieces through a cursor, which is what FETCH_COUNT makes psql use."""
    script = f"""
        CREATE TEMP TABLE large (id integer, words varchar(100));
        COPY large FROM '{PLACE["large"]}' IAM_ROLE default CSV;
        SELECT id FROM large;
    """
    for options in ((), ("--set=FETCH_COUNT=10000",)):
        found = [int(line) for line in answer(script, *options)]
        assert (len(found), sum(found)) == (PLACE["large_rows"], PLACE["large_sum"]), options


def drops_the_table() -> None:
    answer(f"DROP TABLE {TABLE};")


for step in (
    logs_in_and_asks_the_version,
    creates_a_table,
    copies_and_counts,
    copies_among_several_statements_of_one_message,
    reads_the_rows_back,
    passes_parameters,
    rolls_back,
    sees_the_text_of_an_error,
    finds_the_bad_row_in_stl_load_errors,
    reads_a_large_result,
    drops_the_table,
):
    step()
    print(step.__name__)
