"""``Hooked``: the base of verifiers that are written once, as coroutines, and serve both faces.

A face binds a verifier to its ``Call`` and uses the bound copy; the one the application made stays as it
was, so the same object may be given to a sync and to an async gate. Verifiers are immutable otherwise and
safe to share between threads and tasks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Self

from stepup.challenge import FactorRef
from stepup.context import Actor
from stepup.errors import ConfigurationError
from stepup.ports import Call, Ceremony


class Hooked:
    """Keeps the application's hooks, and the ``Call`` they go through. Its repr names hooks, never shows them."""

    def __init__(self, hooks: Mapping[str, Callable[..., object] | None]) -> None:
        """Keep those of *hooks* that are given.

        Raises:
            ConfigurationError: naming a hook that is not callable.
        """
        given = {name: hook for name, hook in hooks.items() if hook is not None}
        for name, hook in given.items():
            if not callable(hook):
                raise ConfigurationError(f"{type(self).__name__}({name}=...) is a {type(hook).__name__}, not callable.")
        self._hooks = MappingProxyType(given)
        self._bound: Call | None = None

    @property
    def hooks(self) -> Mapping[str, Callable[..., object]]:
        """The application's functions by the name of their argument (see ``ports.Portable``)."""
        return self._hooks

    def bind(self, call: Call, /) -> Self:
        """The same verifier, calling its hooks and its heavy work through *call*."""
        bound = copy.copy(self)
        bound._bound = call  # noqa: SLF001 -- its own copy
        return bound

    @property
    def _call(self) -> Call:
        if self._bound is None:
            raise ConfigurationError(
                f"{type(self).__name__} was used without a gate.",
                remedy="Give it to StepUp or AsyncStepUp, or use verifier.bind(call).",
            )
        return self._bound

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._hooks)})"


def factor_in(context: Ceremony, factor_id: str) -> FactorRef | None:
    """The factor with that id among those that count now."""
    return next((ref for ref in context.factors if ref.id == factor_id), None)


def belongs(actor: Actor, factor_id: str, *parts: str) -> str:
    """Names one factor of one person, for sealing and digests: what is copied to another does not open.

    Neither an actor's id, a tenant nor a code can hold a NUL, so the parts cannot run into each other.
    """
    return "\0".join((actor.tenant, actor.id, factor_id, *parts))
