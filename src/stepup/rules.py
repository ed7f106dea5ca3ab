"""The rules in force for one action at one level: what the policies come to, with the hash that a binding names.

``stricter`` is how a raised level tightens, ``combined`` what a bundle of calls asks for; ``without_session`` and
``with_approval`` are what either may do to a requirement. ``snapshot_of`` is what the hash is over. Everything here is
pure.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, cast

from . import requirement as req
from .approval import Approvers
from .canonical import canonical_json
from .context import APPROVAL, FRESH_SESSION
from .errors import InvalidInput
from .policy import BUNDLE, MAX_USES, Action, Policy, Risk
from .requirement import ANY, Requirement
from .surface import Handling, Surface


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in force for one action at one level: the policy, and the hash that names it in a binding.

    ``approvers``: who may approve, where the requirement names approval.
    """

    action: Action
    level: Risk
    policy: Policy
    hash: str
    snapshot: Mapping[str, object]
    approvers: Approvers | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The methods the requirement names."""
        return req.names(self.policy.requirement)

    @property
    def recovery_stands_in(self) -> bool:
        """Whether a recovery code may stand in for its factor: levels 1 to 3."""
        return self.level < Risk.CRITICAL


class RulesOf(Protocol):
    """The rules of an action at a level; *approved* for calls that somebody has to approve besides."""

    def __call__(self, action_id: str, level: Risk, approved: bool = False, /) -> Rules:
        """The rules."""
        ...


def stricter(one: Policy, two: Policy) -> Policy:
    """The combination that asks for everything either of them asks for."""
    return Policy(
        methods=one.requirement if one.requirement == two.requirement else _both(one.requirement, two.requirement),
        session_window=min(one.session_window, two.session_window),
        session_window_trusted=min(one.session_window_trusted, two.session_window_trusted),
        max_age=least(one.max_age, two.max_age),
        grant_ttl=min(one.grant_ttl, two.grant_ttl),
        uses=least(one.uses, two.uses),
        token_required=one.token_required or two.token_required,
        challenge_ttl=min(one.challenge_ttl, two.challenge_ttl),
        attempts=min(one.attempts, two.attempts),
        block_session_risk=one.blocked | two.blocked,
        min_strength=max(one.min_strength, two.min_strength),
        remember=one.remember and two.remember,
    )


def combined(every: Sequence[Rules]) -> Rules:
    """The rules of a bundle: everything that any of its calls asks for; each call is opened once."""
    policy = functools.reduce(stricter, [one.policy for one in every])
    level = max(one.level for one in every)
    action = Action(BUNDLE, titled(one.action.label for one in every), risk=level)
    hashes = sorted({one.hash for one in every})
    snapshot = {**snapshot_of(action, level, policy), "items": len(every), "rules": hashes}
    digest = hashlib.sha256(b"stepup.rules.bundle.v1\0" + canonical_json(snapshot, name="rules")).hexdigest()[:32]
    return Rules(action, level, policy, digest, snapshot)


def titled(labels: Iterable[str]) -> str:
    """What a bundle is called: the labels of its actions, each with how often it stands there; the first three."""
    counted: dict[str, int] = {}
    for label in labels:
        counted[label] = counted.get(label, 0) + 1
    named = [f"{label[:60]} ({number})" if number > 1 else label[:60] for label, number in counted.items()]
    more = [f"+{len(named) - 3}"] if len(named) > 3 else []
    return ", ".join([*named[:3], *more])


def _both(one: Requirement, two: Requirement) -> Requirement:
    """Both requirements. A login replaces no proof here: what has an alternative to it loses the login."""
    first, second = without_session(one), without_session(two)
    if first is None or second is None:
        return second or first or req.all_of(one, two)
    if ANY in (first, second):
        return second if first is ANY else first
    return req.all_of(first, second)


def with_approval(requirement: Requirement) -> Requirement:
    """*requirement*, and somebody's approval besides."""
    return req.all_of(without_session(requirement) or requirement, APPROVAL)


def without_session(requirement: Requirement) -> Requirement | None:
    """*requirement* with no ``fresh_session`` among its alternatives; None where nothing else is left.

    Inside an all-of a recent login is asked for besides the proof, so there it stays.
    """
    if isinstance(requirement, req.Method):
        return None if requirement.name == FRESH_SESSION else requirement
    if isinstance(requirement, req.AnyOf):
        kept = [part for part in map(without_session, requirement.parts) if part is not None]
        return req.any_of(*kept) if kept else None
    if isinstance(requirement, req.AllOf):
        return req.all_of(*(without_session(part) or part for part in requirement.parts))
    return requirement


def require_uses(uses: object) -> int:
    """*uses*, if it is a number of uses that can be asked for.

    Raises:
        InvalidInput: if it is not.
    """
    if not isinstance(uses, int) or isinstance(uses, bool) or not 1 <= uses <= MAX_USES:
        raise InvalidInput("uses", f"must be a whole number from 1 to {MAX_USES}")
    return uses


def least(one: int | None, two: int | None) -> int | None:
    """The lower of two limits, of which None is none at all."""
    limits = [limit for limit in (one, two) if limit is not None]
    return min(limits) if limits else None


def snapshot_of(action: Action, level: Risk, policy: Policy) -> Mapping[str, object]:
    """The effective rules as JSON: what the hash is over and what events carry."""
    values: dict[str, object] = {field.name: getattr(policy, field.name) for field in fields(policy)}
    values["methods"] = req.as_data(policy.requirement)
    values["block_session_risk"] = sorted(level.value for level in policy.blocked)
    said = {
        surface.value: one.value for surface, one in sorted(cast("Mapping[Surface, Handling]", action.surfaces).items())
    }
    named = {"action": action.id, "level": int(level), "binds": sorted(action.bound), "group": action.group}
    return {**named, "surfaces": said, "impersonation": action.impersonating(level).value, **values}
