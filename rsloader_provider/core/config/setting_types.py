"""Settings of one value: how each is checked, and what to write instead."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from rsloader_provider.core.config.filters import check_expression
from rsloader_provider.core.config.kms_secrets import KMS, ciphertext_of
from rsloader_provider.core.config.mistakes import mistake, shown
from rsloader_provider.core.config.quantities import Duration
from rsloader_provider.core.config.sources import S3Url, SourcePattern

LOAD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_LOAD_NAME_CHARACTERS = 200
_OPERATIONS = "operations"
_IDENTIFIER_BYTES = 127
_PREFIX_BYTES = 600
"""A manifest's key adds the load's name and the batch to the prefix, and S3's keys end at 1,024 bytes."""

_DELIMITER = re.compile(r"(?:\\t|\\(?!000|012|015|134)[01][0-7]{2}|[\x01-\x09\x0b\x0c\x0e-\x5b\x5d-\x7f]){1,16}")
"""ASCII without line ends and NUL; a backslash only in the two notations."""

_FIELD = re.compile(r"\s*(\w+)\s*:\s*([0-9]+)\s*")
_ROW_CHARACTERS = 4 * 1024 * 1024
"""No row of COPY has more bytes, so none has more characters."""

_MAPPINGS = ("auto", "auto ignorecase", "noshred")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=.@/-]+", re.ASCII)
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}", re.ASCII)
_ACCESS_KEY_ID = re.compile(r"\w{16,128}", re.ASCII)
_CONNECTION = re.compile(r"[\w#!()\-.:/\\]{1,250}")  # what Airflow accepts as a connection's id


def is_load_name(text: str) -> bool:
    """Tell whether a load may have this name; with `rsloader_` before it, it is a DAG's id."""
    if text.lower() == _OPERATIONS:
        return False
    return LOAD_NAME.fullmatch(text) is not None and len(text) <= _LOAD_NAME_CHARACTERS and ".." not in text


def _load_name(text: str) -> str:
    if text.lower() == _OPERATIONS:
        raise mistake(
            f"{text!r} is not a valid load name: rsloader_operations is the DAG that operates all loads.",
            "Give the load another name.",
        )
    if not is_load_name(text):
        raise mistake(
            f"{shown(text)} is not a valid load name.",
            "Begin with a letter; go on with letters, digits, '_', '-' and single '.'; at most 200 characters.",
        )
    return text


def _prefix(url: S3Url) -> S3Url:
    prefix = url.as_prefix()
    if "*" in prefix.key:
        raise mistake(f"'{url}' holds a '*'.", "Write a prefix without '*': only a source may have wildcards.")
    if len(prefix.key.encode()) > _PREFIX_BYTES:
        raise mistake("the prefix is over 600 bytes.", "Write a shorter one: the loader adds its own names to it.")
    return prefix


def _topic(text: str) -> str:
    if not _TOPIC.fullmatch(text):
        raise mistake(
            f"{shown(text)} is not the ARN of a standard SNS topic.",
            "Write arn:aws:sns:<region>:<account, 12 digits>:<topic>.",
        )
    return text


def _role(text: str) -> str:
    if text != "default" and not all(map(_ROLE.fullmatch, text.split(","))):
        # People who make a mistake here most often write a key. Any text may be one, so it is never repeated.
        raise mistake(
            "this is neither 'default' nor a role's ARN.",
            "Write arn:aws:iam::<account, 12 digits>:role/<name>; chain roles with ',' and no blanks. To read with a "
            "key, write copy.aws_conn_id, or copy.access_key_id with an encrypted copy.secret_access_key.",
        )
    return text


def _delimiter(text: str) -> str:
    # COPY reads \t and octal \001 itself; they are kept as written.
    if _DELIMITER.fullmatch(text):
        return text
    raise mistake(
        f"{shown(text)} is not a valid delimiter.",
        r"Write one ASCII character or a few, for example '|' or '|~|', '\t' for a tab, or octal '\001'.",
    )


def _fixed_width(text: str) -> str:
    fields = [_FIELD.fullmatch(field) for field in text.split(",")]
    for field, written in zip(fields, text.split(","), strict=True):
        if field is None:
            raise mistake(
                f"{shown(written)} is not a fixed-width field.",
                "Write label:width, with ',' between fields, for example 'id:3,name:10'. A label has letters, digits "
                "and '_'.",
            )
        if not 0 < int(field[2]) <= _ROW_CHARACTERS:
            raise mistake(
                f"the field {shown(field[1])} has {field[2]} characters.", f"Write a width from 1 to {_ROW_CHARACTERS}."
            )
    return ",".join(f"{field[1]}:{int(field[2])}" for field in fields if field)


def _jsonpaths(text: str) -> str:
    if text in _MAPPINGS:
        return text
    if not text.startswith("s3://"):
        raise mistake(
            f"{shown(text)} is not a way to map fields to columns.",
            "Write 'auto', 'auto ignorecase', 'noshred' (json only), or the URL of a JSONPaths file: s3://bucket/key.",
        )
    url = S3Url.parse(text)
    if not url.key or url.key.endswith("/"):
        raise mistake(f"'{url}' is not an object.", "Write the URL of one JSONPaths file: s3://bucket/key.")
    return str(url)


def _identifier(text: str) -> str:
    if not text or len(text.encode(errors="surrogatepass")) > _IDENTIFIER_BYTES:
        raise mistake(f"{shown(text)} is not a valid name in Redshift.", "A name has 1 to 127 bytes.")
    if any(character in "'\"" or not character.isprintable() for character in text):
        raise mistake(
            f"{shown(text)} holds a quote or a control character.", "Write the name without quotes around it."
        )
    return text


def _table(text: str) -> str:
    parts = text.split(".")
    if len(parts) > 2:
        raise mistake(f"{shown(text)} has more than one '.'.", "Write schema.table; the connection has the database.")
    for part in parts:
        _identifier(part)
    return text


def _connection(text: str) -> str:
    if "://" in text or not _CONNECTION.fullmatch(text):
        # It may be a whole connection with its password.
        raise mistake(
            "this is not the id of an Airflow connection.",
            "Write only the id that the connection has in Airflow: letters, digits and -_.:/#!(). Airflow keeps its "
            "address, login and password.",
        )
    return text


def _one_as_list(value: object) -> object:
    return (value,) if isinstance(value, str | SourcePattern) else value


def _one_as_text(sources: tuple[SourcePattern, ...]) -> str | list[str]:
    texts = [str(each) for each in sources]
    return texts[0] if len(texts) == 1 else texts


def _none_below_another(sources: tuple[SourcePattern, ...]) -> tuple[SourcePattern, ...]:
    for index, each in enumerate(sources):
        for other_index, other in enumerate(sources):
            # Of two equal sources, the second is reported.
            if other_index != index and other.covers(each) and (other_index < index or not each.covers(other)):
                how = "appears twice" if each == other else f"lies below '{other}', which takes all of it"
                raise mistake(f"the source '{each}' {how}.", "Leave it out.", at=(index,))
    return sources


def _at_most_24_days(duration: timedelta) -> timedelta:
    if duration > timedelta(days=24):
        raise mistake("Redshift's statement timeout has 24 days at most.", "Write less, or leave it out for no limit.")
    return duration


def _access_key_id(text: str) -> str:
    # The two halves of a key are easily confused, so what is written here is never repeated.
    if not _ACCESS_KEY_ID.fullmatch(text):
        raise mistake("this is not the id of an access key.", "Write the id that begins with AKIA.")
    if text.startswith("ASIA"):
        raise mistake(
            "this is the id of a temporary key, which ends within hours.",
            "Write copy.aws_conn_id: the connection's temporary credentials are fetched again for each COPY.",
        )
    return text


def _kms_secret(text: str) -> str:
    if not text.startswith(KMS):
        # This text is most likely the secret itself: it is never repeated.
        raise mistake(
            "the secret is not encrypted (it is not shown here).",
            "Change the secret, because everybody who can read the load file has it. Then write what `rsloader encrypt "
            "<load> --key <KMS key>` prints.",
        )
    try:
        ciphertext_of(text)
    except ValueError:
        raise mistake(
            f"what follows '{KMS}' is not base64.", "Copy the whole line that `rsloader encrypt` printed."
        ) from None
    return text


LoadName = Annotated[str, AfterValidator(_load_name)]
Prefix = Annotated[S3Url, AfterValidator(_prefix)]
"""An S3 URL that ends with '/' (added when missing), under which the loader writes."""

RegularExpression = Annotated[str, AfterValidator(check_expression)]
TopicArn = Annotated[str, AfterValidator(_topic), Field(examples=["arn:aws:sns:eu-west-1:123456789012:loads"])]
AccessKeyId = Annotated[str, AfterValidator(_access_key_id)]
RoleArns = Annotated[str, AfterValidator(_role)]
Delimiter = Annotated[str, AfterValidator(_delimiter)]
FixedWidth = Annotated[str, AfterValidator(_fixed_width)]
"""Labels and widths as COPY takes them, `id:3,name:10`; blanks are dropped."""

JsonPaths = Annotated[str, AfterValidator(_jsonpaths)]
Identifier = Annotated[str, AfterValidator(_identifier)]
TableText = Annotated[str, AfterValidator(_table)]
ConnectionId = Annotated[str, AfterValidator(_connection)]
KmsSecret = Annotated[str, AfterValidator(_kms_secret), Field(examples=["kms:AQICAHh..."])]
"""A secret as `rsloader encrypt` prints it for this load: `kms:` and base64."""

StatementTimeout = Annotated[Duration, AfterValidator(_at_most_24_days)]
Sources = Annotated[
    tuple[SourcePattern, ...],
    Field(min_length=1),
    BeforeValidator(_one_as_list),
    AfterValidator(_none_below_another),
    PlainSerializer(_one_as_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^s3://"},
                {"type": "array", "items": {"type": "string", "pattern": "^s3://"}, "minItems": 1},
            ],
            "examples": [
                "s3://acme-landing/orders/year=*/month=*/",
                ["s3://acme-landing/orders/", "s3://acme-archive/orders/"],
            ],
        }
    ),
]
"""Prefixes, written as one text or as a list of texts; a single one is written back as a text."""


def _checked_sql(text: str) -> str:
    from rsloader_provider.core.config.user_sql import check_sql  # noqa: PLC0415 (Jinja is slow; few loads have SQL)

    return check_sql(text)


Statements = Annotated[
    tuple[Annotated[str, AfterValidator(_checked_sql)], ...],
    BeforeValidator(_one_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""SQL statements with Jinja in them, written as one text or as a list of texts, each with any number of statements."""
