"""The one idea that makes two faces of one engine: a coroutine whose ports never suspend can be run by
a single ``send(None)``, with no event loop.

- ``run_sync`` drives such a coroutine.
- ``inline_call`` and ``offloading_call`` call a hook of either colour (``ports.Call``).
- ``Inline...`` and ``Offloaded...`` wrap sync ports for the engine, which only knows async ones.
- ``refuse_async`` is half of the fail-open guard: an async verifier on the sync face would return a
  coroutine, which is truthy. The other half is that nothing a port returns is ever used for its truth.

Neither asyncio nor any other loop is imported before a sync port is used on the async face.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

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

T = TypeVar("T")
STORE_METHODS = ("load", "apply", "list", "events", "purge")
VERIFIER_METHODS = ("enrolled", "begin", "check")
Offload = Callable[..., Awaitable[Any]]


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run *coroutine* to its end without an event loop.

    Raises:
        WrongColour: if it suspends, which means that an async port was given to the sync face.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    finally:
        coroutine.close()
    raise WrongColour("An async port was given to the sync face.", remedy="Use AsyncStepUp.")


def is_async(function: object) -> bool:
    """Whether calling *function* makes a coroutine; looks through partials and callable objects."""
    while isinstance(function, functools.partial):
        function = cast("functools.partial[object]", function).func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004 -- not whether it is, but how
    )


def is_async_generator(function: object) -> bool:
    """Whether calling *function* makes an async generator."""
    return inspect.isasyncgenfunction(function)


def settled(result: T | Awaitable[T], name: str) -> T:
    """*result*, unless it is an awaitable, which the sync face refuses.

    Raises:
        WrongColour: naming the port.
    """
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise WrongColour(f"{name} returned an awaitable on the sync face.", remedy="Use AsyncStepUp.")
    return result


def refuse_async(name: str, port: object, methods: Sequence[str] = ()) -> None:
    """Refuse a port, or a hook, that is async where only sync ones can work.

    Raises:
        WrongColour: naming the port and method.
    """
    for method in methods:
        if is_async(getattr(port, method, None)):
            raise WrongColour(f"{name}.{method} is async.", remedy="Use AsyncStepUp.")
    if not methods and is_async(port):
        raise WrongColour(f"{name} is async.", remedy="Use AsyncStepUp.")


def require_methods(name: str, port: object, methods: Sequence[str]) -> None:
    """Refuse a port that lacks part of its protocol.

    Raises:
        ConfigurationError: naming what is missing.
    """
    if inspect.isclass(port):
        raise ConfigurationError(
            f"{name} is the class {port.__name__}.", remedy=f"Pass an instance: {port.__name__}(...)."
        )
    missing = [method for method in methods if not callable(getattr(port, method, None))]
    if missing:
        raise ConfigurationError(f"{name} ({type(port).__name__}) has no {', '.join(missing)}().")


def require_extra(what: str, package: str, extra: str) -> None:
    """Refuse what stands on a package that is not installed.

    Raises:
        ConfigurationError: naming the extra that brings it.
    """
    try:
        importlib.import_module(package)
    except ImportError:
        raise ConfigurationError(
            f"{what} needs the package {package}.", remedy=f"pip install 'stepup-auth[{extra}]'"
        ) from None


def several(name: str, given: Iterable[T]) -> Sequence[T]:
    """What is passed as a list, read once.

    Raises:
        ConfigurationError: for one thing without its brackets.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise ConfigurationError(f"{name}= is a {type(given).__name__}, not a list.", remedy=f"Write {name}=[...].")
    return tuple(given)


def sync_hook(name: str, hook: Callable[[], object] | None) -> Callable[[], object] | None:
    """*hook*, refusing an awaitable result.

    Raises:
        WrongColour: at once, if it is an async function.
    """
    if hook is None:
        return None
    refuse_async(name, hook)
    return lambda: settled(hook(), name)


# -- calling hooks ----------------------------------------------------------------


async def inline_call(function: Callable[..., T | Awaitable[T]], /, *args: object) -> T:
    """Call *function* in place; an awaitable result is refused."""
    return settled(function(*args), getattr(function, "__qualname__", type(function).__name__))


def offloading_call(offload: Offload | None = None) -> Call:
    """A ``Call`` for the async face: async functions are awaited, sync ones run in a worker thread.

    *offload* replaces ``asyncio.to_thread``, for other event loops.
    """

    async def call(function: Callable[..., T | Awaitable[T]], /, *args: object) -> T:
        if is_async(function):
            return await cast(Awaitable[T], function(*args))
        result = cast("T | Awaitable[T]", await (offload or _to_thread)(_without_stop_iteration, function, *args))
        return await cast("Awaitable[T]", result) if inspect.isawaitable(result) else result

    return call


async def _to_thread(function: Callable[..., T], *args: object) -> T:
    import asyncio

    return await asyncio.to_thread(function, *args)


def _without_stop_iteration(function: Callable[..., T], *args: object) -> T:
    """Call *function*; a future cannot carry a StopIteration, so one would leave its awaiter waiting for ever."""
    try:
        return function(*args)
    except StopIteration as error:
        raise RuntimeError(f"{getattr(function, '__qualname__', 'A hook')} raised StopIteration.") from error


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
