"""What the local Redshift answers when it refuses or fails.

    RedshiftError            an error with an SQLSTATE, raised here; it aborts the client's transaction
    └── PostgresError        the same, but PostgreSQL raised it and has already aborted the transaction

Messages are Redshift's own wherever they are known: a loader recognises an error by its text.
"""

import re

_KIND_OF_RELATION = re.compile(r"(?<=^permission denied for )(?:table|view)\b|(?<=^must be owner of )(?:table|view)\b")


class RedshiftError(Exception):
    """An error to be sent to the client.

    Attributes:
        code: SQLSTATE; `XX000` for nearly everything that Redshift itself raises.
        message: The primary message, one line.
        detail: Redshift's block with the error's context, or None.
        severity: `ERROR`, or `FATAL` when the session ends with it.
    """

    def __init__(self, message: str, *, code: str = "XX000", detail: str | None = None, severity: str = "ERROR"):
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail
        self.severity = severity


class PostgresError(RedshiftError):
    """PostgreSQL refused a statement; it has aborted the transaction itself."""


def as_redshift_reports(error: RedshiftError, session_pid: int) -> RedshiftError:
    """Translate the errors that PostgreSQL and Redshift spell differently.

    A serialization failure is the one that matters: Redshift's is XX000 with the message `1023`, not 40001. A MERGE
    whose source matches a row twice is another: 21000 in PostgreSQL. And Redshift calls a table a relation, as
    PostgreSQL once did.

    Args:
        error: What PostgreSQL reported.
        session_pid: The session's process id, which Redshift's detail names.
    """
    if error.code == "21000" and error.message.startswith("MERGE "):
        return RedshiftError("Found multiple matches to update the same tuple.")
    if error.code == "42501":
        return PostgresError(_KIND_OF_RELATION.sub("relation", error.message), code=error.code, severity=error.severity)
    if error.code != "40001":
        return error
    # PostgreSQL names neither the table nor the transactions of the cycle, so these numbers mean nothing.
    detail = (
        f"Serializable isolation violation on table - 0, transactions forming the cycle are: 0, 0 (pid:{session_pid})"
    )
    return RedshiftError("1023", detail=detail)


def unsupported(what: str) -> RedshiftError:
    """Refuse what Redshift can do and the local Redshift cannot (yet), rather than ignoring it."""
    return RedshiftError(f"{what} is not supported by the local Redshift", code="0A000")


def syntax_error(at: str) -> RedshiftError:
    """Refuse a statement at the given piece of its text; an empty piece means its end."""
    return RedshiftError(f'syntax error at or near "{at}"' if at else "syntax error at end of input", code="42601")


def protocol_violation(message: str) -> RedshiftError:
    """End a session whose client does not speak the protocol; what it sends next could not be understood either."""
    return RedshiftError(message, code="08P01", severity="FATAL")


def invalid_credentials() -> RedshiftError:
    """Refuse a COPY that does not say how to reach S3."""
    return RedshiftError(
        "Invalid credentials. Must be of the format: credentials 'aws_iam_role=...' or "
        "'aws_access_key_id=...;aws_secret_access_key=...[;token=...]'"
    )


def nonexistent_table(table: str) -> RedshiftError:
    """Refuse a COPY into a table that is not there; the table's name comes without its schema."""
    return RedshiftError(f"Cannot COPY into nonexistent table {table}")


def load_failed(table: str) -> RedshiftError:
    """End a COPY whose data was bad; the rows that say why are in the load-error views."""
    return RedshiftError(f"Load into table '{table}' failed.  Check 'stl_load_errors' system table for details.")


def mandatory_object_missing(url: str, query_id: int) -> RedshiftError:
    """End a COPY whose manifest names a mandatory object that S3 does not have."""
    text = "Mandatory url is not present in manifest file."
    return RedshiftError(text, detail=_detail(text, context=url, query_id=query_id, location="s3_utility.cpp:366"))


def s3_error(
    *, message: str, status: int, code: str, request_id: str, query_id: int, reading_manifest: bool
) -> RedshiftError:
    """Pass on what S3 answered, in the words of Redshift's S3 client.

    Args:
        message: S3's sentence.
        status: The HTTP status.
        code: S3's error code, such as NoSuchKey.
        request_id: S3's request id, which may be empty.
        query_id: The COPY.
        reading_manifest: Whether the manifest was being read, and not an object to load.
    """
    text = f"S3ServiceException:{message},Status {status},Error {code},Rid {request_id},ExtRid ,CanRetry 1"
    if reading_manifest:
        text = f"Problem reading manifest file - {text}"
    detail = _detail(text, context="S3 key being read", query_id=query_id, location="table_s3_scanner.cpp:354")
    return RedshiftError(text, detail=detail)


def spectrum_error(message: str, *, detail_code: int, query_id: int) -> RedshiftError:
    """End a COPY of Parquet or ORC, which Redshift reads with the scanner of Redshift Spectrum.

    Args:
        message: The scanner's words. They become the detail's context, where Redshift cuts them after 256 bytes; only
            SYS_LOAD_ERROR_DETAIL holds them whole.
        detail_code: The detail's code; 15007 for nearly everything.
        query_id: The COPY.
    """
    text = "Spectrum Scan Error"
    context = message.encode()[:256].decode(errors="ignore")
    detail = _detail(
        text,
        context=context,
        query_id=query_id,
        location="dory_util.cpp:1777",
        code=detail_code,
        process="worker_thread",
    )
    return RedshiftError(text, detail=detail)


def _detail(
    text: str, *, context: str, query_id: int, location: str, code: int = 8001, process: str = "padbmaster"
) -> str:
    rule = "-----------------------------------------------"
    return (
        f"\n  {rule}\n  error:  {text}\n  code:      {code}\n  context:   {context}\n  query:     {query_id}\n"
        f"  location:  {location}\n  process:   {process} [pid=1]\n  {rule}\n"
    )
