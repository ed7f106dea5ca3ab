"""The client's files, as a page loads them: known names only, each with a version, the same for everybody.

What is sent is the module without its comments and indentation; they are two fifths of it, and whoever wants to read
has the package. A file is read once. Browsers keep a copy and ask whether it still is the same (``no-cache`` and an
``ETag``), so a new release is there at once, and the modules of a page are always of one release.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final, NamedTuple

from stepup.errors import Code

from .call import Protocol
from .http import WebRequest, WebResponse

NAMES: Final = frozenset(
    {
        "account-api.js", "account-dom.js", "account-element.js", "account-part.js", "account-pure.js",
        "account-rows.js", "account-style.js", "account-texts-ar.js", "account-texts-de.js", "account-texts-es.js",
        "account-texts-fr.js", "account-texts-ja.js", "account-texts-pt.js", "account-texts.js", "account.js",
        "api.js", "approval.js", "base64url.js", "devices.js", "dialog.js", "dom.js", "enrol-codes.js",
        "enrol.js", "events.js", "factors.js", "forms.js", "htmx.js", "mail.js", "older.js", "pure.js",
        "registration.js", "stepup.js", "style.js", "terms.js", "texts-ar.js", "texts-de.js", "texts-es.js",
        "texts-fr.js", "texts-ja.js", "texts-pt.js", "texts.js", "view.js",
    }
)  # fmt: skip
"""What is served. Modules name each other by relative paths, so all of them are at one address."""

_COMMENT: Final = re.compile(r"(?s:/\*\*.*?\*/)[ \t]*|^[ \t]*//.*\n|[ \t]+// [^\"'`\n]*$", re.MULTILINE)
_MARGIN: Final = re.compile(r"^[ \t]*\n|^[ \t]+", re.MULTILINE)


class Asset(NamedTuple):
    """A file as it is sent, plain and compressed, and its version."""

    body: bytes
    zipped: bytes
    etag: str


@functools.cache
def asset(name: str) -> Asset:
    """The file *name*, which has to be one of ``NAMES``."""
    source = files("stepup.web").joinpath("static", name).read_text(encoding="utf-8")
    body = without_comments(source).encode()
    return Asset(body, gzip.compress(body, 9, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def without_comments(source: str) -> str:
    """A module of ours without comments and indentation; a test holds the modules to what this can read."""
    return _MARGIN.sub("", _COMMENT.sub("", source))


def serve(to: Protocol, request: WebRequest, parts: Mapping[str, str]) -> WebResponse:
    """A file, or that the browser has it already."""
    if parts["name"] not in NAMES:
        return to.voice.problem(request, Code.BAD_REQUEST, {"detail": "There is no such file."}, status=404)
    found = asset(parts["name"])
    headers = (
        ("content-type", "text/javascript; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("vary", "Accept-Encoding"),
        ("etag", found.etag),
    )
    if found.etag in _etags(request.headers.get("if-none-match", "")):
        return WebResponse(304, headers)
    if "gzip" in request.headers.get("accept-encoding", "").lower():
        return WebResponse(200, (*headers, ("content-encoding", "gzip")), found.zipped)
    return WebResponse(200, headers, found.body)


def _etags(header: str) -> set[str]:
    """The versions that a browser has; proxies may have made weak ones of them (RFC 9110 section 13.1.2)."""
    return {one.strip().removeprefix("W/") for one in header.split(",")}
