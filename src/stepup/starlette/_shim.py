"""What the shims of Starlette and FastAPI have in common: visits kept with their connection, answers, refusals.

A shim says who makes a request (``visited``); the rest is here. One is shared by all requests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, cast

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler, Receive, Scope, Send
from starlette.websockets import WebSocket

from stepup._async import AsyncStepUp
from stepup._sync import StepUp
from stepup.errors import ConfigurationError, StepUpError
from stepup.web import WebRequest
from stepup.web.origins import FromElsewhere, from_elsewhere
from stepup.web.site import Site
from stepup.web.visits import Visit

from ._asgi import ACCEPTED, ROOTS, STATE, WEBSOCKET, VisitMiddleware, as_request, as_response, body_of, path_below
from ._gate import driven

ASKED: Final = "stepup.asked"
SITES: Final = "stepup_sites"
_POLICY_VIOLATION: Final = 1008
OrganizationOf = Callable[[HTTPConnection], str | None]
RotateOwn = Callable[[HTTPConnection], object]


class Shim:
    """A gate in an application."""

    def __init__(
        self, site: Site, *, in_context: bool, organization_of: OrganizationOf | None, rotate: RotateOwn | None
    ) -> None:
        """*in_context*: the application gives whole contexts, not users."""
        self.site = site
        self._in_context = in_context
        self._organization_of = organization_of
        self._rotate = rotate
        self._key = f"{site.prefix} {id(self)}"

    @property
    def engine(self) -> StepUp | AsyncStepUp:
        """The gate."""
        return self.site.gate

    def install(self, app: Starlette) -> None:
        """Add the cookies and the answers to blocked calls to *app*.

        Raises:
            ConfigurationError: where another gate has the address or the cookies already.
        """
        here: list[Site] = getattr(app.state, SITES, [])
        for other in here:
            self.site.require_apart(other)
        setattr(app.state, SITES, [*here, self.site])
        app.add_middleware(VisitMiddleware, key=self._key)
        app.add_exception_handler(StepUpError, cast("ExceptionHandler", self._refuse))

    # -- visits -------------------------------------------------------------------------

    def visit_of(self, connection: HTTPConnection) -> Visit | None:
        """The visit of this request, if there was one already.

        Raises:
            ConfigurationError: outside an application that the shim was given.
        """
        visits = self._visits(connection)
        connection.scope[ASKED] = self
        return visits.get(self._key)

    def visited(self, connection: HTTPConnection, who: object) -> Visit:
        """Keep the visit of *who*: a user, or where the application gives them, a context.

        Raises:
            Denied: ``bad_request``, for the handshake of a WebSocket that a page of another site makes.
        """
        request, rotate = self._request(connection), self._rotation(connection)
        if self._in_context:
            made = self.site.visit_in(request, who, rotate=cast("Callable[[], str] | None", rotate))
        else:
            organization = self._organization_of(connection) if self._organization_of is not None else None
            made = self.site.visit(request, who, organization=organization, rotate=rotate)
        if request.method == WEBSOCKET and from_elsewhere(made.request, trusted=self.site.protocol.trusted):
            raise FromElsewhere
        self._visits(connection)[self._key] = made
        return made

    def nobody(self, connection: HTTPConnection) -> Visit:
        """A visit of nobody, for what is the same for everybody; it is not kept."""
        request = self._request(connection)
        return self.site.visit_in(request, None) if self._in_context else self.site.visit(request, None)

    def anybody(self, connection: HTTPConnection) -> Visit:
        """The visit of this request, or where nobody was looked for, one of nobody."""
        known = self._visits(connection).get(self._key)
        if known is None:
            known = self._visits(connection)[self._key] = self.nobody(connection)
        return known

    def _request(self, connection: HTTPConnection) -> WebRequest:
        roots: dict[str, str] = connection.scope.get(ROOTS, {})
        return as_request(connection, roots.get(self._key, ""))

    def _rotation(self, connection: HTTPConnection) -> Callable[[], object] | None:
        own = self._rotate
        return None if own is None else lambda: own(connection)

    def _visits(self, connection: HTTPConnection) -> dict[str, Visit]:
        visits: dict[str, Visit] | None = connection.scope.get(STATE)
        if visits is None:
            raise ConfigurationError("This request passes no shim.", remedy="Call init_app(app) before it is served.")
        return visits

    # -- what is answered ---------------------------------------------------------------

    async def answer(self, request: Request, visit: Visit) -> Response:
        """The protocol's answer."""
        body, path = await body_of(request), path_below(request.scope, self.site.prefix)
        return as_response(await driven(self.engine, self.site.answer(visit, path, body)))

    async def _refuse(self, connection: HTTPConnection, error: Exception) -> Response | None:
        assert isinstance(error, StepUpError)  # it is registered for no other
        asked: Shim = connection.scope.get(ASKED, self)  # of two gates, the one that was asked answers
        made = as_response(asked.site.refusal(asked.anybody(connection), error))
        if not isinstance(connection, WebSocket):
            return made
        denial = "websocket.http.response" in (connection.scope.get("extensions") or {})
        if denial and not connection.scope[ACCEPTED]:  # its own state does not say: it may be another object
            await connection.send_denial_response(made)
        else:
            await connection.close(_POLICY_VIOLATION, str(error.code))
        return None


class Endpoint:
    """An ASGI application around *answer*: every method, every path."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)
