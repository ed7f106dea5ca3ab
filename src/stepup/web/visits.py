"""A visit: one request to the application, and what stepup knows of whoever makes it.

``Visit`` works out the ``Context`` (who, in which session, on which device, from where), hands over the token that was
presented, and keeps what the response has to carry. A shim makes one per request that has to do with stepup at all,
and adds ``visit.set_cookies()`` to the response. It is not shared between threads.

Callers with a bearer token have no cookies: their session is the token itself, by its hash. When they signed in is not
known, so nothing is fresh for them; an application whose tokens say so gives ``context_of=`` to its shim.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from stepup._engine.core import Core
from stepup.context import Actor, Context, Session
from stepup.decision import Decision, Outcome
from stepup.errors import Code, ConfigurationError, Denied, InvalidInput
from stepup.policy import BUNDLE
from stepup.surface import Surface

from .addresses import Network, client_ip
from .cookies import DEVICE_LIFE, CookieNames, Devices, device, read_cookies
from .http import WebRequest
from .origins import FromElsewhere, from_elsewhere
from .sessions import LIFE, Bound, Sessions

TOKEN_HEADER: Final = "stepup-token"  # noqa: S105 -- the name of a header
Rotate = Callable[[], str | Awaitable[str]]
TokenFrom = Callable[[WebRequest], str | None]
SurfaceOf = Callable[[WebRequest], "Surface | str | None"]


@dataclass(frozen=True, slots=True)
class Desk:
    """What visits are made with: the gate's core, its cookies, the proxies in front of it, where tokens are."""

    core: Core
    names: CookieNames
    sessions: Sessions
    devices: Devices
    proxies: tuple[Network, ...] = ()
    trusted: frozenset[str] = frozenset()
    token_from: TokenFrom | None = None
    surface_of: SurfaceOf | None = None


class Visit:
    """One request, by one person or nobody."""

    def __init__(
        self,
        desk: Desk,
        request: WebRequest,
        actor: Actor | None,
        *,
        organization: str | None = None,
        rotate: Callable[[], object] | None = None,
        whole: bool = False,
    ) -> None:
        """*rotate* is the application's own, called when the session gets its new id. *whole*: it gives contexts."""
        self._desk = desk
        self._asked = request
        self._cookies = read_cookies(request.headers.get("cookie", ""))
        self._organization = organization
        self._rotate_own = rotate
        self._to_set: dict[str, str] = {}
        self._carried = False
        self._bound: Bound | None = None
        self._whole = whole
        self._context = None if actor is None else self._identified(actor)

    @classmethod
    def of(cls, desk: Desk, request: WebRequest, context: Context, rotate: Rotate | None = None) -> Visit:
        """The visit of an application that knows its own context; stepup sets no cookie for it but the grant's and
        that of a remembered device.
        """
        visit = cls(desk, request, None, whole=True)
        trust = visit._cookies.get(desk.names.trust)
        if trust is not None and context.device_token is None and not request.bearer:
            context = replace(context, device_token=trust)
        visit._context = context
        visit._asked = replace(request, rotate=rotate)
        return visit

    @property
    def context(self) -> Context | None:
        """Who makes the request; None for nobody."""
        return self._context

    @property
    def known(self) -> Context:
        """Who makes the request, where it has to be somebody.

        Raises:
            Denied: ``login_required``, where nobody is signed in; ``bad_request`` for a request that changes something
                and comes from a page of another site.
        """
        if self._context is None:
            url = self._desk.core.login_url
            raise Denied(Decision(Outcome.DENIED, Code.LOGIN_REQUIRED, "", 0, login_url=url))
        if from_elsewhere(self._asked, trusted=self._desk.trusted):
            raise FromElsewhere
        return self._context

    @property
    def request(self) -> WebRequest:
        """The request, with who makes it and, for a session by cookie, how to renew it."""
        rotate = self.renew if self._bound is not None else self._asked.rotate
        keep = None if self._asked.bearer else self.keep_device
        return replace(self._asked, context=self._context, rotate=rotate, token=self._presented(), keep_device=keep)

    # -- the token ------------------------------------------------------------------

    def token(self, action: str) -> str | None:
        """The token presented for *action*: in the header, or by a form of this site in the grant's cookie.

        The cookie is taken by the post that it was made for and by no other request, and goes with it. Whether a
        bundle's is for *action* is for the gate to say.
        """
        given = self._presented()
        if given is not None:
            return given
        cookie = self._cookies.get(self._desk.names.grant)
        if cookie is None or self._asked.method != "POST" or not self._opens(cookie, action):
            return None
        if from_elsewhere(self._asked, form=True, trusted=self._desk.trusted):
            return None
        self._to_set[self._desk.names.grant] = self._desk.names.delete(self._desk.names.grant)
        return cookie

    def _presented(self) -> str | None:
        if self._desk.token_from is not None:
            return self._desk.token_from(self._asked)
        return self._asked.headers.get(TOKEN_HEADER)

    def _opens(self, cookie: str, action: str) -> bool:
        claims = self._desk.core.grants.read(cookie)
        own = None if claims is None else cast("Mapping[str, Any]", claims)["stepup"]
        return own is not None and own["act"] in {action, BUNDLE}

    def keep_device(self, token: str, seconds: int) -> None:
        """Keep a device token in the browser, where no script can read it; 0 seconds take it away."""
        names = self._desk.names
        self._to_set[names.trust] = names.set(names.trust, token, seconds)

    # -- signing in and out -----------------------------------------------------------

    def signed_in(self, actor: Actor | None, methods: Sequence[str]) -> None:
        """Somebody has just signed in, by *methods*: the session gets a new id and is fresh from now.

        Raises:
            InvalidInput: for nobody, a caller that is no browser, a method that is no name, or more than eight.
            ConfigurationError: where the application gives whole contexts, whose session says it itself.
        """
        if self._whole:
            raise ConfigurationError(
                "signed_in() is for user_of=.", remedy="With context_of=, put authenticated_at into the session."
            )
        if actor is None:
            raise InvalidInput("signed_in", "was told of nobody")
        if self._asked.bearer or self._surface() is not Surface.BROWSER:
            raise InvalidInput("signed_in", "a caller without a browser has no session that could be signed in to")
        self._bound = self._desk.sessions.signed_in(methods, self._desk.core.now())
        self._keep(actor)

    @property
    def leaving(self) -> Context | None:
        """Whose session ends when this browser signs out, even if the application has already forgotten who it was."""
        if self._context is not None or self._asked.bearer or self._whole:
            return self._context
        known = self._desk.sessions.whose(self._cookies.get(self._desk.names.session), self._desk.core.now())
        return None if known is None else self._made(known[0], known[1].session, None)

    def signed_out(self) -> None:
        """The session is over. Revoke it too: ``gate.revoke(context, session=True)``."""
        for name in (self._desk.names.session, self._desk.names.grant):
            self._to_set[name] = self._desk.names.delete(name)
        self._bound = self._context = None

    def renew(self) -> str | Awaitable[str]:
        """Give the session a new id, and return it, once the application has renewed its own.

        Signing in does not get any fresher by it.
        """
        own = self._rotate_own() if self._rotate_own is not None else None
        return self._renewed_after(own) if inspect.isawaitable(own) else self._renewed()

    async def _renewed_after(self, own: Awaitable[object]) -> str:
        await own
        return self._renewed()

    def _renewed(self) -> str:
        assert self._bound is not None  # the request offers rotation only then
        assert self._context is not None
        self._bound = self._desk.sessions.renewed(self._bound, self._desk.core.now())
        self._keep(self._context.actor)
        return self._bound.id

    def set_cookies(self) -> tuple[str, ...]:
        """The ``Set-Cookie`` headers that the response has to carry; each is handed out once."""
        made = tuple(self._to_set.values())
        self._to_set.clear()
        return made

    # -- who ----------------------------------------------------------------------------

    def _surface(self) -> Surface:
        """How the request came in, as the application says, or as it authenticates.

        Raises:
            InvalidInput: for a surface that there is not.
        """
        said = None if self._desk.surface_of is None else self._desk.surface_of(self._asked)
        if said is None:
            return Surface.BEARER if self._asked.bearer else Surface.BROWSER
        try:
            return Surface(said)
        except ValueError:
            raise InvalidInput("surface_of", f"must give one of {', '.join(Surface)}, or None") from None

    def _identified(self, actor: Actor) -> Context:
        if self._asked.bearer:
            return self._made(actor, Session(_token_session(self._asked.headers["authorization"])), None)
        if self._surface() is not Surface.BROWSER:
            return self._made(actor, None, None)  # a program: it has no session of a browser, and gets no cookie
        cookie = self._cookies.get(self._desk.names.session)
        self._bound = self._desk.sessions.read(cookie, actor, self._desk.core.now())
        if self._bound is None:
            self._bound = self._desk.sessions.fresh(self._desk.core.now())
            self._keep(actor)
        return self._made(actor, self._bound.session, self._device())

    def _keep(self, actor: Actor) -> None:
        """Set the session's cookie, and let the context be in that session from here on."""
        assert self._bound is not None
        names = self._desk.names
        written = self._desk.sessions.written(self._bound, actor)
        self._to_set[names.session] = names.set(names.session, written, int(LIFE.total_seconds()))
        self._context = self._made(actor, self._bound.session, self._device())

    def _device(self) -> str:
        names, now = self._desk.names, self._desk.core.now()
        known = self._desk.devices.read(self._cookies.get(names.device))
        if known is not None:
            return known
        made = self._desk.devices.fresh()
        written = self._desk.devices.written(made, now)
        self._cookies[names.device] = written
        self._to_set[names.device] = names.set(names.device, written, DEVICE_LIFE)
        return made

    def _made(self, actor: Actor, session: Session | None, fingerprint: str | None) -> Context:
        headers, user_agent = self._asked.headers, self._asked.headers.get("user-agent", "")
        return Context(
            actor,
            session=session,
            device=None if fingerprint is None else device(fingerprint, user_agent),
            organization=self._organization,
            ip=client_ip(self._asked.peer, headers.get("x-forwarded-for", ""), self._desk.proxies),
            user_agent=user_agent or None,
            locale=_locale(headers.get("accept-language", "")),
            device_token=None if fingerprint is None else self._cookies.get(self._desk.names.trust),
            surface=self._surface(),
        )


def _token_session(authorization: str) -> str:
    """The session of a bearer token: its hash, so that the token itself is nowhere in a context."""
    return hashlib.sha256(b"stepup bearer session\0" + authorization.partition(" ")[2].strip().encode()).hexdigest()


def _locale(accept_language: str) -> str | None:
    return accept_language.partition(",")[0].partition(";")[0].strip() or None
