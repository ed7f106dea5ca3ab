"""Whether a request comes from a page of this site, and whether an address leads back to one.

Cookies travel with requests that other sites make (CSRF). What changes state is therefore refused when a browser says
that it comes from elsewhere: by ``Sec-Fetch-Site``, or by ``Origin``. A call that says neither is no browser's, or an
old one's, which cannot send JSON across sites without asking; a form could, so a form has to say. Callers with a bearer
token and no cookie are not asked: no browser sends one by itself. (ASVS 3.5.1 to 3.5.3; B-01, B-03.)

Guarded calls of the application are held to it like the protocol's own: what a session has unlocked, another site's
page must not use. Behind a proxy that the server does not know of, its own origin has the wrong scheme; where the host
is the same and the browser calls it the same origin, that is believed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from stepup.decision import Decision, Outcome
from stepup.errors import Code, Denied

from .http import SAFE, WebRequest

_MAX_RETURN: Final = 2048
_SAME: Final = "same-origin"


class FromElsewhere(Denied):
    """A page of another site made the call."""

    def __init__(self) -> None:
        super().__init__(Decision(Outcome.DENIED, Code.BAD_REQUEST, "", 0))


def from_elsewhere(request: WebRequest, *, form: bool = False, trusted: Collection[str] = ()) -> bool:
    """Whether a request that changes state must be refused for where it comes from."""
    if request.method in SAFE or (request.bearer and "cookie" not in request.headers):
        return False
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is not None:
        here = origin == request.origin or (site == _SAME and _same_host(origin, request.origin))
        return not here and origin not in trusted
    if site is not None:
        return site.lower() != _SAME
    return form


def _same_host(origin: str, own: str) -> bool:
    """Whether two origins differ in nothing but being http or https."""
    (scheme, _, host), (_, _, here) = origin.partition("://"), own.partition("://")
    return scheme in {"http", "https"} and host == here != ""


def safe_return(address: object, fallback: str = "/") -> str:
    """*address* if it is a path of this site, else *fallback*.

    Whatever a browser might read as another site is refused, not mended: a scheme, a host, a backslash, two slashes at
    the beginning, a control character, white space at either end.
    """
    if not isinstance(address, str) or not 0 < len(address) <= _MAX_RETURN or not address.startswith("/"):
        return fallback
    if address.startswith("//") or "\\" in address or address != address.strip():
        return fallback
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in address):
        return fallback
    try:
        parts = urlsplit(address)
    except ValueError:
        return fallback
    return fallback if parts.scheme or parts.netloc or parts.path.startswith("//") else address
