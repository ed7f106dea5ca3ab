"""What an authenticator app shares with the server: secret, parameters, the code of a step, the URI.

HOTP (RFC 4226) comes from cryptography, the URI from pyotp; both load when first used.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from stepup.errors import ConfigurationError

NEW_SECRET: Final = 20
"""Bytes of a new secret: 160 bits, as RFC 4226 section 4 recommends."""

MIN_SECRET: Final = 16
MIN_LEGACY_SECRET: Final = 10
MAX_SECRET: Final = 128
ALGORITHMS: Final = ("SHA1", "SHA256", "SHA512")


@dataclass(frozen=True, slots=True)
class Parameters:
    """How an app makes codes: digits (6 to 8), seconds a code stands for (15 to 60), hash of the HMAC."""

    digits: int = 6
    period: int = 30
    algorithm: str = "SHA1"

    def __post_init__(self) -> None:
        if type(self.digits) is not int or not 6 <= self.digits <= 8:
            raise ConfigurationError("TOTP(digits=) must be 6, 7 or 8.")
        if type(self.period) is not int or not 15 <= self.period <= 60:
            raise ConfigurationError("TOTP(period=) must be 15 to 60 seconds.")
        if self.algorithm not in ALGORITHMS:
            raise ConfigurationError(f"TOTP(algorithm=) must be one of {', '.join(ALGORITHMS)}.")

    @classmethod
    def of(cls, data: Mapping[str, object]) -> Self | None:
        """What a factor's record holds; None where that is malformed."""
        digits, period, algorithm = (data.get(name) for name in ("digits", "period", "algorithm"))
        if not isinstance(digits, int) or not isinstance(period, int) or not isinstance(algorithm, str):
            return None
        try:
            return cls(digits, period, algorithm)
        except ConfigurationError:
            return None

    def as_data(self) -> dict[str, str | int]:
        """For a factor's record."""
        return {"digits": self.digits, "period": self.period, "algorithm": self.algorithm}


def new_secret() -> bytes:
    """160 bits from the system's random source."""
    return secrets.token_bytes(NEW_SECRET)


def encoded(key: bytes) -> str:
    """Base32 without padding, as apps take it."""
    return base64.b32encode(key).rstrip(b"=").decode()


def decoded(secret: object) -> bytes | None:
    """The key behind *secret* (base32 text, or raw bytes); None where it is neither."""
    if isinstance(secret, bytes):
        return secret or None
    if not isinstance(secret, str) or not secret.isascii():
        return None
    text = secret.replace(" ", "").replace("-", "").rstrip("=").upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8)) or None
    except binascii.Error:
        return None


def usable(key: bytes | None, *, legacy: bool) -> bool:
    """Whether the key is long enough to be trusted: 128 bits, or 80 where legacy secrets are allowed."""
    return key is not None and (MIN_LEGACY_SECRET if legacy else MIN_SECRET) <= len(key) <= MAX_SECRET


def checked_secret(secret: str | bytes, *, legacy: bool) -> bytes:
    """The key behind an imported secret.

    Raises:
        ConfigurationError: saying what is wrong with it, without showing it.
    """
    key = decoded(secret)
    if key is None:
        raise ConfigurationError("The TOTP secret is not base32 text or raw bytes.")
    if not usable(key, legacy=legacy):
        raise ConfigurationError(
            f"The TOTP secret has {len(key) * 8} bits; 128 to {MAX_SECRET * 8} are accepted.",
            remedy="Enrol the person again, or allow 80 bits with legacy_secrets=True.",
        )
    return key


def checked_issuer(issuer: object) -> str:
    """The product's name, if apps will show it whole.

    Raises:
        ConfigurationError: for a colon, at which apps cut, or a value that is not text.
    """
    if not isinstance(issuer, str) or ":" in issuer:
        raise ConfigurationError("TOTP(issuer=) must be text without a colon.")
    return issuer


def code_at(key: bytes, step: int, parameters: Parameters) -> str:
    """The code of a time step (RFC 6238 section 4.2), leading zeros kept."""
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512
    from cryptography.hazmat.primitives.twofactor.hotp import HOTP

    hashes: dict[str, type[SHA1] | type[SHA256] | type[SHA512]] = {"SHA1": SHA1, "SHA256": SHA256, "SHA512": SHA512}
    made = HOTP(key, parameters.digits, hashes[parameters.algorithm](), enforce_key_length=len(key) >= MIN_SECRET)
    return made.generate(step).decode()


def totp_uri(secret: str, account: str, *, issuer: str = "", parameters: Parameters | None = None) -> str:
    """The ``otpauth:`` URI behind a QR code. It contains the secret: show it once, never log it.

    Raises:
        ConfigurationError: for an issuer with a colon, which apps would cut at it.
    """
    from pyotp.utils import build_uri

    parameters = parameters or Parameters()
    return build_uri(
        secret,
        account,
        issuer=checked_issuer(issuer) or None,
        algorithm=parameters.algorithm.lower(),
        digits=parameters.digits,
        period=parameters.period,
    )
