"""Ports of either colour, wrapped for the engine, which only knows async ones: assessors, stores, verifiers.

Each face has its own way in (``sync_...``, ``async_...``), which refuses what would not work on it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, cast

from ._bridge import inline_call, is_async, refuse_async, require_methods, run_sync
from .challenge import Challenge
from .changes import Applied, Changes, Key, Lost, Page, Partition, Record
from .context import Actor, Context, RiskAssessment
from .errors import ConfigurationError, InvalidInput, WrongColour
from .event import Event
from .factor import Factor
from .ports import (
    AsyncRiskAssessor,
    AsyncStore,
    AsyncVerifier,
    Begun,
    Call,
    Ceremony,
    Checked,
    HistoryAssessor,
    Joined,
    Portable,
    RiskAssessor,
    State,
    Store,
    Stored,
    Verifier,
)

STORE_METHODS = ("load", "apply", "list", "events", "purge")
VERIFIER_METHODS = ("enrolled", "begin", "check")


# -- assessors ----------------------------------------------------------------------


def called_assessor(assess: RiskAssessor | AsyncRiskAssessor, call: Call) -> AsyncRiskAssessor:
    """A risk assessor of either colour for the engine."""

    async def assessed(context: Context, action: str, /) -> RiskAssessment:
        return await call(assess, context, action)

    return assessed


def sync_assessor(
    risk: RiskAssessor | HistoryAssessor | None,
) -> AsyncRiskAssessor | HistoryAssessor | None:
    """The gate's assessor for the sync face.

    Raises:
        ConfigurationError: for a class, where an object of it is meant, or an async ``assess``.
        WrongColour: for an async assessor, or an async ``country_of``.
    """
    if (watch := _watching(risk)) is not None:
        if watch.country_of is not None:
            refuse_async("country_of", watch.country_of)
        return watch
    if risk is None:
        return None
    refuse_async("risk", risk)
    return called_assessor(cast("RiskAssessor", risk), inline_call)


def async_assessor(
    risk: RiskAssessor | AsyncRiskAssessor | HistoryAssessor | None, call: Call
) -> AsyncRiskAssessor | HistoryAssessor | None:
    """The gate's assessor for the async face. Raises ConfigurationError as ``sync_assessor``."""
    if (watch := _watching(risk)) is not None:
        return watch
    return None if risk is None else called_assessor(cast("RiskAssessor | AsyncRiskAssessor", risk), call)


def _watching(risk: object) -> HistoryAssessor | None:
    if not isinstance(risk, HistoryAssessor):
        return None
    if inspect.isclass(risk):
        name = cast("type", risk).__name__
        raise ConfigurationError(f"risk= is the class {name}.", remedy=f"Pass {name}(...).")
    if is_async(risk.assess):
        raise ConfigurationError(f"{type(risk).__name__}.assess is async.", remedy="It only computes: no async.")
    return risk


# -- stores ------------------------------------------------------------------------


class _SyncJoined(Protocol):
    """What ``joined(connection)`` of a sync store answers."""

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]: ...

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost: ...

    def afterwards(self, work: Callable[[bool], object]) -> None: ...


class InlineJoined:
    """A sync store inside a transaction of the caller's, for the engine."""

    def __init__(self, inner: _SyncJoined) -> None:
        self._inner = inner

    async def prepare(self) -> None:
        """As ``Joined.prepare``; a sync store looks at the connection when it is given one."""

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``Joined.load``."""
        return self._inner.load(partition, keys)

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``Joined.apply``."""
        return self._inner.apply(partition, changes)

    def afterwards(self, work: Callable[[bool], Awaitable[object]]) -> None:
        """As ``Joined.afterwards``."""

        async def awaited(committed: bool) -> object:
            return await work(committed)

        self._inner.afterwards(lambda committed: run_sync(awaited(committed)))


def joined(store: AsyncStore, connection: object) -> Joined:
    """*store* inside the transaction of *connection*.

    Raises:
        InvalidInput: if the store cannot join one, or not this one.
    """
    inner: object = store.inner if isinstance(store, InlineStore) else store
    join = getattr(inner, "joined", None)
    if not callable(join):
        raise InvalidInput(
            "within",
            f"needs a store that stands in the application's own database, which {type(inner).__name__} does not",
            remedy="Use SQLStore or AsyncSQLStore, on the database that the action writes to.",
        )
    made = join(connection)
    return InlineJoined(cast(_SyncJoined, made)) if isinstance(store, InlineStore) else cast(Joined, made)


class InlineStore:
    """A sync store for the engine."""

    def __init__(self, inner: Store) -> None:
        require_methods("store", inner, STORE_METHODS)
        refuse_async("store", inner, STORE_METHODS)
        self._inner = inner

    @property
    def inner(self) -> Store:
        """The store itself."""
        return self._inner

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``Store.load``."""
        return self._inner.load(partition, keys)

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``Store.apply``."""
        return self._inner.apply(partition, changes)

    async def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        """As ``Store.list``."""
        return self._inner.list(tag, after=after, limit=limit)

    async def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        """As ``Store.events``."""
        return self._inner.events(partition, after=after, limit=limit)

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        """As ``Store.purge``."""
        return self._inner.purge(before, limit=limit)


def async_store(store: object) -> AsyncStore:
    """*store* if it is async.

    Raises:
        WrongColour: if it is sync; a blocking store would stop the event loop.
    """
    require_methods("store", store, STORE_METHODS)
    for method in STORE_METHODS:
        if not is_async(getattr(store, method)):
            raise WrongColour(f"store.{method} is sync.", remedy="Use StepUp, or the store's async twin.")
    return cast(AsyncStore, store)


# -- verifiers ---------------------------------------------------------------------


class CalledVerifier:
    """A sync verifier for the engine, each method through a ``Call``."""

    def __init__(self, inner: Verifier, call: Call) -> None:
        self._inner = inner
        self._call = call
        self.method = inner.method
        self.strength = inner.strength
        self.amr = inner.amr
        self.phishing_resistant = inner.phishing_resistant
        self.points = inner.points
        self.prepares = inner.prepares

    async def enrolled(self, actor: Actor, /) -> Sequence[Factor] | Stored:
        """As ``Verifier.enrolled``."""
        return await self._call(self._inner.enrolled, actor)

    async def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:
        """As ``Verifier.begin``."""
        return await self._call(self._inner.begin, challenge, context)

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        """As ``Verifier.check``."""
        return await self._call(self._inner.check, state, response, context)


def sync_verifier(verifier: object) -> AsyncVerifier:
    """*verifier* for the sync face.

    Raises:
        WrongColour: if it, or one of its hooks, is async.
    """
    if isinstance(verifier, Portable) and not inspect.isclass(verifier):
        for name, hook in verifier.hooks.items():
            refuse_async(f"{type(verifier).__name__}({name}=...)", hook)
        return verifier.bind(inline_call)
    require_methods("A verifier", verifier, VERIFIER_METHODS)
    refuse_async(type(verifier).__name__, verifier, VERIFIER_METHODS)
    return CalledVerifier(cast(Verifier, verifier), inline_call)


def async_verifier(verifier: object, call: Call) -> AsyncVerifier:
    """*verifier* for the async face; sync work goes through *call*."""
    if isinstance(verifier, Portable) and not inspect.isclass(verifier):
        return verifier.bind(call)
    require_methods("A verifier", verifier, VERIFIER_METHODS)
    colours = {is_async(getattr(verifier, method)) for method in VERIFIER_METHODS}
    if len(colours) != 1:
        raise WrongColour(f"{type(verifier).__name__} is partly async.", remedy="Make all its methods async, or none.")
    return cast(AsyncVerifier, verifier) if colours == {True} else CalledVerifier(cast(Verifier, verifier), call)
