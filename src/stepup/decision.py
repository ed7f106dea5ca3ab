"""What a decision is: an outcome, a stable code, and every reason with its numbers.

``Decision`` is what ``check`` returns and what ``StepUpRequired`` and ``Denied`` carry.
``Authorization`` is what ``require`` returns. ``explain()`` is the full form for the audit;
``public()`` is the subset a client may see: it never tells apart the causes of a refused proof.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .context import NO_RISK, Actor, Proof, RiskAssessment
from .errors import Code

Detail = str | int | bool | None


class Outcome(enum.Enum):
    """The only three answers there are."""

    ALLOWED = "allowed"
    STEP_UP_REQUIRED = "step_up_required"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a stable machine-readable code, its numbers, and whether the client may see it."""

    code: str
    detail: Mapping[str, Detail] = field(default_factory=dict[str, Detail])
    public: bool = False

    def as_dict(self) -> dict[str, Detail]:
        """A flat JSON-safe form."""
        return {"reason": self.code, **self.detail}


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one call, and why.

    ``methods`` are those this person can use now, strongest first; ``unavailable`` maps every other
    method that the policy would accept to why it cannot be used. ``satisfied_by`` is ``session``,
    ``step_up`` (an earlier proof in this session), ``surface`` (which the action allows without proof), ``grant`` or
    ``token`` when allowed. It has no truth value, so that none is ever used by accident: ask for ``allowed``.
    """

    outcome: Outcome
    code: Code
    action: str
    level: int
    reasons: tuple[Reason, ...] = ()
    methods: tuple[str, ...] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict[str, str])
    satisfied_by: str | None = None
    offer: str | None = field(default=None, repr=False)
    grant_id: str | None = None
    max_age: int | None = None
    retry_at: datetime | None = None
    enrol_url: str | None = None
    login_url: str | None = None
    rules: str = ""
    risk: RiskAssessment = NO_RISK

    def __bool__(self) -> bool:
        raise TypeError("A decision has no truth value; ask for decision.allowed.")

    @property
    def allowed(self) -> bool:
        """Whether the call may pass."""
        return self.outcome is Outcome.ALLOWED

    @property
    def acr(self) -> str:
        """The authentication context class asked for, as in the token's ``acr`` claim."""
        return f"urn:stepup:level:{int(self.level)}"

    def public(self) -> dict[str, object]:
        """The client-safe subset: no causes of a refused proof, no risk score, no rules."""
        return {
            "outcome": self.outcome.value,
            "code": self.code.value,
            "action": self.action,
            "methods": list(self.methods),
            "unavailable": dict(self.unavailable),
            "maxAge": self.max_age,
            "acrValues": self.acr,
            "retryAt": self.retry_at.isoformat() if self.retry_at else None,
            "enrolUrl": self.enrol_url,
            "loginUrl": self.login_url,
            "reasons": [reason.as_dict() for reason in self.reasons if reason.public],
        }

    def explain(self) -> dict[str, object]:
        """Everything, for the audit. Never hand it to a client."""
        return {
            **self.public(),
            "level": int(self.level),
            "satisfiedBy": self.satisfied_by,
            "grantId": self.grant_id,
            "rules": self.rules,
            "risk": {
                "score": self.risk.score,
                "level": self.risk.level.value,
                "reasons": list(self.risk.reasons),
                "methods": None if self.risk.methods is None else sorted(self.risk.methods),
            },
            "reasons": [reason.as_dict() for reason in self.reasons],
        }


@dataclass(frozen=True, slots=True)
class Authorization:
    """Proof that ``require`` passed: what for, for whom, by what, and when.

    ``remaining`` is how many uses the grant still has, None where it is not counted.
    """

    action: str
    actor: Actor
    at: datetime
    decision: Decision
    grant_id: str | None = None
    proofs: tuple[Proof, ...] = ()
    remaining: int | None = None

    @property
    def strength(self) -> int:
        """The strongest proof behind it; 0 where only a session was needed."""
        return max((proof.strength for proof in self.proofs), default=0)
