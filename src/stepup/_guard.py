"""``@gate.guard``: what of a function's arguments makes up the call it protects.

``resource``, ``params``, ``context``, ``token`` and the others are values, or functions that are given those of the
guarded function's arguments that they name. Everything that can be wrong about them is found when the
function is decorated, which is at start-up.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from .context import Context, Resource
from .errors import ConfigurationError, InvalidInput
from .policy import Params
from .registry import Registry
from .rules import require_uses

Given = object | Callable[..., object]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a guarded function, as ``require`` takes it."""

    context: Context
    resource: Resource | None
    params: Params | None
    token: str | None
    within: object = None
    uses: int | None = None


class Guard:
    """Works out the call from a function's arguments."""

    def __init__(
        self,
        registry: Registry,
        action: str,
        function: Callable[..., object],
        *,
        resource: Given,
        params: Given,
        context: Given,
        token: Given,
        within: Given = None,
        uses: Given = None,
    ) -> None:
        """Check that everything named exists.

        Raises:
            UnknownAction: for an action nobody registered.
            ConfigurationError: for a context that is missing, or a function that names an unknown argument.
            InvalidInput: for a number of uses that is none.
        """
        registry.action(action)
        if context is None:
            raise ConfigurationError(
                f"guard({action!r}) on {_name(function)} has no context.",
                remedy="Pass context=..., or context_of=... to the gate.",
            )
        self.action = action
        self._signature = inspect.signature(function)
        self._parts = {"context": context, "resource": resource, "params": params, "token": token, "within": within}
        self._parts["uses"] = uses if uses is None or callable(uses) else require_uses(uses)
        self._wanted = {name: _wanted(name, part, self._signature, function) for name, part in self._parts.items()}

    def call(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Call:
        """The call that these arguments make.

        Raises:
            TypeError: if the arguments do not fit the function, as calling it would.
            InvalidInput: if a part turns out to be something else than it must be.
        """
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        made = {name: self._part(name, bound.arguments) for name in self._parts}
        context, resource, params, token = made["context"], made["resource"], made["params"], made["token"]
        if not isinstance(context, Context):
            raise InvalidInput("guard context", f"gave a {type(context).__name__}, not a Context")
        if resource is not None and not isinstance(resource, Resource):
            raise InvalidInput("guard resource", f"gave a {type(resource).__name__}, not a Resource")
        if params is not None and not isinstance(params, Mapping):
            raise InvalidInput("guard params", f"gave a {type(params).__name__}, not a mapping")
        if token is not None and not isinstance(token, str):
            raise InvalidInput("guard token", f"gave a {type(token).__name__}, not a string")
        if made["within"] is None and self._parts["within"] is not None:
            raise InvalidInput("guard within", "gave None, not a connection or session")
        uses = None if self._parts["uses"] is None else require_uses(made["uses"])  # None would mean as many as may be
        return Call(context, resource, cast("Params | None", params), token, made["within"], uses)

    def _part(self, name: str, arguments: Mapping[str, object]) -> object:
        part, wanted = self._parts[name], self._wanted[name]
        if wanted is None:
            return part
        return cast("Callable[..., object]", part)(**{one: arguments[one] for one in wanted})


def _wanted(
    name: str, part: Given, signature: inspect.Signature, function: Callable[..., object]
) -> tuple[str, ...] | None:
    """The arguments that a part asks for; None where it is a value."""
    if not callable(part):
        return None
    if inspect.iscoroutinefunction(part):
        raise ConfigurationError(f"guard {name}= on {_name(function)} is async.", remedy="Make it a plain function.")
    parameters = inspect.signature(part).parameters.values()
    by_name = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    asked = [one.name for one in parameters]
    unknown = [one.name for one in parameters if one.kind not in by_name or one.name not in signature.parameters]
    if unknown:
        raise ConfigurationError(
            f"guard {name}= on {_name(function)} asks for {unknown}.",
            remedy=f"Name its arguments one by one; they are: {', '.join(signature.parameters) or 'none'}.",
        )
    return tuple(asked)


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", type(function).__name__)
