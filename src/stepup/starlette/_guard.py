"""Guarding endpoints: functions of one connection, methods of endpoint classes, WebSocket endpoints.

What a call is about comes from the connection: ``resource``, ``params`` and ``uses`` are values, or functions whose
arguments are parameters of the path by name, or ``connection`` for all of it. They may be async, for the body of a
request.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from stepup._bridge import is_async
from stepup.context import Resource
from stepup.errors import ConfigurationError, InvalidInput
from stepup.policy import Params
from stepup.rules import require_uses

Endpoint = Callable[..., Any]
Before = Callable[[HTTPConnection], Awaitable[object]]
Given = object | Callable[..., object]
CONNECTION = "connection"


def guarded(endpoint: Endpoint, before: Before) -> Endpoint:
    """*endpoint*, with *before* awaited first; a plain function runs in a worker thread, as the framework has it.

    Raises:
        ConfigurationError: for something that is no endpoint function.
    """
    if not callable(endpoint) or inspect.isclass(endpoint):
        raise ConfigurationError(
            f"guard() cannot guard {endpoint!r}.", remedy="Put it on the functions or methods that answer."
        )

    @functools.wraps(endpoint)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        await before(_connection(endpoint, args, kwargs))
        if is_async(endpoint):
            return await endpoint(*args, **kwargs)
        return await run_in_threadpool(endpoint, *args, **kwargs)

    return wrapper


def _connection(endpoint: Endpoint, args: tuple[object, ...], kwargs: Mapping[str, object]) -> HTTPConnection:
    for one in (*args, *kwargs.values()):
        if isinstance(one, HTTPConnection):
            return cast("HTTPConnection", one)
    raise ConfigurationError(
        f"{endpoint.__qualname__} was called without a request.", remedy="Give it request: Request, and pass it on."
    )


class Part:
    """``resource``, ``params`` or ``uses`` of a guard."""

    def __init__(self, name: str, given: Given) -> None:
        """Look at what the function asks for.

        Raises:
            ConfigurationError: for a function with arguments that cannot be given by name.
        """
        self._name = name
        self._given = given
        self._wanted: tuple[str, ...] | None = None
        if callable(given):
            parameters = inspect.signature(given).parameters.values()
            named = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
            if any(one.kind not in named for one in parameters):
                raise ConfigurationError(
                    f"guard {name}= has arguments without a name.",
                    remedy=f"Name parameters of the path one by one, or {CONNECTION}.",
                )
            self._wanted = tuple(one.name for one in parameters)

    async def of(self, connection: HTTPConnection) -> object:
        """What it is for this connection.

        Raises:
            ConfigurationError: if the path has no such parameter.
        """
        if self._wanted is None:
            return self._given
        known: Mapping[str, object] = {**connection.path_params, CONNECTION: connection}
        missing = [name for name in self._wanted if name not in known]
        if missing:
            raise ConfigurationError(
                f"guard {self._name}= asks for {missing}, which the path does not have.",
                remedy=f"It has: {', '.join(known)}.",
            )
        made = cast("Callable[..., object]", self._given)(**{name: known[name] for name in self._wanted})
        return await made if inspect.isawaitable(made) else made


async def resource_of(part: Part, connection: HTTPConnection) -> Resource | None:
    """The resource of a call.

    Raises:
        InvalidInput: for something that is none.
    """
    made = await part.of(connection)
    if made is not None and not isinstance(made, Resource):
        raise InvalidInput("guard resource", f"gave a {type(made).__name__}, not a Resource")
    return made


async def params_of(part: Part, connection: HTTPConnection) -> Params | None:
    """The params of a call.

    Raises:
        InvalidInput: for something that is no mapping.
    """
    made = await part.of(connection)
    if made is not None and not isinstance(made, Mapping):
        raise InvalidInput("guard params", f"gave a {type(made).__name__}, not a mapping")
    return cast("Params | None", made)


def uses_part(given: Given) -> Part | None:
    """``uses`` of a guard; None where it asks for no number.

    Raises:
        InvalidInput: for what is no number of uses.
    """
    if given is None:
        return None
    return Part("uses", given if callable(given) else require_uses(given))


async def uses_of(part: Part | None, connection: HTTPConnection) -> int | None:
    """How many uses a call asks for.

    Raises:
        InvalidInput: for what is no number of uses; None would mean as many as the policy gives.
    """
    return None if part is None else require_uses(await part.of(connection))
