"""``Gate`` and ``SyncGate``: the gate as one request sees it. ``require`` needs no context and no token: both are here.

``Gate`` is awaited, and works for gates of both colours: a sync one runs in a worker thread, so that neither its
database nor Argon2 stops the event loop. ``SyncGate`` is for plain functions, which the framework runs in a thread
already; it takes sync gates only.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from stepup._async import AsyncStepUp
from stepup._bridge import run_sync
from stepup._engine import authorize, bundle, signals
from stepup._sync import StepUp
from stepup.bundle import Item
from stepup.context import Context, Resource
from stepup.decide.signal import Signal, SignalWord
from stepup.decision import Authorization, Decision
from stepup.errors import InvalidInput, WrongColour
from stepup.policy import BUNDLE, Params
from stepup.web.people import actor_of
from stepup.web.visits import Visit

T = TypeVar("T")
_THREADS: Final = min(32, (os.cpu_count() or 1) + 4)
"""As many as asyncio's own pool has. More threads of Argon2 than this keep the loop's thread from its turn."""

_limiter: RunVar[CapacityLimiter] = RunVar("stepup.threads")


async def driven(gate: StepUp | AsyncStepUp, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of an engine's coroutine: awaited, or for a sync gate run in a worker thread."""
    if isinstance(gate, AsyncStepUp):
        return await work
    return await anyio.to_thread.run_sync(run_sync, work, limiter=_threads())


def _threads() -> CapacityLimiter:
    """What keeps the worker threads of this event loop few."""
    try:
        return _limiter.get()
    except LookupError:
        made = CapacityLimiter(_THREADS)
        _limiter.set(made)
        return made


class Gate:
    """The gate, for one request."""

    def __init__(self, gate: StepUp | AsyncStepUp, visit: Visit) -> None:
        self._gate = gate
        self._visit = visit

    @property
    def context(self) -> Context | None:
        """Who makes the request; None for nobody."""
        return self._visit.context

    async def require(
        self,
        action: str,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        request_id: str | None = None,
        within: object = None,
        uses: int | None = None,
    ) -> Authorization:
        """Let the call pass or raise, as ``AsyncStepUp.require`` does; the shim answers what is raised.

        Call it after the permission check and the validation of input, as close to the mutation as possible.

        Raises:
            StepUpRequired, Denied: the call is blocked; Denied also where nobody is signed in.
            UnknownAction, InvalidInput, StoreUnavailable: as ``AsyncStepUp.require``.
        """
        context, token = self._visit.known, self._visit.token(action)
        asked = authorize.require(self._gate.core, action, context, resource, params, token, request_id, within, uses)
        return await driven(self._gate, asked)

    async def require_bundle(
        self, items: Iterable[Item], *, request_id: str | None = None, within: object = None
    ) -> tuple[Authorization, ...]:
        """Let several calls pass together, each once, or raise, as ``AsyncStepUp.require_bundle`` does.

        Raises:
            StepUpRequired, Denied: the calls are blocked; Denied also where nobody is signed in.
            UnknownAction, InvalidInput, StoreUnavailable: as ``AsyncStepUp.require_bundle``.
        """
        context, token = self._visit.known, self._visit.token(BUNDLE)
        asked = bundle.require_bundle(self._gate.core, items, context, token, request_id, within)
        return await driven(self._gate, asked)

    async def check_bundle(self, items: Iterable[Item]) -> Decision:
        """Decide about several calls, with the token that came along, and spend nothing.

        Raises:
            Denied: where nobody is signed in.
        """
        asked = bundle.check_bundle(self._gate.core, items, self._visit.known, self._visit.token(BUNDLE))
        return await driven(self._gate, asked)

    async def check(self, action: str, *, resource: Resource | None = None, params: Params | None = None) -> Decision:
        """Decide without spending or recording anything. It is advice: only ``require`` lets an action run.

        Raises:
            Denied: where nobody is signed in.
        """
        asked = authorize.check(self._gate.core, action, self._visit.known, resource, params, None)
        return await driven(self._gate, asked)

    async def signed_in(self, user: object, *methods: str) -> None:
        """Tell that *user* has just signed in, by *methods*: the session gets a new id and is fresh from now.

        Raises:
            InvalidInput: for nobody, or a method that is no name.
        """
        _sign_in(self._visit, user, methods)

    async def signed_out(self) -> None:
        """Tell that the person signs out: what was opened in the session ends before this returns.

        Raises:
            StoreUnavailable: if the outcome is not known; the cookies are taken away all the same.
        """
        context = self._visit.leaving
        self._visit.signed_out()
        if context is not None and context.session is not None:
            await driven(self._gate, signals.signal(self._gate.core, context, Signal.LOGGED_OUT, None, None))

    async def signal(self, signal: Signal | SignalWord) -> None:
        """Tell what has happened to whoever makes the request; see ``AsyncStepUp.signal``.

        Raises:
            InvalidInput: for a word that is no signal, or where nobody is signed in.
            StoreUnavailable: if the outcome is not known.
        """
        await driven(self._gate, signals.signal(self._gate.core, _about(self._visit), signal, None, None))


class SyncGate:
    """The gate, for one request served by a plain function. For sync gates."""

    def __init__(self, gate: StepUp, visit: Visit) -> None:
        self._gate = gate
        self._visit = visit

    @property
    def context(self) -> Context | None:
        """Who makes the request; None for nobody."""
        return self._visit.context

    def require(
        self,
        action: str,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        request_id: str | None = None,
        within: object = None,
        uses: int | None = None,
    ) -> Authorization:
        """Let the call pass or raise; see ``Gate.require``."""
        return self._gate.require(
            action,
            self._visit.known,
            resource=resource,
            params=params,
            token=self._visit.token(action),
            request_id=request_id,
            within=within,
            uses=uses,
        )

    def require_bundle(
        self, items: Iterable[Item], *, request_id: str | None = None, within: object = None
    ) -> tuple[Authorization, ...]:
        """Let several calls pass together or raise; see ``Gate.require_bundle``."""
        context, token = self._visit.known, self._visit.token(BUNDLE)
        return self._gate.require_bundle(items, context, token=token, request_id=request_id, within=within)

    def check_bundle(self, items: Iterable[Item]) -> Decision:
        """Decide about several calls, and spend nothing; see ``Gate.check_bundle``."""
        return self._gate.check_bundle(items, self._visit.known, token=self._visit.token(BUNDLE))

    def check(self, action: str, *, resource: Resource | None = None, params: Params | None = None) -> Decision:
        """Decide without spending or recording anything; see ``Gate.check``."""
        return self._gate.check(action, self._visit.known, resource=resource, params=params)

    def signed_in(self, user: object, *methods: str) -> None:
        """Tell that *user* has just signed in; see ``Gate.signed_in``."""
        _sign_in(self._visit, user, methods)

    def signed_out(self) -> None:
        """Tell that the person signs out; see ``Gate.signed_out``."""
        context = self._visit.leaving
        self._visit.signed_out()
        if context is not None and context.session is not None:
            self._gate.signal(context, Signal.LOGGED_OUT)

    def signal(self, signal: Signal | SignalWord) -> None:
        """Tell what has happened to whoever makes the request; see ``Gate.signal``."""
        self._gate.signal(_about(self._visit), signal)


def _about(visit: Visit) -> Context:
    """Whom a signal is about.

    Raises:
        InvalidInput: for nobody.
    """
    context = visit.leaving
    if context is None:
        raise InvalidInput("signal", "was told of nobody", remedy="Use the signal() of the gate itself.")
    return context


def require_sync(gate: StepUp | AsyncStepUp) -> StepUp:
    """*gate*, if a plain function can use it.

    Raises:
        WrongColour: for an async gate.
    """
    if isinstance(gate, AsyncStepUp):
        raise WrongColour("A plain function cannot use an AsyncStepUp.", remedy="Use StepUp, or make it async def.")
    return gate


def _sign_in(visit: Visit, user: object, methods: tuple[str, ...]) -> None:
    visit.signed_in(actor_of(user), methods)
