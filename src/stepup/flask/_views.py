"""What a guard looks at before it takes a view: that it is one it can guard, and what its arguments are called."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator
from typing import ParamSpec, TypeVar, cast

from flask import Flask

from stepup._bridge import is_async, is_async_generator
from stepup.errors import ConfigurationError, WrongColour

P = ParamSpec("P")
R = TypeVar("R")
View = Callable[..., object]


def require_sync(action: str, view: View) -> None:
    """Refuse an async view: Flask would run it in a loop of its own, and the gate is the sync one.

    Raises:
        WrongColour: for an async function.
    """
    if is_async(view) or is_async_generator(view):
        raise WrongColour(
            f"guard({action!r}) on the async view {_name(view)}.",
            remedy="Make it a plain def: Flask runs each async view in a loop of its own, which gains nothing here.",
        )


def require_below_route(app: Flask, guarded: Collection[View]) -> None:
    """Refuse a view that is registered without the guard that was put on it: ``guard`` belongs below the route.

    Raises:
        ConfigurationError: naming the view.
    """
    known = {id(one) for view in guarded for one in _layers(view)}
    for view in app.view_functions.values():
        if id(view) in known:
            raise ConfigurationError(
                f"guard() on {_name(view)} stands above its route, which was made without it.",
                remedy="Put @app.route(...) first and @flask_gate.guard(...) below it.",
            )


def _layers(view: View) -> Iterator[View]:
    """A view and what it wraps: between the guard and the route there may be other decorators."""
    seen: set[int] = set()
    while callable(view) and id(view) not in seen:
        seen.add(id(view))
        yield view
        view = getattr(view, "__wrapped__", view)


def with_names(view: Callable[P, R], *parts: object) -> Callable[P, R]:
    """*view*, whose ``**kwargs`` are called what *parts* ask for.

    A class-based view is a function of ``**kwargs`` to its decorators, and what the URL gives has no names yet.
    """
    signature = inspect.signature(view)
    last = [one for one in signature.parameters.values() if one.kind is inspect.Parameter.VAR_KEYWORD]
    asked = {name: None for part in parts for name in _asked(part) if name not in signature.parameters}
    if not last or not asked:
        return view

    @functools.wraps(view)
    def named(*args: P.args, **kwargs: P.kwargs) -> R:
        return view(*args, **kwargs)

    own = [one for one in signature.parameters.values() if one not in last]
    more = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in asked]
    named.__signature__ = signature.replace(parameters=[*own, *more, *last])  # type: ignore[attr-defined]
    return cast("Callable[P, R]", named)


def _asked(part: object) -> list[str]:
    """The arguments that a function asks for by name."""
    if not callable(part):
        return []
    plain = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return [one.name for one in inspect.signature(part).parameters.values() if one.kind in plain]


def _name(view: View) -> str:
    return getattr(view, "__qualname__", type(view).__name__)
