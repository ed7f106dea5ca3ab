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

This is what an application writes. ``registry`` resolves an action at a level to ``rules``: the policy in force, its
hash and its snapshot. Everything here is pure; errors name the thing and the remedy.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from . import requirement as req
from .approval import Approvers
from .context import Context, Resource, RiskLevel, require_text
from .errors import ConfigurationError
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
            raise ConfigurationError(
                f"Action {self.id!r}: risk must be 1 to 4, not {self.risk!r}.",
                remedy="Use Risk.LOW, Risk.MEDIUM, Risk.HIGH or Risk.CRITICAL.",
            ) from None
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

    def handling(self, surface: Surface, level: int, *, by_others: bool) -> Handling:
        """What is done with a call of it at *level* that comes in on *surface*; see ``surface.handling``."""
        given = cast("Mapping[Surface, Handling]", self.surfaces)
        return handling(given, surface, self.level, level, by_others=by_others)

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
