"""``grant`` and ``grant_bundle``: real tokens for an application's own tests, without a person to prove anything.

It runs the ceremony the gate would run (policy, binding, challenge, attempt, minting) on the gate's own
store and keys; only the verifiers are replaced, by ones that accept whatever they are given. Nothing in the
library proper can do this, so a production process that does not import ``stepup.testing`` cannot either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from stepup._async import AsyncStepUp
from stepup._bridge import run_sync
from stepup._engine import start, verify
from stepup._engine.core import Core
from stepup._sync import StepUp
from stepup.bundle import Item
from stepup.ceremony import Begun, Ceremony, Checked, Prompt, State, Verdict
from stepup.challenge import Challenge
from stepup.changes import ROSTER, Applied, Changes, Key, Lost, Partition, Record
from stepup.context import RECOVERY_CODE, Actor, Context, Proof, Resource
from stepup.decide.answering import MoreNeeded, Verified
from stepup.decide.holding import MethodInfo
from stepup.errors import ConfigurationError
from stepup.factor import Factor
from stepup.policy import Params
from stepup.ports import AsyncStore, AsyncVerifier

_REASON: Final = "stepup.testing"


class _Accepting:
    """A verifier that accepts anything, for everybody."""

    phishing_resistant = False
    points = 0
    prepares = False

    def __init__(self, method: str, strength: int, amr: tuple[str, ...]) -> None:
        self.method = method
        self.strength = strength
        self.amr = amr

    async def enrolled(self, actor: Actor, /) -> Sequence[Factor]:  # noqa: ARG002 -- the port's signature
        return (Factor(f"testing:{self.method}", self.method),)

    async def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:  # noqa: ARG002 -- the port's signature
        return Begun(Prompt(self.method))

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:  # noqa: ARG002 -- the port's signature
        proof = Proof(self.method, context.now, self.amr, factor_id=f"testing:{self.method}", strength=self.strength)
        return Checked(Verdict.ACCEPTED, proof)


def grant(
    gate: StepUp,
    action: str,
    context: Context,
    *,
    resource: Resource | None = None,
    params: Params | None = None,
    uses: int | None = None,
) -> str:
    """Mint a real grant for this call and return its token.

    The call is then let through by ``gate.require(..., token=token)``, or without the token where the policy
    lets the session's grant be found. ``uses`` asks for a number of uses, which the policy bounds. For
    ``AsyncStepUp``, use ``grant_async``.

    Raises:
        Denied: where not even a right answer would open the call (blocked session risk).
        ConfigurationError: for an async gate, or a requirement that its methods cannot meet.
        InvalidInput: as ``gate.start``.
    """
    return run_sync(_minted(_sync_core(gate, "grant"), context, _opening(action, context, resource, params, uses)))


def grant_bundle(gate: StepUp, items: Iterable[Item], context: Context) -> str:
    """Mint a real grant for several calls and return its token.

    They are then let through by ``gate.require_bundle(items, context, token=token)``, or one by one by ``require``.
    For ``AsyncStepUp``, use ``grant_bundle_async``.

    Raises:
        Denied: where not even a right answer would open all of them.
        ConfigurationError: for an async gate, or a requirement that its methods cannot meet.
        InvalidInput: as ``gate.start_bundle``.
    """
    return run_sync(_minted(_sync_core(gate, "grant_bundle"), context, _opening_bundle(items, context)))


async def grant_async(
    gate: AsyncStepUp,
    action: str,
    context: Context,
    *,
    resource: Resource | None = None,
    params: Params | None = None,
    uses: int | None = None,
) -> str:
    """As ``grant``, for ``AsyncStepUp``."""
    return await _minted(gate.core, context, _opening(action, context, resource, params, uses))


async def grant_bundle_async(gate: AsyncStepUp, items: Iterable[Item], context: Context) -> str:
    """As ``grant_bundle``, for ``AsyncStepUp``."""
    return await _minted(gate.core, context, _opening_bundle(items, context))


def _sync_core(gate: StepUp, name: str) -> Core:
    if not isinstance(gate, StepUp):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise ConfigurationError(f"{name}() takes a StepUp.", remedy=f"Use `await {name}_async(...)` with AsyncStepUp.")
    return gate.core


_Opening = Callable[[Core], Awaitable[Challenge]]


def _opening(
    action: str, context: Context, resource: Resource | None, params: Params | None, uses: int | None
) -> _Opening:
    return lambda core: start.start_challenge(core, action, context, resource, params, _REASON, uses)


def _opening_bundle(items: Iterable[Item], context: Context) -> _Opening:
    return lambda core: start.start_bundle(core, items, context, _REASON)


async def _minted(core: Core, context: Context, opening: _Opening) -> str:
    core = replace(core, store=_Unobserved(core.store), verifiers=_accepting(core), methods=_free(core.methods))
    challenge = await opening(core)
    methods = list(challenge.allowed)
    while methods:
        outcome = await verify.verify(core, challenge.id, methods.pop(0), "testing", context, None)
        if isinstance(outcome, Verified):
            return outcome.token
        if isinstance(outcome, MoreNeeded):
            methods = list(outcome.remaining)
    raise ConfigurationError(f"No method of this gate can open {challenge.label!r}.")


class _Unobserved:
    """The gate's store, but for the roster: what a test pretends to hold is not remembered of the person."""

    def __init__(self, inner: AsyncStore) -> None:
        self._inner = inner
        self.list = inner.list
        self.events = inner.events
        self.purge = inner.purge

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        loaded = await self._inner.load(partition, keys)
        return [None if key == ROSTER else record for key, record in zip(keys, loaded, strict=True)]

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        puts = tuple(put for put in changes.puts if put.key != ROSTER)
        checks = tuple(check for check in changes.checks if check.key != ROSTER)
        return await self._inner.apply(partition, replace(changes, puts=puts, checks=checks))


def _accepting(core: Core) -> Mapping[str, AsyncVerifier]:
    made = [
        _Accepting(verifier.method, verifier.strength, verifier.amr)
        for verifier in core.verifiers.values()
        if verifier.method != RECOVERY_CODE
    ]
    return {verifier.method: verifier for verifier in made}


def _free(methods: Mapping[str, MethodInfo]) -> Mapping[str, MethodInfo]:
    """The same methods, whose tries cost no guess points."""
    return {name: replace(info, points=0) for name, info in methods.items() if name != RECOVERY_CODE}
