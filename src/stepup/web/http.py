"""Requests and responses as values: all that the protocol knows of HTTP.

A shim turns its framework's request into a ``WebRequest`` and a ``WebResponse`` into its framework's response, and
does nothing else. Header names are lower case; bodies are bytes. ``origin`` and ``context`` come from the server and
from who is signed in, never from what the client says of itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from stepup.context import Context

NO_STORE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
)
"""What every response of the protocol carries (ASVS 14.3.2, 3.4.5)."""

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request to the protocol.

    Attributes:
        method: upper case.
        path: of a call of the protocol, what stands below the prefix: ``/challenges/stepup_8d2f``; of a request to
            the application, the whole path, percent-decoded once by the server, and the query as it was sent.
        headers: lower-case names; a header sent twice is joined by commas, as servers do.
        query: the query's parameters; of one given twice, the last.
        body: the whole body, or more of it than the limit.
        context: who asks; None if nobody is signed in.
        origin: this server's own origin, ``https://app.northstar.example``, from configuration or the server.
        peer: the address of the connection.
        root: where the application is mounted, as the server knows it: empty, or ``/app``.
        token: what a finished step-up gave, presented with this request.
        rotate: renews the session once a proof is complete, and answers its new id; None where the shim cannot.
        keep_device: keeps a device token in the browser for so many seconds, 0 to take it away; None where it cannot.
    """

    method: str
    path: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    query: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes = field(default=b"", repr=False)
    context: Context | None = None
    origin: str = ""
    rotate: Callable[[], str | Awaitable[str]] | None = None
    peer: str | None = None
    root: str = ""
    token: str | None = field(default=None, repr=False)
    keep_device: Callable[[str, int], None] | None = None

    @property
    def bearer(self) -> bool:
        """Whether it authenticates with a bearer token (RFC 6750), which no browser sends by itself."""
        scheme, _, rest = self.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and rest.strip() != ""

    @property
    def navigation(self) -> bool:
        """Whether a person goes to a page, rather than a script calling.

        A browser too old to say so asks for HTML first; scripts do not.
        """
        mode = self.headers.get("sec-fetch-mode")
        if mode is None:
            return self.headers.get("accept", "").lower().startswith("text/html") and not self.htmx
        return mode.lower() == "navigate"

    @property
    def htmx(self) -> bool:
        """Whether htmx made the call."""
        return self.headers.get("hx-request", "").lower() == "true"


@dataclass(frozen=True, slots=True)
class WebResponse:
    """One response: status, headers in order, body."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    def with_headers(self, *more: tuple[str, str]) -> WebResponse:
        """With more headers after those it has."""
        return WebResponse(self.status, (*self.headers, *more), self.body)


def response(status: int, body: bytes, content_type: str, *more: tuple[str, str]) -> WebResponse:
    """A response with what every one of the protocol carries."""
    return WebResponse(status, (("content-type", content_type), *NO_STORE.items(), *more), body)
