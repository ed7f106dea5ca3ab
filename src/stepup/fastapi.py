"""Step-up authentication for FastAPI: ask for proof after the body was validated, or before anything is bound.

::

    fast = StepUpFastAPI(app, gate, user_of=current_user)      # current_user is a dependency of yours
    Step = Annotated[Gate, Depends(fast.gate)]

    @app.post("/payouts")
    async def pay(body: Payout, step: Step):
        await step.require("payout.create", params=body.model_dump())

    @app.delete("/orgs/{org_id}", dependencies=[fast.guard("org.delete", resource=lambda org_id: ...)])

It is the Starlette shim in FastAPI's ways: ``user_of`` and ``context_of`` are dependencies, so what they depend on
works and ``app.dependency_overrides`` replaces them in tests. Routes that depend on the gate say in the OpenAPI
document that they take the token, and how a blocked call is answered.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator
from typing import Annotated, Any, Final, Unpack, cast

from fastapi import APIRouter, Depends, FastAPI, Header
from fastapi.params import Depends as Dependency
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from stepup._async import AsyncStepUp
from stepup._sync import StepUp
from stepup.context import Resource
from stepup.policy import Params
from stepup.starlette import Gate, SyncGate, given, one_of
from stepup.starlette._gate import require_sync
from stepup.starlette._guard import Part, params_of, resource_of, uses_of, uses_part
from stepup.starlette._shim import Endpoint, OrganizationOf, RotateOwn, Shim
from stepup.web.problems import PROBLEM_JSON
from stepup.web.site import Site, SiteOptions
from stepup.web.visits import Visit

__all__ = ["Gate", "StepUpFastAPI", "SyncGate"]

TOKEN_HEADER: Final = "StepUp-Token"  # noqa: S105 -- the name of a header
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {
            PROBLEM_JSON: {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status", "code"],
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "code": {"type": "string"},
                        "methods": {"type": "array", "items": {"type": "string"}},
                        "offer": {"type": "string"},
                    },
                }
            }
        },
    }
    for status, description in (
        (401, "Fresh proof is needed (RFC 9470), or nobody is signed in"),
        (403, "Fresh proof is needed, or the call is not possible"),
        (429, "Too many attempts"),
        (503, "Not possible at the moment"),
    )
}
"""How a blocked call is answered (RFC 9457), for ``responses=`` of a route; filled in for those that take the token."""

_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_TOLD: Final = Annotated[str | None, Header(alias=TOKEN_HEADER, description="What a finished step-up gave.")]
_NONE: Final = inspect.Parameter.empty
_DEFAULTS: Final[dict[str, object]] = {"stepup_token": None}
_PUBLIC: Final = ("/openapi.json", "/ceremony/done", "/problems/{code}", "/static/{name:path}")


class StepUpFastAPI:
    """A gate in a FastAPI application. Shared by all requests.

    Args:
        app: the application; or None, and ``init_app`` later.
        gate: an ``AsyncStepUp``, or a ``StepUp``, whose work is done in worker threads.
        user_of: a dependency that gives who is signed in: an ``Actor``, a user object, or None.
        context_of: in place of ``user_of``, a dependency that gives the whole ``Context``.
        organization_of, rotate, options: as for ``StepUpStarlette``.

    Attributes:
        gate: a dependency, which gives the ``Gate`` of the request.
        sync_gate: the same for ``def`` routes and a sync gate: a ``SyncGate``.
        router: the protocol's routes; ``init_app`` includes them.

    Raises:
        ConfigurationError: naming the argument and the remedy.
    """

    def __init__(
        self,
        app: FastAPI | None = None,
        gate: StepUp | AsyncStepUp | None = None,
        *,
        user_of: Callable[..., object] | None = None,
        context_of: Callable[..., object] | None = None,
        organization_of: OrganizationOf | None = None,
        rotate: RotateOwn | None = None,
        **options: Unpack[SiteOptions],
    ) -> None:
        who, engine = one_of(user_of, context_of), given(gate)
        site = Site(engine, **options)
        self._shim = Shim(site, in_context=context_of is not None, organization_of=organization_of, rotate=rotate)
        told = options.get("token_from") is None

        async def the_gate(connection: HTTPConnection, who: object, **_: object) -> Gate:
            return Gate(engine, self._visit(connection, who))

        async def the_sync_gate(connection: HTTPConnection, who: object, **_: object) -> SyncGate:
            return SyncGate(require_sync(engine), self._visit(connection, who))

        async def answer(request: Request, who: object) -> Response:
            return await self._shim.answer(request, self._visit(request, who))

        self.gate: Callable[..., Coroutine[Any, Any, Gate]] = _asking(the_gate, who, told=told)
        self.sync_gate: Callable[..., Coroutine[Any, Any, SyncGate]] = _asking(the_sync_gate, who, told=told)
        self.router = self._routed(_asking(answer, who, request=True))
        if app is not None:
            self.init_app(app)

    def init_app(self, app: FastAPI) -> None:
        """Add the protocol's routes, the cookies, the answers to blocked calls and their description to *app*.

        Raises:
            ConfigurationError: where another gate has the address or the cookies already.
        """
        self._shim.install(app)
        app.include_router(self.router)
        described = app.openapi

        def openapi() -> dict[str, Any]:
            document = described()
            for operation in _operations(document):
                for status, response in RESPONSES.items():
                    operation["responses"].setdefault(str(status), response)
            return document

        vars(app)["openapi"] = openapi  # FastAPI's own way to change the document

    def guard(
        self,
        action: str,
        *,
        resource: Resource | Callable[..., object] | None = None,
        params: Params | Callable[..., object] | None = None,
        uses: int | Callable[..., object] | None = None,
    ) -> Dependency:
        """A dependency for ``dependencies=[...]`` of a route or router: ``require`` before the body is looked at.

        ``resource``, ``params`` and ``uses`` are values, or functions that are given parameters of the path by name, or
        ``connection``. A body that turns out to be wrong afterwards has cost a proof: where the body matters, take the
        gate and call ``require`` in the route.

        Raises:
            UnknownAction: at once, for an action nobody registered.
            ConfigurationError: at once, for functions that cannot be called so.
            InvalidInput: at once, for ``uses`` that are no number of uses.
        """
        self._shim.engine.core.registry.action(action)
        about, with_what, number = Part("resource", resource), Part("params", params), uses_part(uses)

        async def guard(connection: HTTPConnection, step: Gate) -> None:
            found = await resource_of(about, connection), await params_of(with_what, connection)
            await step.require(action, resource=found[0], params=found[1], uses=await uses_of(number, connection))

        _sign(guard, connection=HTTPConnection, step=Annotated[Gate, Depends(self.gate)])
        return cast("Dependency", Depends(guard))

    def _visit(self, connection: HTTPConnection, who: object) -> Visit:
        return self._shim.visit_of(connection) or self._shim.visited(connection, who)

    def _routed(self, answer: Callable[..., Coroutine[Any, Any, Response]]) -> APIRouter:
        """The protocol's routes: for nobody in particular, for whoever is signed in, and for methods nobody knows."""

        async def anybody(request: Request) -> Response:
            return await self._shim.answer(request, self._shim.anybody(request))

        async def nobody(request: Request) -> Response:
            return await self._shim.answer(request, self._shim.nobody(request))

        router, prefix = APIRouter(include_in_schema=False), self._shim.site.prefix
        for path in _PUBLIC:
            router.add_api_route(prefix + path, nobody, methods=_METHODS, response_model=None)
        for path in ("", "/{path:path}"):
            router.add_api_route(prefix + path, answer, methods=_METHODS, response_model=None)
            router.routes.append(Route(prefix + path, Endpoint(anybody), include_in_schema=False))
        return router


def _asking(function: Callable[..., Any], who: Callable[..., object], **more: bool) -> Callable[..., Any]:
    """*function* as a dependency that depends on *who*, and tells of the token's header if that is where it is."""
    first = {"request": Request} if more.get("request") else {"connection": HTTPConnection}
    header = {"stepup_token": _TOLD} if more.get("told") else {}
    _sign(function, **first, who=Annotated[object, Depends(who)], **header)
    return function


def _sign(function: Callable[..., Any], **parameters: object) -> None:
    """Give *function* the signature that FastAPI reads; what is asked for is known only now."""
    made = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=_DEFAULTS.get(name, _NONE))
        for name, kind in parameters.items()
    ]
    vars(function)["__signature__"] = inspect.Signature(made)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The operations that take the token."""
    for path in document.get("paths", {}).values():
        for operation in path.values():
            parameters: list[dict[str, Any]] = operation.get("parameters", [])
            if any(one.get("name") == TOKEN_HEADER for one in parameters):
                yield operation
