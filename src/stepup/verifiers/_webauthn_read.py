"""What a client sends, read before it is believed: sizes first, one spelling only, no type taken on trust.

``read_assertion`` and ``read_registration`` take the JSON of ``PublicKeyCredential.toJSON()``. Whatever it holds beyond
what is named here is not looked at: the library never sees it. ``StepFailed`` is the one way in which a step refuses.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

MAX_ID: Final = 1023
MAX_CLIENT_DATA: Final = 4096
MAX_AUTHENTICATOR_DATA: Final = 2048
MAX_SIGNATURE: Final = 1024
MAX_ATTESTATION: Final = 8192
MAX_HANDLE: Final = 64
TRANSPORTS: Final = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


class StepFailed(Exception):
    """A step that did not hold. ``step`` is its name, for the audit; it never holds what was sent."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


@dataclass(frozen=True, slots=True)
class Assertion:
    """An answer of ``navigator.credentials.get()``, decoded and not yet believed."""

    credential: str
    client_data: bytes = field(repr=False)
    authenticator_data: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    user_handle: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """An answer of ``navigator.credentials.create()``, decoded and not yet believed."""

    credential: str
    client_data: bytes = field(repr=False)
    attestation: bytes = field(repr=False)
    transports: tuple[str, ...] = ()


def b64(data: bytes) -> str:
    """Base64url without padding, as WebAuthn's JSON has it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: object, limit: int) -> bytes:
    """The bytes of *text*, if it is their one spelling and they are 1 to *limit*."""
    if type(text) is not str or not 0 < len(text) <= -(-limit * 4 // 3) or not _BASE64URL.fullmatch(text):
        raise StepFailed("encoding")
    if len(text) % 4 == 1:
        raise StepFailed("encoding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(data) != text:
        raise StepFailed("encoding")
    return data


def read_assertion(response: object) -> Assertion:
    """*response* as an assertion. What it holds beyond one is not looked at."""
    credential, inner = _credential(response)
    handle = inner.get("userHandle")
    return Assertion(
        credential,
        unb64(inner.get("clientDataJSON"), MAX_CLIENT_DATA),
        unb64(inner.get("authenticatorData"), MAX_AUTHENTICATOR_DATA),
        unb64(inner.get("signature"), MAX_SIGNATURE),
        None if handle is None else b64(unb64(handle, MAX_HANDLE)),
    )


def read_registration(response: object) -> Registration:
    """*response* as a registration. Transports that are not known are left out."""
    credential, inner = _credential(response)
    transports = inner.get("transports")
    return Registration(
        credential,
        unb64(inner.get("clientDataJSON"), MAX_CLIENT_DATA),
        unb64(inner.get("attestationObject"), MAX_ATTESTATION),
        tuple(name for name in TRANSPORTS if name in transports) if isinstance(transports, list) else (),
    )


def _credential(response: object) -> tuple[str, Mapping[str, object]]:
    """The credential id and the inner response of either ceremony."""
    if not isinstance(response, dict):
        raise StepFailed("form")
    given = cast("Mapping[str, object]", response)
    inner = given.get("response")
    if not isinstance(inner, dict) or given.get("type") != "public-key":
        raise StepFailed("form")
    credential = b64(unb64(given.get("id"), MAX_ID))
    if given.get("rawId") != credential:
        raise StepFailed("form")
    return credential, cast("Mapping[str, object]", inner)
