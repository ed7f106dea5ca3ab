"""Signed texts: the grant's bearer form and the offer, as standard compact JWS (RFC 7515, RFC 7519).

Any JOSE library can read one, given ``KeyRing.subkey(purpose, kid)``. Reading ours is stricter than any
of them, by construction rather than by checks:

- the whole header segment is looked up among the few this ring could have written; it is never parsed,
  so ``alg``, ``crit``, ``jku``, ``jwk`` and friends cannot mean anything (RFC 8725 section 3.1);
- the MAC is compared in its text form, in constant time, so no second spelling of it is accepted;
- each ``typ`` has a subkey of its own (RFC 8725 section 3.11), so an offer is never a grant.

``TokenWriter`` knows nothing of grants: ``bearer.py`` says which claims there are.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import cast

from .errors import ConfigurationError
from .keys import KeyRing

GRANT_TYPE = "stepup-grant+jwt"
OFFER_TYPE = "stepup-offer+jwt"
TRUST_TYPE = "stepup-trust+jwt"
MAX_TOKEN = 16384


class TokenWriter:
    """Signs and reads compact JWS of one ``typ``. Immutable and thread-safe.

    *typ* is also the purpose of the subkey. HS256 with a 256-bit key (RFC 7518 section 3.2).
    """

    __slots__ = ("_heads", "_typ", "_write_head")

    def __init__(self, ring: KeyRing, typ: str) -> None:
        self._typ = typ
        self._heads: dict[str, bytes] = {}
        for kid in reversed(ring.kids):
            head = _segment(json.dumps({"alg": "HS256", "kid": kid, "typ": typ}, separators=(",", ":")).encode())
            key = ring.subkey(typ, kid)
            assert key is not None  # the id comes from the ring itself
            self._heads[head] = key
            self._write_head = head

    def sign(self, claims: Mapping[str, object]) -> str:
        """Serialise and sign *claims* with the newest key.

        Raises:
            ConfigurationError: if the result would be longer than 16384 characters.
        """
        body = _segment(json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode())
        text = f"{self._write_head}.{body}"
        signed = f"{text}.{_mac(self._heads[self._write_head], text)}"
        if len(signed) > MAX_TOKEN:
            raise ConfigurationError(
                f"A {self._typ} would have {len(signed)} characters, at most {MAX_TOKEN} are allowed.",
                remedy="Bind fewer or shorter params; large data belongs behind an id.",
            )
        return signed

    def read(self, token: object) -> dict[str, object] | None:
        """The claims of a text this ring signed for this ``typ``; None for anything else whatsoever.

        Says nothing about expiry or binding: that is for the caller.
        """
        if not isinstance(token, str) or len(token) > MAX_TOKEN or not token.isascii():
            return None
        text, _, mac = token.rpartition(".")
        head, _, body = text.partition(".")
        key = self._heads.get(head)
        if key is None or not hmac.compare_digest(_mac(key, text), mac):
            return None
        try:
            claims: object = json.loads(base64.urlsafe_b64decode(body + "=="))
        except (ValueError, binascii.Error):  # pragma: no cover -- only our own key could have signed this
            return None
        return cast(dict[str, object], claims) if isinstance(claims, dict) else None

    def __repr__(self) -> str:
        return f"TokenWriter({self._typ!r})"


def _mac(key: bytes, text: str) -> str:
    return _segment(hmac.digest(key, text.encode("ascii"), "sha256"))


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
