"""What a person has enrolled: factors, the roster of those kept in the store, and quarantine.

Two kinds of factor. *Stored* ones (an authenticator secret, recovery codes) are records of their own,
listed in the person's ``Roster``. *Application-owned* ones (a password, an address) are described by a
verifier's ``enrolled`` hook; the roster only remembers the fingerprint last seen, so that a change that
nobody proved is noticed.

Quarantine: a factor enrolled under a weaker proof than itself, and an application-owned one that appeared or
changed without a step-up, cannot be used for 24 hours. All functions here are pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .context import FRESH_SESSION, RECOVERY_CODE

QUARANTINE = timedelta(hours=24)
PENDING_TTL = timedelta(minutes=10)
MAX_FACTORS = 20


@dataclass(frozen=True, slots=True)
class Factor:
    """One enrolled factor, as a verifier's ``enrolled`` hook or the roster describes it.

    Attributes:
        id: unique among the person's factors of all methods.
        method: the verifier's method.
        strength: the best it can reach; None takes the verifier's.
        enrolled_at: when it was enrolled, if known.
        material: what lies behind it (address, password hash, secret), as bytes; the engine turns it into
            ``fingerprint`` at once and drops it. A verifier sets this, never ``fingerprint``.
        fingerprint: a keyed digest that changes when the material changes.
        renewed: the same under the newest key, where the fingerprint is still of an older one.
        stands_for: on recovery codes, the method they were issued with.
        label: what the person calls it.
        usable: False where it exists but cannot be checked now (unreadable secret, no address for the
            notice); it still counts as enrolled, so that breaking the strong factor never opens the weak one.
        quarantined_until: it cannot be used before this time.
        changed: it is in quarantine because it changed, not because it is new: it still counts as enrolled.
    """

    id: str
    method: str
    strength: int | None = None
    enrolled_at: datetime | None = None
    material: bytes | None = field(default=None, repr=False)
    fingerprint: str | None = None
    renewed: str | None = None
    stands_for: str | None = None
    label: str = ""
    usable: bool = True
    quarantined_until: datetime | None = None
    changed: bool = False

    def in_quarantine(self, now: datetime) -> bool:
        """Whether it does not count yet."""
        return self.quarantined_until is not None and now < self.quarantined_until


@dataclass(frozen=True, slots=True)
class StoredFactor:
    """What a verifier needs of one factor, sealed or digested; ``data`` is the verifier's own.

    ``pending`` is set until the person has answered with it for the first time.
    """

    id: str
    method: str
    data: Mapping[str, str | int | tuple[str, ...]] = field(repr=False)
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class FactorSet:
    """The record behind a person's stored factors of one method.

    Its version is what makes a TOTP step or a recovery code count once. For an application-owned factor it
    holds what has to be remembered about it (the last step accepted).
    """

    factors: tuple[StoredFactor, ...] = ()

    def get(self, factor_id: str) -> StoredFactor | None:
        """The factor with that id."""
        return next((one for one in self.factors if one.id == factor_id), None)

    def replacing(self, factor: StoredFactor) -> FactorSet:
        """With *factor* in the place of the one with its id, or added."""
        kept = tuple(one for one in self.factors if one.id != factor.id)
        return FactorSet((*kept, factor))

    def without(self, factor_id: str) -> FactorSet:
        """With one factor fewer."""
        return FactorSet(tuple(one for one in self.factors if one.id != factor_id))


@dataclass(frozen=True, slots=True)
class Pending:
    """An enrolment that waits for its confirmation: bound to a session and both epochs, with its own try limit."""

    session: str | None
    epoch: int
    session_epoch: int
    expires_at: datetime
    proved: int
    label: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """An application-owned factor when it was last looked at; no fingerprint where it has no material.

    ``changed`` tells a factor that became another from one that is new.
    """

    factor_id: str
    fingerprint: str | None
    quarantined_until: datetime | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Roster:
    """One record per person: the stored factors, and what was last seen of the others.

    ``methods`` are those under observation: a factor of a method that is looked at for the first time is
    taken as it is, one that appears later is new.
    """

    factors: tuple[Factor, ...] = ()
    seen: tuple[Seen, ...] = ()
    methods: tuple[str, ...] = ()

    def of(self, method: str) -> tuple[Factor, ...]:
        """The stored factors of one method."""
        return tuple(factor for factor in self.factors if factor.method == method)

    def get(self, factor_id: str) -> Factor | None:
        """The stored factor with that id."""
        return next((factor for factor in self.factors if factor.id == factor_id), None)

    def adding(self, factor: Factor) -> Roster:
        """With one more factor; recovery codes are replaced as a set."""
        kept = tuple(f for f in self.factors if f.method != RECOVERY_CODE or factor.method != RECOVERY_CODE)
        return replace(self, factors=(*kept, factor))

    def without(self, factor_id: str, others: Iterable[str] = ()) -> Roster:
        """With one factor fewer, and without recovery codes that stood for it alone.

        *others* are the methods of application-owned factors, which the roster does not list.
        """
        kept = tuple(factor for factor in self.factors if factor.id != factor_id)
        methods = {factor.method for factor in kept} | set(others)
        return replace(self, factors=tuple(f for f in kept if f.stands_for is None or f.stands_for in methods))

    def labelling(self, factor_id: str, label: str) -> Roster:
        """With another label on one stored factor."""
        factors = tuple(replace(one, label=label) if one.id == factor_id else one for one in self.factors)
        return replace(self, factors=factors)

    def observing(self, factors: Iterable[Factor], methods: Iterable[str], now: datetime) -> Roster:
        """Remember application-owned *factors* of *methods*.

        One that changed, or that is new under a method observed before, starts its quarantine.
        """
        seen = {one.factor_id: one for one in self.seen}
        for factor in factors:
            before, until = seen.get(factor.id), now + QUARANTINE
            if not factor.usable:
                continue  # what cannot be read says nothing; it counts as enrolled in any case
            if before is None:
                new = factor.method in self.methods
                seen[factor.id] = Seen(factor.id, factor.fingerprint, until if new else None)
            elif factor.fingerprint is None or before.fingerprint is None:
                # The gate has begun or ceased to look at the material: that is no change of the factor.
                seen[factor.id] = replace(before, fingerprint=before.fingerprint or factor.fingerprint)
            elif before.fingerprint != factor.fingerprint:
                unproved = before.quarantined_until is not None and now < before.quarantined_until
                changed = before.changed or not unproved  # what is still new stays new
                seen[factor.id] = Seen(factor.id, factor.fingerprint, until, changed)
            elif factor.renewed is not None:
                seen[factor.id] = replace(before, fingerprint=factor.renewed)
        made = replace(self, seen=tuple(seen.values()), methods=tuple(dict.fromkeys((*self.methods, *methods))))
        return self if made == self else made

    def trusting(self, factor_id: str, fingerprint: str | None, now: datetime, until: datetime | None = None) -> Roster:
        """Remember a change that was made under a step-up: no quarantine, or one until *until*."""
        kept = tuple(one for one in self.seen if one.factor_id != factor_id)
        before = next((one for one in self.seen if one.factor_id == factor_id), None)
        waits = before is not None and before.quarantined_until is not None and now < before.quarantined_until
        new = before is None or (waits and not before.changed)
        changed = until is not None and not new  # what is new stays new, until it has waited
        return replace(self, seen=(*kept, Seen(factor_id, fingerprint, until, changed)))

    def apply_quarantine(self, factors: Iterable[Factor]) -> tuple[Factor, ...]:
        """Application-owned *factors* with the quarantine this roster knows of."""
        seen = {one.factor_id: one for one in self.seen}
        made: list[Factor] = []
        for factor in factors:
            one = seen.get(factor.id)
            held = one is not None and one.quarantined_until is not None
            made.append(
                replace(factor, quarantined_until=one.quarantined_until, changed=one.changed)
                if one is not None and held
                else factor
            )
        return tuple(made)


def quarantine_until(strength: int, proved: int, now: datetime) -> datetime | None:
    """When a factor of *strength* enrolled under a proof of strength *proved* starts to count; None: at once."""
    return now + QUARANTINE if proved < strength else None


def strongest(factors: Iterable[Factor], strengths: Mapping[str, int], now: datetime) -> int | None:
    """The strength of the strongest factor that counts as enrolled; None where there is none.

    Locked, disabled, unreadable and changed factors count, so that breaking the strong one never opens the
    weak one; new ones in quarantine do not. Recovery codes are as strong as what they stand for, so they
    never raise it.
    """
    counted = [
        factor.strength if factor.strength is not None else strengths.get(factor.method, 0)
        for factor in factors
        if (not factor.usable or factor.changed or not factor.in_quarantine(now))
        and factor.method not in {RECOVERY_CODE, FRESH_SESSION}
    ]
    return max(counted, default=None)
