"""The cookies stepup sets: session binding, device, its trust, and the grant of the page without JavaScript.

All are HttpOnly, ``SameSite=Lax``, for the whole host, and with ``__Host-`` and ``Secure``, so that no other host, no
other path and no plain connection can set or read them (RFC 6265bis section 4.1.3.2; B-04). Over plain HTTP, for
development only, they have neither.

========================= ==================== ==================================================
cookie                    lives                holds
========================= ==================== ==================================================
``__Host-stepup``         30 days              the session binding (``sessions``)
``__Host-stepup-device``  400 days             a random id of the browser, signed
``__Host-stepup-trust``   30 days              the token of a remembered device, new at each step-up (``device``)
``__Host-stepup-grant``   as long as the grant the token, for one post of a form (``visits``)
========================= ==================== ==================================================
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final, NamedTuple

from stepup.context import Device
from stepup.keys import KeyRing
from stepup.token import TokenWriter

DEVICE_TYPE: Final = "stepup-device+jwt"
DEVICE_LIFE: Final = 400 * 24 * 3600
_HOST: Final = "__Host-"


class CookieNames(NamedTuple):
    """What the cookies are called, and whether they are ``Secure``."""

    session: str
    device: str
    trust: str
    grant: str
    secure: bool

    def set(self, name: str, value: str, max_age: int) -> str:
        """A ``Set-Cookie`` header; ``max_age`` in seconds, 0 deletes."""
        secure = "; Secure" if self.secure else ""
        return f"{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"

    def delete(self, name: str) -> str:
        """A ``Set-Cookie`` header that takes a cookie away."""
        return self.set(name, "", 0)


def cookie_names(*, secure: bool = True, name: str = "stepup") -> CookieNames:
    """The cookies' names."""
    prefix = _HOST if secure else ""
    return CookieNames(
        f"{prefix}{name}", f"{prefix}{name}-device", f"{prefix}{name}-trust", f"{prefix}{name}-grant", secure
    )


def read_cookies(header: str) -> dict[str, str]:
    """The cookies of a ``Cookie`` header. One that stands there twice is none: which of them is ours cannot be told."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for part in header.split(";"):
        # Space and tab alone: what Python strips besides them would turn another host's cookie into one of ours.
        name, equals, value = part.strip(" \t").partition("=")
        if equals and name in found:
            twice.add(name)
        elif equals:
            found[name] = value.strip('"')
    return {name: value for name, value in found.items() if name not in twice}


class Devices:
    """Writes and reads device cookies. Immutable and thread-safe.

    A device is a browser that comes back. Its cookie proves nothing and authenticates nobody (NIST SP 800-63B-4
    section 5.1); a proof is bound to it, and it has a label that people know it by.
    """

    def __init__(self, ring: KeyRing, issuer: str) -> None:
        self._tokens = TokenWriter(ring, DEVICE_TYPE)
        self._issuer = issuer

    def read(self, cookie: object) -> str | None:
        """The device's id in *cookie*; None unless it was made here."""
        claims = self._tokens.read(cookie) or {}
        found = claims.get("jti")
        return found if claims.get("iss") == self._issuer and isinstance(found, str) and found else None

    def fresh(self) -> str:
        """The id of a browser that was not here before."""
        return secrets.token_hex(32)

    def written(self, device: str, now: datetime) -> str:
        """The cookie's value."""
        return self._tokens.sign({"iss": self._issuer, "iat": int(now.timestamp()), "jti": device})


def device(fingerprint: str, user_agent: str) -> Device:
    """The device of a request, called after its browser and system."""
    return Device(fingerprint, label=device_label(user_agent))


_SYSTEMS: Final = (
    ("iphone", "iPhone"),
    ("ipad", "iPad"),
    ("android", "Android"),
    ("windows", "Windows"),
    ("macintosh", "Mac"),
    ("cros", "Chromebook"),
    ("linux", "Linux"),
)
_BROWSERS: Final = (
    ("edg", "Edge"),
    ("opr/", "Opera"),
    ("firefox", "Firefox"),
    ("fxios", "Firefox"),
    ("samsungbrowser", "Samsung Internet"),
    ("chrome", "Chrome"),
    ("crios", "Chrome"),
    ("safari", "Safari"),
)


def device_label(user_agent: str) -> str | None:
    """A name such as ``Mac / Safari``, for people; None for what is no browser we know. Never for decisions."""
    said = user_agent.lower()
    found = [next((name for sign, name in table if sign in said), None) for table in (_SYSTEMS, _BROWSERS)]
    return " / ".join(name for name in found if name) or None
