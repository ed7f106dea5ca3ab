"""Device tokens: reading one without the store, and making one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from stepup.decide import device as pure
from stepup.device import Presented, Remembered
from stepup.keys import KeyRing
from stepup.token import TRUST_TYPE, TokenWriter

SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Minting:
    """A token that may be made: its secret, and what the decision is told of it."""

    secret: str
    fresh: pure.Fresh

    def __repr__(self) -> str:
        return "Minting()"


class DeviceTokens:
    """Writes and reads the tokens of remembered devices. Immutable and thread-safe.

    A token is a signed text (``stepup.token``), so one that was not made here is refused before the store is asked.
    It holds the device's id, its serial number and 256 random bits, of which only the keyed hash is stored.
    """

    def __init__(self, ring: KeyRing, issuer: str) -> None:
        self._ring = ring
        self._issuer = issuer
        self._tokens = TokenWriter(ring, TRUST_TYPE)

    def read(self, token: str | None) -> Presented | None:
        """What *token* says; None unless it was made here."""
        claims = None if token is None else self._tokens.read(token)
        if claims is None or claims.get("iss") != self._issuer:
            return None
        device, serial, secret = claims.get("jti"), claims.get("n"), claims.get("key")
        if not isinstance(device, str) or type(serial) is not int or not isinstance(secret, str):
            return None
        return Presented(device, serial, self._hash(secret))

    def minting(self, *, wanted: bool) -> Minting:
        """A fresh secret, and a fresh id for a device that is new."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        events = (secrets.token_hex(16), secrets.token_hex(16))
        return Minting(secret, pure.Fresh(secrets.token_hex(16), self._hash(secret), events, wanted))

    def written(self, device: Remembered, minting: Minting) -> str:
        """The token that *device* has got."""
        claims = {"iss": self._issuer, "jti": device.id, "n": device.serial, "key": minting.secret}
        return self._tokens.sign({**claims, "exp": int(device.expires_at.timestamp())})

    def _hash(self, secret: str) -> str:
        return self._ring.hash_id("device-token", secret)

    def __repr__(self) -> str:
        return "DeviceTokens()"
