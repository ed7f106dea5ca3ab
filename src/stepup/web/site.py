"""What every shim is built on: one gate behind one address, its visits, its answers and its refusals.

``Site`` is made once, from the gate and the settings that all shims share (``SiteOptions``). For each request that has
to do with stepup, a shim asks for a ``Visit``; it hands the protocol's requests to ``answer`` and turns what the gate
raises into a response with ``refusal``. The shim itself translates, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final, TypedDict
from urllib.parse import urlsplit

from stepup._async import AsyncStepUp
from stepup._sync import StepUp
from stepup.context import Context
from stepup.errors import ConfigurationError, InvalidInput, StepUpError

from .addresses import proxy_networks
from .api import Protocol, respond
from .cookies import Devices, cookie_names
from .http import WebRequest, WebResponse
from .people import actor_of
from .problems import Answers
from .refusals import refused, wants_page
from .sessions import Sessions
from .visits import Desk, Rotate, TokenFrom, Visit

_PUBLIC: Final = frozenset({"/openapi.json", "/ceremony/done"})
_PUBLIC_BELOW: Final = ("/problems/", "/static/")


class SiteOptions(TypedDict, total=False):
    """What all shims take, besides the application, the gate and ``user_of``.

    Attributes:
        prefix: where the protocol is mounted; ``/stepup``.
        answers: ``auto`` (401 for bearer tokens, 403 for sessions), ``forbidden`` or ``bearer``.
        origin: the site's own origin, such as ``https://app.northstar.example``; without it, what the server thinks
            it is called. Needed behind a proxy that the server does not know of.
        trusted: further origins whose pages may call.
        secure: False only for development over plain HTTP; the cookies then have neither ``__Host-`` nor ``Secure``.
        cookie: what the cookies' names begin with; ``stepup``.
        proxies: networks of your own proxies, whose ``X-Forwarded-For`` is believed.
        token_from: where the token is, if not in the header ``StepUp-Token``.
    """

    prefix: str
    answers: Answers
    origin: str | None
    trusted: Collection[str]
    secure: bool
    cookie: str
    proxies: Collection[str]
    token_from: TokenFrom | None


class Site:
    """One gate behind one address. Immutable and shared by all requests."""

    def __init__(
        self,
        gate: StepUp | AsyncStepUp,
        *,
        prefix: str = "/stepup",
        answers: Answers = "auto",
        origin: str | None = None,
        trusted: Collection[str] = (),
        secure: bool = True,
        cookie: str = "stepup",
        proxies: Collection[str] = (),
        token_from: TokenFrom | None = None,
    ) -> None:
        """See ``SiteOptions``.

        Raises:
            ConfigurationError: for an address that is none.
        """
        core = gate.core
        if not prefix.startswith("/") or prefix.endswith("/") or "//" in prefix:
            raise ConfigurationError(f"prefix= cannot be {prefix!r}.", remedy="Write it like /stepup.")
        for one in (*trusted, *([origin] if origin else [])):
            _require_origin(one)
        self.gate = gate
        self.prefix = prefix
        names = cookie_names(secure=secure, name=cookie)
        self.protocol = Protocol(core, prefix, answers, gate.may_start, frozenset(trusted), names)
        self._origin = origin
        self._desk = Desk(
            core=core,
            names=names,
            sessions=Sessions(core.ring, core.namespace),
            devices=Devices(core.ring, core.namespace),
            proxies=proxy_networks(proxies),
            trusted=frozenset(trusted),
            token_from=token_from,
        )

    def visit(
        self,
        request: WebRequest,
        user: object,
        *,
        organization: str | None = None,
        rotate: Callable[[], object] | None = None,
    ) -> Visit:
        """The visit of *user*: an ``Actor``, a user object of the application's login, or None for nobody.

        Raises:
            InvalidInput: for something that is no user.
        """
        return Visit(self._desk, self._own(request), actor_of(user), organization=organization, rotate=rotate)

    def visit_in(self, request: WebRequest, context: object, *, rotate: Rotate | None = None) -> Visit:
        """The visit of an application that gives the whole ``Context`` itself, or None for nobody.

        Raises:
            InvalidInput: for something else.
        """
        if context is None:
            return Visit(self._desk, self._own(request), None, whole=True)
        if not isinstance(context, Context):
            raise InvalidInput("context_of", f"gave a {type(context).__name__}, not a Context")
        return Visit.of(self._desk, self._own(request), context, rotate)

    def require_apart(self, other: Site) -> None:
        """Refuse to stand in one application with *other* at the same address, or with the same cookies.

        Raises:
            ConfigurationError: naming what is the same, and the argument that changes it.
        """
        if other.prefix == self.prefix:
            raise ConfigurationError(
                f"{self.prefix} is the address of another gate.", remedy="Give this one a prefix= of its own."
            )
        if other.protocol.cookies.session == self.protocol.cookies.session:
            raise ConfigurationError("Another gate has the same cookies.", remedy="Give this one a cookie= of its own.")

    def public(self, path: str) -> bool:
        """Whether what is at *path* below the prefix is for everybody, so that nobody has to be looked for."""
        return path in _PUBLIC or path.startswith(_PUBLIC_BELOW)

    async def answer(self, visit: Visit, path: str, body: bytes) -> WebResponse:
        """The protocol's answer to a request for *path* below the prefix, cookies included."""
        asked = replace(visit.request, path=path, body=body)
        return self.with_cookies(visit, await respond(self._mounted(asked), asked))

    def refusal(self, visit: Visit, error: StepUpError) -> WebResponse:
        """What a call is answered that stepup refused, cookies included: a page for people, a document for scripts."""
        asked = visit.request
        to = self._mounted(asked)
        made = refused(to, asked, error) if wants_page(asked) else to.voice.error(asked, error)
        return self.with_cookies(visit, made)

    def with_cookies(self, visit: Visit, made: WebResponse) -> WebResponse:
        """*made*, with the cookies of the visit."""
        return made.with_headers(*(("set-cookie", cookie) for cookie in visit.set_cookies()))

    def _mounted(self, request: WebRequest) -> Protocol:
        """The protocol with the addresses that it has for this request."""
        return replace(self.protocol, prefix=request.root + self.prefix) if request.root else self.protocol

    def _own(self, request: WebRequest) -> WebRequest:
        return request if self._origin is None else replace(request, origin=self._origin)


def _require_origin(origin: str) -> None:
    parts = urlsplit(origin)
    if parts.scheme not in {"http", "https"} or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
        raise ConfigurationError(f"{origin!r} is no origin.", remedy="Write it like https://app.northstar.example.")
