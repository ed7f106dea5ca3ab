"""The one idea that makes two faces of one engine: a coroutine whose ports never suspend can be run by
a single ``send(None)``, with no event loop.

- ``run_sync`` drives such a coroutine.
- ``inline_call`` and ``offloading_call`` call a hook of either colour (``ports.Call``).
- ``refuse_async`` is half of the fail-open guard: an async verifier on the sync face would return a
  coroutine, which is truthy. The other half is that nothing a port returns is ever used for its truth.

What wraps sync ports for the engine, which only knows async ones, is in ``_wrapped``.
Neither asyncio nor any other loop is imported before a sync port is used on the async face.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar, cast

from .errors import ConfigurationError, WrongColour
from .ports import Call

T = TypeVar("T")
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
