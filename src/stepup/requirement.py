"""Which proofs are good enough: any-of and all-of over methods, each with a freshness of its own.

::

    any_of("passkey", all_of("password", "totp"))     named methods; naming means all of them count
    method("totp", max_age=60)                        the same, proved less than 60 seconds ago
    ANY        any method the person has enrolled
    STRONGEST  the strongest the person has enrolled, and its equals

``met`` answers whether proofs satisfy a requirement; ``open_methods`` answers which methods would lead
there. Both are pure. A recovery code counts as the method it stands for, where ``Holding`` allows it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from .context import APPROVAL, FRESH_SESSION, RECOVERY_CODE, Proof, require_text
from .errors import ConfigurationError


class Strength(enum.IntEnum):
    """How much a proof is worth. Custom methods may use any integer between."""

    NONE = 0
    MAILED = 10
    PASSWORD = 20
    TOTP = 30
    PASSKEY = 40
    PASSKEY_VERIFIED = 50


@dataclass(frozen=True, slots=True)
class Method:
    """One named method, optionally proved less than ``max_age`` seconds ago."""

    name: str
    max_age: int | None = None

    def __post_init__(self) -> None:
        require_text("method", self.name, limit=64)
        if self.max_age is not None and (type(self.max_age) is not int or self.max_age <= 0):
            raise ConfigurationError(f"method({self.name!r}): max_age must be a positive number of seconds.")


class Enrolled(enum.Enum):
    """Requirements that look at what the person holds instead of naming methods."""

    ANY = "any"
    STRONGEST = "strongest"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Satisfied by any one of its parts."""

    parts: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Satisfied by all of its parts; one proof may satisfy several."""

    parts: tuple[Requirement, ...]


Requirement = Method | Enrolled | AnyOf | AllOf
ANY = Enrolled.ANY
STRONGEST = Enrolled.STRONGEST


def method(name: str, *, max_age: int | None = None) -> Method:
    """One named method, optionally proved less than *max_age* seconds ago."""
    return Method(name, max_age)


def any_of(*parts: Requirement | str) -> Requirement:
    """Any one of *parts* (method names or requirements) is enough."""
    return _combine(AnyOf, parts)


def all_of(*parts: Requirement | str) -> Requirement:
    """All of *parts* (method names or requirements) are needed."""
    return _combine(AllOf, parts)


def coerce(value: object) -> Requirement:
    """Accept what the public API accepts: a requirement, a method name, or a sequence meaning any-of."""
    if isinstance(value, str):
        return {"any": ANY, "strongest": STRONGEST}.get(value) or Method(value)
    if isinstance(value, Method | Enrolled | AnyOf | AllOf):
        return value
    if isinstance(value, list | tuple):
        return any_of(*value)  # pyright: ignore[reportUnknownArgumentType] -- every part is coerced in turn
    raise ConfigurationError(
        f"A requirement cannot be made from a {type(value).__name__}.",
        remedy='Use a method name, any_of(...), all_of(...), "any" or "strongest".',
    )


def _combine(kind: type[AnyOf] | type[AllOf], parts: Iterable[Requirement | str]) -> Requirement:
    made = tuple(dict.fromkeys(coerce(part) for part in parts))
    if not made:
        raise ConfigurationError("any_of() and all_of() need at least one method.")
    return made[0] if len(made) == 1 else kind(made)


def leaves(requirement: Requirement) -> Iterator[Method | Enrolled]:
    """Every named method and every look at the enrolled ones, in the order written."""
    if isinstance(requirement, AnyOf | AllOf):
        for part in requirement.parts:
            yield from leaves(part)
    else:
        yield requirement


def names(requirement: Requirement) -> tuple[str, ...]:
    """The names of the methods it mentions, in the order written."""
    return tuple(dict.fromkeys(leaf.name for leaf in leaves(requirement) if isinstance(leaf, Method)))


def met_by_others(requirement: Requirement) -> bool:
    """Whether the approval of others is enough, without anything that the requester proves."""
    if isinstance(requirement, AnyOf):
        return any(met_by_others(part) for part in requirement.parts)
    if isinstance(requirement, AllOf):
        return all(met_by_others(part) for part in requirement.parts)
    return isinstance(requirement, Method) and requirement.name == APPROVAL


def as_data(requirement: Requirement) -> object:
    """A JSON-safe form: part of the rules hash and of explanations."""
    if isinstance(requirement, Method):
        return requirement.name if requirement.max_age is None else [requirement.name, requirement.max_age]
    if isinstance(requirement, Enrolled):
        return {"enrolled": requirement.value}
    kind = "any_of" if isinstance(requirement, AnyOf) else "all_of"
    return {kind: [as_data(part) for part in requirement.parts]}


@dataclass(frozen=True, slots=True)
class Holding:
    """What matters about the person when a requirement is evaluated.

    ``strongest``: the strength of the strongest factor enrolled, locked and unreadable ones included;
    None means that nothing is known and ``STRONGEST`` can not be met. ``min_strength``: proofs below it
    never count. ``recovery``: a recovery code may stand in for its factor (levels 1 to 3).
    ``session_age`` and ``session_window``: seconds since the last login, and how old it may be for
    ``fresh_session``; None for no login. ``allowed``: the only methods that count,
    where the risk of the request narrowed them. ``max_age``: how old any proof may be, in seconds.
    """

    strongest: int | None = None
    min_strength: int = 0
    recovery: bool = True
    session_age: float | None = None
    session_window: int = 0
    allowed: frozenset[str] | None = None
    max_age: int | None = None

    def current(self, proof: Proof, now: datetime) -> bool:
        """Whether *proof* may count at *now*: not to come, not too old, and of a method that may count at all."""
        age = (now - proof.at).total_seconds()
        young = self.max_age is None or age < self.max_age
        return age >= 0 and young and self.admits(proof.method, proof.strength)

    def admits(self, method: str, strength: int) -> bool:
        """Whether a method of that strength may count at all."""
        strong = strength >= self.min_strength or method == APPROVAL  # somebody else's word has no strength of its own
        return strong and (self.allowed is None or method in self.allowed)

    def session_within(self, window: int) -> bool:
        """Whether the last login is less than *window* seconds old and nothing narrowed the methods."""
        return self.allowed is None and self.session_age is not None and self.session_age < window


def met(requirement: Requirement, proofs: Iterable[Proof], holding: Holding, now: datetime) -> bool:
    """Whether *proofs* satisfy *requirement* at *now*. Future proofs, and those worth nothing, satisfy nothing."""
    holding = _own_place(requirement, holding)
    counted = [proof for proof in proofs if holding.current(proof, now)]
    return _met(requirement, counted, holding, now)


def _own_place(requirement: Requirement, holding: Holding) -> Holding:
    """A requirement that names recovery codes gives them a place of their own: they stand in for nothing there."""
    return replace(holding, recovery=False) if RECOVERY_CODE in names(requirement) else holding


def _met(requirement: Requirement, proofs: list[Proof], holding: Holding, now: datetime) -> bool:
    if isinstance(requirement, AnyOf):
        return any(_met(part, proofs, holding, now) for part in requirement.parts)
    if isinstance(requirement, AllOf):
        return all(_met(part, proofs, holding, now) for part in requirement.parts)
    if isinstance(requirement, Method) and requirement.name == FRESH_SESSION:
        return holding.session_within(requirement.max_age or holding.session_window)
    return any(_counts(proof, requirement, holding, now) for proof in proofs)


def _counts(proof: Proof, leaf: Method | Enrolled, holding: Holding, now: datetime) -> bool:
    named = isinstance(leaf, Method) and leaf.name == proof.method
    if proof.method == RECOVERY_CODE and not named and not holding.recovery:
        return False
    if leaf is ANY:
        return proof.strength > 0
    if leaf is STRONGEST:
        return holding.strongest is not None and proof.strength >= holding.strongest
    assert isinstance(leaf, Method)  # the two enrolled ones were answered above
    if leaf.max_age is not None and (now - proof.at).total_seconds() >= leaf.max_age:
        return False
    return named or (holding.recovery and proof.stands_for == leaf.name and leaf.name != APPROVAL)


@dataclass(frozen=True, slots=True)
class Usable:
    """A method this person could prove now: its name, the strength it can reach, what it stands for."""

    method: str
    strength: int
    stands_for: str | None = None


def open_methods(
    requirement: Requirement,
    usable: Iterable[Usable],
    proofs: Iterable[Proof],
    holding: Holding,
    now: datetime,
) -> tuple[str, ...]:
    """The methods whose proof would lead to *requirement* being met, strongest first.

    What stands in for another factor comes last however strong: recovery codes are for emergencies, and used up.
    A branch of an all-of of which some part can neither be met nor proved leads nowhere, so none of its
    methods is offered.
    """
    holding = _own_place(requirement, holding)
    candidates = sorted(usable, key=lambda one: (one.stands_for is not None, -one.strength))
    counted = [proof for proof in proofs if holding.current(proof, now)]
    found = _open(requirement, candidates, counted, holding, now)
    return tuple(dict.fromkeys(one.method for one in candidates if one.method in (found or ())))


def _open(
    requirement: Requirement, usable: list[Usable], proofs: list[Proof], holding: Holding, now: datetime
) -> set[str] | None:
    """The methods still open on this branch; empty where it is met, None where it leads nowhere."""
    if _met(requirement, proofs, holding, now):
        return set()
    if isinstance(requirement, AnyOf | AllOf):
        branches = [_open(part, usable, proofs, holding, now) for part in requirement.parts]
        if isinstance(requirement, AllOf) and None in branches:
            return None
        viable = [branch for branch in branches if branch is not None]
        return set[str]().union(*viable) if viable else None
    found = {one.method for one in usable if _would_count(one, requirement, holding, now)}
    return found or None


def _would_count(one: Usable, leaf: Method | Enrolled, holding: Holding, now: datetime) -> bool:
    if isinstance(leaf, Method) and leaf.name == FRESH_SESSION:
        return False
    proof = Proof(one.method, now, strength=one.strength, stands_for=one.stands_for)
    return holding.admits(one.method, one.strength) and _counts(proof, leaf, holding, now)
