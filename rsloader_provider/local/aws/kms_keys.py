"""The keys of moto's KMS: which key a request is about, and the refusal of keys that are switched off.

moto keeps a key's state, but ignores it.
Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from typing import TYPE_CHECKING, Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.kms.models import kms_backends
from moto.kms.utils import KEY_ID_LEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

_USES = {"Encrypt", "Decrypt", "GenerateDataKey", "ReEncrypt"}


def key_of(request: Mapping[str, Any], region: str) -> Any | None:
    """Return moto's key that a request names, or that its ciphertext was made with; None if it does not exist."""
    keys = kms_backends[DEFAULT_ACCOUNT_ID][region]
    named = request.get("KeyId")
    if named is None:
        try:
            named = base64.b64decode(request.get("CiphertextBlob") or "")[:KEY_ID_LEN].decode()
        except (binascii.Error, ValueError):
            return None
    try:
        return keys.keys.get(keys.any_id_to_key_id(named))
    except AttributeError:  # moto's answer for an alias that leads nowhere
        return None


class KmsService:
    """A WSGI application: moto's KMS, which refuses keys that are not enabled.

    Args:
        moto: Answers everything else.
        region: The region of the keys.
    """

    def __init__(self, moto: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]], region: str) -> None:
        self._moto = moto
        self._region = region

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read()
        environ["wsgi.input"].seek(0)
        operation = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        key = key_of(json.loads(body or b"{}"), self._region) if operation in _USES else None
        if key is None or key.key_state == "Enabled":
            return self._moto(environ, start_response)
        disabled = key.key_state == "Disabled"
        code, state = (
            ("DisabledException", "disabled") if disabled else ("KMSInvalidStateException", "pending deletion")
        )
        answer = json.dumps({"__type": code, "message": f"{key.arn} is {state}."}).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(answer)))]
        start_response("400 Bad Request", [*headers, ("x-amzn-RequestId", str(uuid.uuid4()))])
        return [answer]
