"""AWS's errors as the loader's: what happened, to what, and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.parsers import ResponseParserError

from rsloader_provider.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    NotSetUpError,
    RsloaderError,
    TransientError,
)

_DENIED = {
    "403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "InvalidAccessKeyId", "InvalidClientTokenId",
    "SignatureDoesNotMatch", "UnrecognizedClientException",
}  # fmt: skip
_MISSING = {
    "ClusterNotFound",
    "ClusterNotFoundFault",
    "NoSuchBucket",
    "ResourceNotFoundException",
    "NotFound",
    "NotFoundException",
}
_PASSING = {
    "ActiveSessionsExceededException", "ActiveStatementsExceededException", "ExecuteStatementException",
    "InternalError", "InternalServerError", "InternalServerException", "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttled", "Throttling",
    "ThrottlingException", "ThrottledException", "TransactionConflictException", "TransactionInProgressException",
    "ExpiredToken", "ExpiredTokenException", "500", "502", "503", "504",
}  # fmt: skip
_CLOCK_CODES = {"RequestExpired", "RequestTimeTooSkewed"}
_CLOCK_WORDS = ("Signature expired", "Signature not yet current")
_PASSING_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_LASTING_REASONS = {"ValidationError", "ItemCollectionSizeLimitExceeded", "DuplicateItem"}


def cancellation_reasons(error: ClientError) -> list[str]:
    """Give the reason of each action of a transaction that DynamoDB canceled; `None` for one that was fine."""
    return [reason["Code"] for reason in error.response.get("CancellationReasons", ())]


def is_passing_conflict(error: BaseException) -> bool:
    """Tell whether nothing was written, for a passing reason after which botocore does not try again.

    A transaction is canceled because of other writes or throttling; a single write, because of a running transaction.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    if not isinstance(error, ClientError):
        return False
    code = error.response["Error"]["Code"]
    if code != "TransactionCanceledException":
        return code == "TransactionConflictException"
    reasons = set(cancellation_reasons(error))
    return bool(reasons & _PASSING_REASONS) and not reasons & _LASTING_REASONS


@contextmanager
def as_loader_errors(subject: str, remedy: str) -> Iterator[None]:
    """Turn an error of botocore into one of ours.

    Args:
        subject: What was asked for, for example "bucket acme-landing".
        remedy: What to do when it is not there.

    Raises:
        NotSetUpError, AccessDeniedError, ConfigurationError, TransientError, RsloaderError: As their names say.
    """
    try:
        yield
    except ClientError as error:
        raise _from_client_error(error, subject, remedy) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise ConfigurationError(
            f"{subject}: no AWS credentials. Give the Airflow connection of `aws_conn_id` a key or a role, or run "
            "with an instance role."
        ) from error
    except (NoRegionError, ProfileNotFound, ParamValidationError) as error:
        raise ConfigurationError(f"{subject}: {error} Correct the Airflow connection.") from error
    except (BotoCoreError, ResponseParserError) as error:
        raise TransientError(f"{subject}: AWS did not answer: {error}") from error


def _from_client_error(error: ClientError, subject: str, remedy: str) -> RsloaderError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    words = error.response.get("Error", {}).get("Message", "")
    what = f"{subject}: {error.operation_name}: {code} {words}".rstrip()
    if code in _CLOCK_CODES or words.startswith(_CLOCK_WORDS):
        return TransientError(f"{what}. The clock of this machine is off by minutes: correct it.")
    if code in _DENIED:
        return AccessDeniedError(f"{what}. Allow this action to the role or user of the Airflow connection.")
    if code in _MISSING:
        return NotSetUpError(f"{what}. {remedy}")
    if code in _PASSING or is_passing_conflict(error):
        return TransientError(what)
    return RsloaderError(what)
