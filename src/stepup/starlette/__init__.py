"""Step-up authentication for Starlette: three lines guard an endpoint.

::

    step_up = StepUpStarlette(app, gate, user_of=lambda connection: connection.user)

    @step_up.guard("org.delete", resource=lambda org_id: Resource("organization", org_id))
    async def delete_org(request): ...

The shim owns the session binding, the device cookie, the protocol's address and the answers to blocked calls. It only
translates; what is decided is decided in ``stepup.web`` and the engine. Reading order: ``StepUpStarlette``, then
``_gate`` (the gate of one request), ``_guard`` (endpoints), ``_shim`` (what FastAPI's shares), ``_asgi`` (connections
and values).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, Unpack, cast

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stepup._async import AsyncStepUp
from stepup._sync import StepUp
from stepup.context import Context, Resource
from stepup.decision import Authorization
from stepup.errors import ConfigurationError
from stepup.policy import Params
from stepup.web.site import Site, SiteOptions
from stepup.web.visits import Visit

from ._asgi import path_below
from ._gate import Gate, SyncGate, require_sync
from ._guard import Part, guarded, params_of, resource_of, uses_of, uses_part
from ._shim import Endpoint, OrganizationOf, RotateOwn, Shim

E = TypeVar("E", bound=Callable[..., Any])
Hook = Callable[[HTTPConnection], object]

__all__ = ["Gate", "StepUpStarlette", "SyncGate"]


class StepUpStarlette:
    """A gate in a Starlette application. Shared by all requests.

    Args:
        app: the application; or None, and ``init_app`` later.
        gate: an ``AsyncStepUp``, or a ``StepUp``, whose work is done in worker threads.
        user_of: who is signed in on a connection: an ``Actor``, a user object, or None; it may be async, and runs on
            the event loop.
        context_of: in place of ``user_of``, the whole ``Context``; stepup then keeps no session binding of its own.
        organization_of: the organization that the connection acts in.
        rotate: the application's own renewal of its session, called when a step-up renews ours; async only with an
            ``AsyncStepUp``. With ``context_of`` it returns the new session id.
        options: see ``stepup.web.site.SiteOptions``.

    Raises:
        ConfigurationError: naming the argument and the remedy.
    """

    def __init__(
        self,
        app: Starlette | None = None,
        gate: StepUp | AsyncStepUp | None = None,
        *,
        user_of: Hook | None = None,
        context_of: Hook | None = None,
        organization_of: OrganizationOf | None = None,
        rotate: RotateOwn | None = None,
        **options: Unpack[SiteOptions],
    ) -> None:
        self._who = one_of(user_of, context_of)
        site = Site(given(gate), **options)
        in_context = context_of is not None
        self._shim = Shim(site, in_context=in_context, organization_of=organization_of, rotate=rotate)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Starlette) -> None:
        """Add the protocol's routes, the cookies and the answers to blocked calls to *app*.

        Raises:
            ConfigurationError: for an application of FastAPI, whose decorators would register what a guard stands on;
                where another gate has the address or the cookies already.
        """
        if type(app).__module__.partition(".")[0] == "fastapi":
            raise ConfigurationError("StepUpStarlette was given a FastAPI.", remedy="Use stepup.fastapi.StepUpFastAPI.")
        self._shim.install(app)
        app.router.routes[:0] = self.routes

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The protocol's routes, for an application that puts its routes together itself."""
        prefix, endpoint = self._shim.site.prefix, Endpoint(self._answer)
        return (
            Route(prefix, endpoint, name="stepup", include_in_schema=False),
            Route(f"{prefix}/{{path:path}}", endpoint, name="stepup.calls", include_in_schema=False),
        )

    # -- in endpoints -----------------------------------------------------------------

    def guard(
        self,
        action: str,
        *,
        resource: Resource | Callable[..., object] | None = None,
        params: Params | Callable[..., object] | None = None,
        uses: int | Callable[..., object] | None = None,
    ) -> Callable[[E], E]:
        """Guard an endpoint, of HTTP or of a WebSocket: ``require`` runs before it.

        ``resource``, ``params`` and ``uses`` are values, or functions, async ones too, that are given parameters of the
        path by name, or ``connection``. Put the guard below the permission check. A blocked handshake is refused.

        Raises:
            UnknownAction: when decorating, for an action nobody registered.
            ConfigurationError: when decorating, for functions that cannot be called so.
            InvalidInput: when decorating, for ``uses`` that are no number of uses.
        """
        self._shim.engine.core.registry.action(action)
        parts, number = (Part("resource", resource), Part("params", params)), uses_part(uses)

        async def before(connection: HTTPConnection) -> None:
            about, with_what = await resource_of(parts[0], connection), await params_of(parts[1], connection)
            often = await uses_of(number, connection)
            await self.require(connection, action, resource=about, params=with_what, uses=often)

        def decorate(endpoint: E) -> E:
            return cast("E", guarded(endpoint, before))

        return decorate

    async def require(
        self,
        connection: HTTPConnection,
        action: str,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        request_id: str | None = None,
        within: object = None,
        uses: int | None = None,
    ) -> Authorization:
        """Let the call pass or raise; see ``Gate.require``."""
        step = await self.gate(connection)
        return await step.require(
            action, resource=resource, params=params, request_id=request_id, within=within, uses=uses
        )

    async def gate(self, connection: HTTPConnection) -> Gate:
        """The gate for this request."""
        return Gate(self._shim.engine, await self._visit(connection))

    async def sync_gate(self, connection: HTTPConnection) -> SyncGate:
        """The gate for this request, to hand to a plain function.

        Raises:
            WrongColour: for an async gate.
        """
        return SyncGate(require_sync(self._shim.engine), await self._visit(connection))

    async def context(self, connection: HTTPConnection) -> Context | None:
        """Who makes the request; None for nobody."""
        return (await self._visit(connection)).context

    async def signed_in(self, connection: HTTPConnection, user: object, *methods: str) -> None:
        """Tell that *user* has just signed in; see ``Gate.signed_in``."""
        visit = self._shim.visit_of(connection) or self._shim.visited(connection, None)
        await Gate(self._shim.engine, visit).signed_in(user, *methods)

    async def signed_out(self, connection: HTTPConnection) -> None:
        """Tell that the person signs out; see ``Gate.signed_out``."""
        await (await self.gate(connection)).signed_out()

    # -- who ----------------------------------------------------------------------------

    async def _visit(self, connection: HTTPConnection) -> Visit:
        """What is known of this request; looked for once."""
        known = self._shim.visit_of(connection)
        if known is not None:
            return known
        found = self._who(connection)
        return self._shim.visited(connection, await found if inspect.isawaitable(found) else found)

    async def _answer(self, request: Request) -> Response:
        public = self._shim.site.public(path_below(request.scope, self._shim.site.prefix))
        visit = self._shim.nobody(request) if public else await self._visit(request)
        return await self._shim.answer(request, visit)


def given(gate: StepUp | AsyncStepUp | None) -> StepUp | AsyncStepUp:
    """*gate*.

    Raises:
        ConfigurationError: if it is none.
    """
    if not isinstance(gate, StepUp | AsyncStepUp):
        raise ConfigurationError("gate= is missing.", remedy="Pass a StepUp or an AsyncStepUp.")
    return gate


def one_of(user_of: Callable[..., object] | None, context_of: Callable[..., object] | None) -> Callable[..., object]:
    """The one that was given.

    Raises:
        ConfigurationError: for none, or both.
    """
    if user_of is not None and context_of is None:
        return user_of
    if context_of is not None and user_of is None:
        return context_of
    raise ConfigurationError("Exactly one of user_of= and context_of= is needed.", remedy="Pass user_of=.")
