"""Whether a request comes from a page of this site, and whether an address leads back to one.

Cookies travel with requests that other sites make (CSRF). What changes state is therefore refused when a browser says
that it comes from elsewhere: by ``Sec-Fetch-Site``, or by ``Origin``. A call that says neither is no browser's, or an
old one's, which cannot send JSON across sites without asking; a form could, so a form has to say. Callers with a bearer
token are not asked: no browser sends one by itself. (ASVS 3.5.1 to 3.5.3; B-01, B-03.)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from .http import SAFE, WebRequest

_MAX_RETURN: Final = 2048
_SAME: Final = "same-origin"


def from_elsewhere(request: WebRequest, *, form: bool = False, trusted: Collection[str] = ()) -> bool:
    """Whether a request that changes state must be refused for where it comes from."""
    if request.method in SAFE or request.bearer:
        return False
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is not None:
        return origin not in {request.origin, *trusted}
    if site is not None:
        return site.lower() != _SAME
    return form


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
