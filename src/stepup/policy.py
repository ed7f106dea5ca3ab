"""What each action asks for: risk levels, one table of policies by level, and the actions themselves.

Two configurations a product starts from stand in ``examples/``; this file holds the defaults:

======== ================================================= ========= ===== ===== =====
level    satisfied without a prompt by                     methods   grant uses  token
======== ================================================= ========= ===== ===== =====
1 low    session authenticated within 30 min (12 h trusted) any       600 s many  no
2 medium session authenticated within 5 min (30 min trusted) any      600 s many  no
3 high   nothing                                           strongest 300 s many  no
4 crit.  nothing                                           strongest 120 s one   yes
======== ================================================= ========= ===== ===== =====

``Registry`` resolves an action at a level to ``Rules``: the policy in force, its hash and its snapshot.
Raising the level can only tighten: the rules are the strictest of every level from the action's own up
to the escalated one. Everything here is pure; errors name the thing and the remedy.
"""

from __future__ import annotations

import enum
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Final, Protocol, cast

from . import requirement as req
from .approval import Approvers
from .canonical import canonical_json
from .context import APPROVAL, FRESH_SESSION, RECOVERY_CODE, Context, Resource, RiskLevel, require_text
from .errors import ConfigurationError, InvalidInput, UnknownAction
from .requirement import ANY, STRONGEST, Requirement
from .surface import Handling, Impersonation, Surface, handling, impersonating, surfaces_of

MAX_GRANT_TTL: Final = 12 * 3600
"""No grant outlives half a day (below the re-authentication ceilings of NIST SP 800-63B-4 section 2)."""

MAX_SESSION_WINDOW: Final = 24 * 3600
MAX_USES: Final = 1000
BINDS: Final = frozenset({"session", "device", "organization", "resource", "params"})
"""What a proof is bound to besides actor and action. ``Action(binds=BINDS - {"device"})`` leaves one out."""


BUNDLE: Final = "stepup.bundle"
"""The action that a challenge for several calls, its grant and its events are under. Nobody can register it."""

Params = Mapping[str, object]
Methods = Requirement | str | Sequence[Requirement | str]
"""What a requirement may be given as: one, a method's name, or a sequence that means any-of."""

Describe = Callable[[Resource | None, Params | None], Iterable[tuple[str, str]]]
Escalate = Callable[[Context, Resource | None, Params | None], "Risk | int | None"]


class Risk(enum.IntEnum):
    """How much damage the action can do."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an action asks for. Times are seconds.

    Attributes:
        methods: the requirement; a method name, ``any_of``/``all_of``, ``"any"`` or ``"strongest"``.
        session_window: a session authenticated this recently needs no prompt; 0 for never.
        session_window_trusted: the same on a trusted device, at levels 1 and 2 only.
        max_age: a proof older than this opens nothing, however long the grant would last; None for no limit.
        grant_ttl: how long a grant lasts, at most 12 hours.
        uses: how often it can be spent; None for as often as wanted while it lasts.
        token_required: whether the token must be presented with the call.
        challenge_ttl: how long a challenge stays open.
        attempts: the wrong answer with this number ends a challenge.
        block_session_risk: session risk levels at which the action is refused whatever is proved.
        min_strength: proofs weaker than this never count.
        remember: whether the person may have this device remembered.
    """

    methods: Methods = STRONGEST
    session_window: int = 0
    session_window_trusted: int = 0
    max_age: int | None = None
    grant_ttl: int = 300
    uses: int | None = None
    token_required: bool = False
    challenge_ttl: int = 300
    attempts: int = 5
    block_session_risk: Iterable[RiskLevel | str] = frozenset()
    min_strength: int = 0
    remember: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "methods", req.coerce(self.methods))
        try:
            blocked = frozenset(RiskLevel(level) for level in self.block_session_risk)
        except ValueError as error:
            raise ConfigurationError(
                f"Policy.block_session_risk: {error}.", remedy=f"Allowed: {', '.join(RiskLevel)}."
            ) from None
        object.__setattr__(self, "block_session_risk", blocked)
        _check_numbers(self)
        _check_blocking(blocked)

    @property
    def requirement(self) -> Requirement:
        """``methods``, as the requirement it was made into."""
        return cast("Requirement", self.methods)

    @property
    def blocked(self) -> frozenset[RiskLevel]:
        """``block_session_risk``, as the levels it was made into."""
        return cast("frozenset[RiskLevel]", self.block_session_risk)


_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "session_window": (0, MAX_SESSION_WINDOW),
    "session_window_trusted": (0, MAX_SESSION_WINDOW),
    "max_age": (1, MAX_GRANT_TTL),
    "grant_ttl": (1, MAX_GRANT_TTL),
    "uses": (1, MAX_USES),
    "challenge_ttl": (30, 24 * 3600),
    "attempts": (1, 10),
    "min_strength": (0, 1000),
}


def _check_numbers(policy: Policy) -> None:
    for name, (low, high) in _RANGES.items():
        value = getattr(policy, name)
        if value is None and name in {"max_age", "uses"}:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ConfigurationError(f"Policy.{name} must be an integer from {low} to {high}.")
        object.__setattr__(policy, name, int(value))  # a Strength is an int, but not JSON
    for name in ("token_required", "remember"):
        if not isinstance(getattr(policy, name), bool):
            raise ConfigurationError(f"Policy.{name} must be True or False.")


def _check_blocking(blocked: frozenset[RiskLevel]) -> None:
    """Blocking a risk but letting a worse one through would make risk weaken the decision."""
    if not blocked:
        return
    missing = [level.value for level in RiskLevel if level.rank > min(b.rank for b in blocked) and level not in blocked]
    if missing:
        raise ConfigurationError(
            f"Policy.block_session_risk blocks {sorted(level.value for level in blocked)} but not {missing}.",
            remedy="Block every worse level too; 'unknown' is what a failed assessment gives.",
        )


DEFAULT_POLICIES: Final[Mapping[Risk, Policy]] = {
    Risk.LOW: Policy(methods=ANY, session_window=1800, session_window_trusted=43200, grant_ttl=600),
    Risk.MEDIUM: Policy(methods=ANY, session_window=300, session_window_trusted=1800, grant_ttl=600),
    Risk.HIGH: Policy(methods=STRONGEST, grant_ttl=300),
    Risk.CRITICAL: Policy(methods=STRONGEST, grant_ttl=120, uses=1, token_required=True),
}


@dataclass(frozen=True, slots=True)
class Action:
    """A registered sensitive operation.

    ``methods`` names what counts for this action whatever its level says; ``policy`` replaces the level's
    policy (a ``Policy``, or the name of one in ``policies=``). ``escalate(context, resource, params)`` may
    return a higher risk. ``describe(resource, params)`` turns params into the label and value pairs that
    the person is shown. ``group`` lets one proof cover the actions of a group, levels 1 to 3.
    ``confirmation`` and ``audit_level`` are texts for the account page. ``surfaces`` says of each
    ``Surface`` whether it is allowed, asked or refused; ``impersonation`` what has to be proved while acting on behalf
    of somebody (``stepup.surface`` has the defaults).
    ``confirmation`` and ``audit_level`` are texts for the account page. ``approvers`` says who may approve it, where
    its requirement names ``approval``; without it, the gate's ``Approval(approvers=)`` does.
    """

    id: str
    label: str
    risk: Risk | int = Risk.HIGH
    description: str = ""
    methods: Methods | None = None
    policy: Policy | str | None = None
    binds: Iterable[str] = BINDS
    group: str | None = None
    escalate: Escalate | None = None
    describe: Describe | None = None
    confirmation: str = ""
    audit_level: str = ""
    surfaces: Mapping[Surface | str, Handling | str] = field(default_factory=dict[Surface | str, Handling | str])
    impersonation: Impersonation | str | None = None
    approvers: Approvers | None = None

    def __post_init__(self) -> None:
        require_text("Action.id", self.id, limit=128)
        require_text("Action.label", self.label)
        try:
            object.__setattr__(self, "risk", Risk(self.risk))
        except ValueError:
            raise ConfigurationError(f"Action {self.id!r}: risk must be 1 to 4, not {self.risk!r}.") from None
        if self.methods is not None:
            object.__setattr__(self, "methods", req.coerce(self.methods))
        object.__setattr__(self, "binds", frozenset(self.binds))
        if unknown := sorted(self.bound - BINDS):
            raise ConfigurationError(f"Action {self.id!r} binds {unknown}.", remedy=f"Allowed: {sorted(BINDS)}.")
        if self.approvers is not None and not isinstance(self.approvers, Approvers):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(
                f"Action {self.id!r}: approvers is a {type(self.approvers).__name__}.", remedy="Use Approvers(...)."
            )
        if self.group is not None and self.level is Risk.CRITICAL:
            raise ConfigurationError(
                f"Action {self.id!r} is critical and in group {self.group!r}.",
                remedy="One proof never covers several critical actions; remove the group or lower the risk.",
            )

        where = f"Action {self.id!r}"
        object.__setattr__(self, "surfaces", surfaces_of(self.surfaces, where, critical=self.level is Risk.CRITICAL))
        try:
            said = None if self.impersonation is None else Impersonation(self.impersonation)
        except ValueError as error:
            raise ConfigurationError(
                f"{where}: impersonation: {error}.", remedy=f"Allowed: {', '.join(Impersonation)}."
            ) from None
        object.__setattr__(self, "impersonation", said)

    def handling(self, surface: Surface, level: int) -> Handling:
        """What is done with a call of it at *level* that comes in on *surface*."""
        return handling(cast("Mapping[Surface, Handling]", self.surfaces), surface, self.level, level)

    def impersonating(self, level: int) -> Impersonation:
        """What has to be proved for it at *level* while acting on behalf of somebody."""
        return impersonating(cast("Impersonation | None", self.impersonation), level)

    @property
    def level(self) -> Risk:
        """``risk``, as the level it was made into."""
        return cast("Risk", self.risk)

    @property
    def requirement(self) -> Requirement | None:
        """``methods``, as the requirement they were made into."""
        return cast("Requirement | None", self.methods)

    @property
    def bound(self) -> frozenset[str]:
        """``binds``, as the set of names it was made into."""
        return cast("frozenset[str]", self.binds)


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


class Registry:
    """All actions and policies of a gate, resolved and checked once. Immutable."""

    def __init__(
        self,
        actions: Sequence[Action],
        policies: Mapping[Risk | int | str, Policy] | None = None,
        *,
        methods: Mapping[str, int],
        assessed: bool,
        approvers: Approvers | None = None,
    ) -> None:
        """Check that every action can be decided.

        Args:
            actions: the application's and stepup's own.
            policies: replacements for the default table by level, and named policies.
            methods: the configured methods and their best strength.
            assessed: whether a risk assessor is configured.
            approvers: who may approve what names approval and no approvers of its own.

        Raises:
            ConfigurationError: naming the action or policy and the remedy.
        """
        self._table: dict[Risk, Policy] = dict(DEFAULT_POLICIES)
        self._named: dict[str, Policy] = {}
        self._methods = dict(methods)
        self._approvers = approvers
        for key, policy in (policies or {}).items():
            self._add_policy(key, policy)
            _check_assessed(f"policies[{key!r}]", policy, assessed)
        self._actions: dict[str, Action] = {}
        for action in actions:
            if not isinstance(action, Action):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
                raise ConfigurationError(f"actions holds a {type(action).__name__}.", remedy="Use Action(...).")
            if action.id == BUNDLE:
                raise ConfigurationError(f"Action {BUNDLE!r} is what bundles are under.", remedy="Use another id.")
            if action.id in self._actions:
                raise ConfigurationError(f"Action {action.id!r} is registered twice.", remedy="Remove one of them.")
            self._actions[action.id] = action
        self.rules: RulesOf = functools.cache(self._rules)
        for action in self._actions.values():
            for level in Risk:
                if level == action.level or (level > action.level and action.escalate is not None):
                    self._check(self.rules(action.id, level), assessed=assessed)
                    if action.impersonating(level) is Impersonation.APPROVE:
                        self._check(self.rules(action.id, level, True), assessed=assessed)

    @property
    def named_policies(self) -> Mapping[str, Policy]:
        """The policies that actions can name."""
        return self._named

    @property
    def actions(self) -> Mapping[str, Action]:
        """Every action by id, in the order registered."""
        return self._actions

    def action(self, action_id: object) -> Action:
        """The action with that id.

        Raises:
            UnknownAction: if nobody registered it.
        """
        found = self._actions.get(action_id) if isinstance(action_id, str) else None
        if found is None:
            raise UnknownAction(
                action_id[:128] if isinstance(action_id, str) else type(action_id).__name__, tuple(self._actions)
            )
        return found

    def _add_policy(self, key: Risk | int | str, policy: Policy) -> None:
        if not isinstance(policy, Policy):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(f"policies[{key!r}] is a {type(policy).__name__}.", remedy="Use Policy(...).")
        if isinstance(key, str):
            self._named[require_text("policies key", key, limit=64)] = policy
            return
        try:
            self._table[Risk(key)] = policy
        except ValueError:
            raise ConfigurationError(
                f"policies has the key {key!r}.", remedy="Use Risk.LOW to Risk.CRITICAL."
            ) from None

    def _rules(self, action_id: str, level: Risk, approved: bool = False, /) -> Rules:
        action = self._actions[action_id]
        policy = self._own_policy(action)
        for raised in Risk:
            if action.level < raised <= level:
                policy = stricter(policy, self._table[raised])
        if action.requirement is not None:
            own = action.requirement if level == action.level else _without_session(action.requirement)
            policy = replace(policy, methods=own or policy.requirement)
        if approved:
            policy = replace(policy, methods=_approved(policy.requirement))
        snapshot = {**_snapshot(action, level, policy), "verifiers": self._methods}
        approvers = (action.approvers or self._approvers) if APPROVAL in req.names(policy.requirement) else None
        if approvers is not None:
            snapshot["approvers"] = approvers.as_data()
        digest = hashlib.sha256(b"stepup.rules.v1\0" + canonical_json(snapshot, name="rules")).hexdigest()[:32]
        return Rules(action, level, policy, digest, snapshot, approvers)

    def _own_policy(self, action: Action) -> Policy:
        if action.policy is None:
            return self._table[action.level]
        if isinstance(action.policy, Policy):
            return action.policy
        if action.policy not in self._named:
            raise ConfigurationError(
                f"Action {action.id!r} uses the policy {action.policy!r}.",
                remedy=f"Named policies are: {sorted(self._named) or 'none'}; add it to policies=.",
            )
        return self._named[action.policy]

    def _check(self, rules: Rules, *, assessed: bool) -> None:
        where = f"Action {rules.action.id!r} at level {rules.level.value}"
        policy = rules.policy
        _check_assessed(where, policy, assessed)
        for leaf in req.leaves(policy.requirement):
            if not isinstance(leaf, req.Method):
                continue
            if leaf.name == FRESH_SESSION:
                if not (policy.session_window or leaf.max_age):
                    raise ConfigurationError(
                        f"{where} names fresh_session, but its session_window is 0.",
                        remedy="Set session_window, or method('fresh_session', max_age=...).",
                    )
            elif leaf.name not in self._methods:
                known = sorted([*self._methods, FRESH_SESSION])
                raise ConfigurationError(
                    f"{where} names the method {leaf.name!r}, which no verifier provides.",
                    remedy=f"Add its verifier, or use one of: {', '.join(known)}.",
                )
            elif leaf.name == APPROVAL:
                _check_approval(where, rules)
            elif leaf.name != RECOVERY_CODE and self._methods[leaf.name] < policy.min_strength:
                raise ConfigurationError(
                    f"{where} names {leaf.name!r}, which is weaker than its min_strength {policy.min_strength}.",
                    remedy="Remove the method, or lower min_strength.",
                )


def _check_approval(where: str, rules: Rules) -> None:
    """What others approve is one call, whole: never a group of actions, nor a call of which part is not bound."""
    if rules.approvers is None:
        raise ConfigurationError(
            f"{where} names approval, but nobody may approve it.",
            remedy="Pass approvers=Approvers(...) to the action, or to Approval().",
        )
    if rules.action.group is not None or not {"resource", "params"} <= rules.action.bound:
        raise ConfigurationError(
            f"{where} names approval, but a grant for it would open more than was approved.",
            remedy="Take it out of its group, and bind resource and params.",
        )


def _check_assessed(where: str, policy: Policy, assessed: bool) -> None:
    if policy.blocked and not assessed:
        raise ConfigurationError(
            f"{where} blocks on session risk, but nothing assesses it.", remedy="Pass risk=... to the gate."
        )


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
    snapshot = {**_snapshot(action, level, policy), "items": len(every), "rules": hashes}
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
    first, second = _without_session(one), _without_session(two)
    if first is None or second is None:
        return second or first or req.all_of(one, two)
    if ANY in (first, second):
        return second if first is ANY else first
    return req.all_of(first, second)


def _approved(requirement: Requirement) -> Requirement:
    """*requirement*, and somebody's approval besides."""
    return req.all_of(_without_session(requirement) or requirement, APPROVAL)


def _without_session(requirement: Requirement) -> Requirement | None:
    """*requirement* with no ``fresh_session`` among its alternatives; None where nothing else is left.

    Inside an all-of a recent login is asked for besides the proof, so there it stays.
    """
    if isinstance(requirement, req.Method):
        return None if requirement.name == FRESH_SESSION else requirement
    if isinstance(requirement, req.AnyOf):
        kept = [part for part in map(_without_session, requirement.parts) if part is not None]
        return req.any_of(*kept) if kept else None
    if isinstance(requirement, req.AllOf):
        return req.all_of(*(_without_session(part) or part for part in requirement.parts))
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


def _snapshot(action: Action, level: Risk, policy: Policy) -> Mapping[str, object]:
    """The effective rules as JSON: what the hash is over and what events carry."""
    values: dict[str, object] = {field.name: getattr(policy, field.name) for field in fields(policy)}
    values["methods"] = req.as_data(policy.requirement)
    values["block_session_risk"] = sorted(level.value for level in policy.blocked)
    said = {
        surface.value: one.value for surface, one in sorted(cast("Mapping[Surface, Handling]", action.surfaces).items())
    }
    named = {"action": action.id, "level": int(level), "binds": sorted(action.bound), "group": action.group}
    return {**named, "surfaces": said, "impersonation": action.impersonating(level).value, **values}
