"""What a gate is made of, and the two store steps that everything consists of.

``Core`` is immutable and shared by all requests. ``load`` and ``apply`` turn whatever a store does wrong
into a refusal; ``commit`` loads, decides and applies until the batch wins or the tries are used up.
"""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple, TypeVar, cast

from stepup.binding import partition
from stepup.bundle import MAX_ITEMS, Item
from stepup.changes import APPLIED, KNOWN, Changes, Key, Lost, Snapshot
from stepup.clock import ForwardClock
from stepup.context import RECOVERY_CODE, Actor, Context, Resource, require_text
from stepup.decide.holding import MethodInfo
from stepup.decide.request import Ids, Request
from stepup.decide.resolving import bundle_of, resolve
from stepup.decision import Decision
from stepup.errors import ContractBroken, InvalidInput, StepUpError, StoreBusy, StoreUnavailable, WrongColour
from stepup.event import Event
from stepup.factor import Factor, Roster
from stepup.keys import KeyRing, Vault
from stepup.limits import Limits
from stepup.notices import Notice, Notices
from stepup.policy import Params, Risk
from stepup.ports import (
    ApprovalHooks,
    AsyncRiskAssessor,
    AsyncStore,
    AsyncVerifier,
    Call,
    HistoryAssessor,
    Joined,
    Message,
    Stored,
)
from stepup.registry import Registry
from stepup.rules import require_uses
from stepup.token import TokenWriter

from .device_tokens import DeviceTokens
from .risk import Judged, assessed

T = TypeVar("T")
TRIES: Final = 8
logger = logging.getLogger("stepup")

Observe = Callable[[Decision, Context], Awaitable[None]]


class Look(NamedTuple):
    """What one look at a person found: every factor, the application-owned ones, and the methods these are of."""

    every: tuple[Factor, ...]
    own: tuple[Factor, ...]
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Core:
    """A gate's parts. ``call`` runs hooks of either colour; ``send`` hands a notice to the mail system."""

    registry: Registry
    ring: KeyRing
    vault: Vault
    grants: TokenWriter
    offers: TokenWriter
    trust: DeviceTokens
    store: AsyncStore
    verifiers: Mapping[str, AsyncVerifier]
    methods: Mapping[str, MethodInfo]
    clock: ForwardClock
    call: Call
    limits: Limits
    assess: AsyncRiskAssessor | None
    watch: HistoryAssessor | None
    send: Callable[[Message], object] | None
    notify: Callable[[Notice], object] | None
    notices: Notices
    on_event: Callable[[Event], object] | None
    observe: Observe | None
    record_all: bool
    namespace: str
    audience: str
    enrol_url: str | None
    login_url: str | None
    revoke_on_reuse: bool
    approval: ApprovalHooks | None = None

    # -- the request ------------------------------------------------------------

    def partition(self, actor: Actor) -> str:
        """The person's partition in the store."""
        return partition(self.namespace, actor)

    async def request(
        self,
        action: object,
        context: Context,
        resource: Resource | None,
        params: Params | None,
        at_least: Risk = Risk.LOW,
        uses: int | None = None,
        judged: Judged | None = None,
    ) -> Request:
        """Make a call concrete, with the session's risk assessed; *judged* is what ``judged`` found a moment ago."""
        risk, visit = judged or (None, None)
        asks = judged is None and (self.assess is not None or self.watch is not None)
        if asks and isinstance(context, Context):  # pyright: ignore[reportUnnecessaryIsInstance] -- resolve() refuses anything else
            risk, visit = await assessed(self, context, self.registry.action(action).id)
        made = resolve(self.registry, self.ring, action, context, resource, params, risk, at_least)
        if visit is None and context.device_token is None and uses is None:
            return made
        counted = None if uses is None else require_uses(uses)
        return replace(made, visit=visit, presented=self.trust.read(context.device_token), uses=counted)

    async def bundle(self, items: Iterable[Item], context: Context, levels: Sequence[Risk] = ()) -> Request:
        """Make a bundle concrete, each call as if it came alone.

        Raises:
            InvalidInput: for something that is no bundle; see ``bundle_of``.
        """
        if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise InvalidInput("items", f"must be a sequence of Item, not {type(cast('object', items)).__name__}")
        listed: list[object] = list(itertools.islice(items, MAX_ITEMS + 1))
        judged, made = await self.judged(context), list[Request]()
        for one, level in itertools.zip_longest(listed, levels, fillvalue=Risk.LOW):
            if not isinstance(one, Item):
                raise InvalidInput("items", f"holds a {type(one).__name__}, not an Item")
            at_least = Risk(cast("int", level))
            made.append(await self.request(one.action, context, one.resource, one.params, at_least, judged=judged))
        return bundle_of(made)

    async def judged(self, context: Context) -> Judged | None:
        """The risk by the person's history, read once for several calls of one request; None where nobody keeps one.

        An assessor that judges calls is asked about each.
        """
        if self.watch is None or not isinstance(context, Context):  # pyright: ignore[reportUnnecessaryIsInstance] -- request() refuses anything else
            return None
        return await assessed(self, context, "")

    @property
    def remembered(self) -> tuple[Key, ...]:
        """What a batch that changes what is known of a person loads besides: the history, if the gate keeps one."""
        return () if self.watch is None else (KNOWN,)

    # -- what the person holds --------------------------------------------------

    async def factors(self, actor: Actor, roster: Roster, now: datetime) -> Look:
        """Every factor of the person, with quarantine applied.

        A verifier that fails is an unreadable factor: it counts as enrolled and cannot be used.
        """
        stored: list[Factor] = []
        own: list[Factor] = []
        looked_at: list[str] = []
        for method in self.verifiers:
            found = await self.enrolled(actor, method, roster)
            if found is None:
                stored.extend(roster.of(method))
                continue
            own.extend(found)
            if all(factor.usable for factor in found):
                looked_at.append(method)  # what could not be read has not been seen
        # A factor whose verifier this gate lacks (an older instance, another gate) is still enrolled.
        stored.extend(replace(factor, usable=False) for factor in roster.factors if factor.method not in self.verifiers)
        own = list(roster.observing(own, looked_at, now).apply_quarantine(own))
        return Look((*(self._noticed(actor, factor) for factor in stored), *own), tuple(own), tuple(looked_at))

    async def enrolled(self, actor: Actor, method: str, roster: Roster) -> tuple[Factor, ...] | None:
        """The application-owned factors of one method, fingerprinted; None where the store keeps them."""
        try:
            found: object = await self.verifiers[method].enrolled(actor)
        except WrongColour:
            raise
        except Exception as error:  # noqa: BLE001 -- see factors()
            logger.warning("the verifier of %s raised %s in enrolled()", method, type(error).__name__)
            return (Factor(f"{method}:unreadable", method, usable=False),)
        if isinstance(found, Stored):
            return None
        if not isinstance(found, list | tuple):
            raise ContractBroken(f"The verifier of {method!r} must answer a sequence of Factor, or STORED.")
        items: Iterable[object] = found
        return tuple(self._fingerprinted(factor, method, roster) for factor in items)

    def _fingerprinted(self, factor: object, method: str, roster: Roster) -> Factor:
        if not isinstance(factor, Factor) or factor.method != method:
            raise ContractBroken(f"The verifier of {method!r} answered something that is no Factor of its method.")
        require_text("Factor.id", factor.id, limit=128)
        if not _sound(factor):
            raise ContractBroken(f"The verifier of {method!r} answered a Factor with a value of the wrong type.")
        if factor.material is None:
            return replace(factor, fingerprint=None)
        before = next((seen.fingerprint for seen in roster.seen if seen.factor_id == factor.id), None)
        same = before is not None and self.vault.matches(before, "fingerprint", factor.material)
        newest = (
            before
            if same and before is not None and self.vault.is_newest(before)
            else self.fingerprint(factor.material)
        )
        if same and newest != before:
            return replace(factor, material=None, fingerprint=before, renewed=newest)
        return replace(factor, material=None, fingerprint=newest)

    def fingerprint(self, material: bytes) -> str:
        """A keyed digest of *material* under the newest key."""
        return self.vault.digest("fingerprint", material)

    def _noticed(self, actor: Actor, factor: Factor) -> Factor:
        """A recovery code is always told to the person, so without an address it cannot be used."""
        untold = factor.method == RECOVERY_CODE and (actor.email is None or self.send is None)
        return replace(factor, usable=False) if untold else factor

    @property
    def unverified(self) -> frozenset[str]:
        """Methods whose proof may do without verifying the person."""
        asked = {name: getattr(verifier, "user_verification", "required") for name, verifier in self.verifiers.items()}
        return frozenset(name for name, one in asked.items() if one != "required")

    # -- the store --------------------------------------------------------------

    async def load(self, where: str, keys: Sequence[Key], through: Joined | None = None) -> Snapshot:
        """What stands under *keys*; *through* sees what a transaction of the caller's has written.

        Raises:
            StoreUnavailable: whatever the store raised.
            ContractBroken: if its answer is not what its contract allows.
        """
        try:
            loaded: object = await (through or self.store).load(where, keys)
        except StepUpError:
            raise
        except Exception as error:
            raise StoreUnavailable(f"The store failed to load ({type(error).__name__}).") from error
        return Snapshot.of(keys, loaded)

    async def apply(self, where: str, changes: Changes, through: Joined | None = None) -> Lost | None:
        """Write *changes*; None if they were applied. *through* makes them part of a transaction of the caller's.

        Raises:
            StoreUnavailable: if the outcome is not known; the caller refuses.
            ContractBroken: for any answer but APPLIED and Lost.
        """
        try:
            answer: object = await (through or self.store).apply(where, changes)
        except StepUpError:
            raise
        except Exception as error:
            raise StoreUnavailable(f"The store failed to apply ({type(error).__name__}).") from error
        if answer is APPLIED:
            if through is None:
                await self._publish(changes.events)
            elif self.on_event is not None:
                through.afterwards(lambda committed: self._publish(changes.events if committed else ()))
            return None
        if type(answer) is Lost and (answer.key is None or isinstance(answer.key, Key)):  # pyright: ignore[reportUnnecessaryIsInstance] -- a port's answer is never taken on trust
            return answer
        raise ContractBroken("Store.apply() must answer APPLIED or Lost.")

    async def commit(
        self,
        where: str,
        keys: Sequence[Key],
        decide: Callable[[Snapshot], tuple[Changes | None, T]],
        on_claim: Callable[[Snapshot], tuple[Changes, T]] | None = None,
        through: Joined | None = None,
    ) -> T:
        """Load, decide and apply until the batch wins; *on_claim* decides once a claim was already made.

        Raises:
            StoreBusy: if it lost eight times.
        """
        for _ in range(TRIES):
            snapshot = await self.load(where, keys, through)
            changes, outcome = decide(snapshot)
            if changes is None:
                return outcome
            lost = await self.apply(where, changes, through)
            if lost is None:
                return outcome
            if on_claim is not None and lost.key is not None and lost.key.kind == "claim":
                decide, on_claim = on_claim, None
        raise StoreBusy(f"A conditional write lost {TRIES} times.")

    async def record(self, where: str, changes: Changes) -> None:
        """Write a batch of events alone; it depends on nothing, so only an unknown conflict can lose it."""
        for _ in range(TRIES):
            if await self.apply(where, changes) is None:
                return
        raise StoreBusy(f"An event could not be written in {TRIES} tries.")

    async def _publish(self, events: Iterable[Event]) -> None:
        if self.on_event is None:
            return
        for one in events:
            try:
                await self.call(self.on_event, one)
            except Exception as error:  # noqa: BLE001 -- the event is stored; a listener cannot undo a decision
                logger.warning("on_event raised %s", type(error).__name__)

    def now(self) -> datetime:
        """The current time, never earlier than seen before."""
        return self.clock.now()


def _sound(factor: Factor) -> bool:
    """Whether a factor from outside is what its annotations say; only a recovery code stands for another."""
    typed: tuple[tuple[object, type], ...] = (
        (factor.material, bytes),
        (factor.strength, int),
        (factor.quarantined_until, datetime),
        (factor.enrolled_at, datetime),
    )
    if not all(value is None or isinstance(value, kind) for value, kind in typed):  # pyright: ignore[reportUnnecessaryIsInstance] -- a port's answer is never taken on trust
        return False
    aware = all(time is None or time.tzinfo is not None for time in (factor.quarantined_until, factor.enrolled_at))
    return aware and (factor.stands_for is None or factor.method == RECOVERY_CODE)


def ids() -> Ids:
    """Fresh ids, 128 random bits each."""
    return Ids(event_id(), f"stepup_{secrets.token_hex(16)}", secrets.token_hex(16))


def event_id() -> str:
    """A fresh id for an event alone: redeeming needs no other."""
    return secrets.token_hex(16)
