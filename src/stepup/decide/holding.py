"""What the person can prove now, and what to answer where that is nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from stepup.challenge import FactorRef
from stepup.context import APPROVAL, FRESH_SESSION, RECOVERY_CODE, Proof
from stepup.decision import Decision, Outcome, Reason
from stepup.errors import Code
from stepup.factor import Factor, strongest
from stepup.limits import Limits
from stepup.requirement import ANY, Holding, Method, Usable, leaves, open_methods
from stepup.throttle import Blocked, Throttle
from stepup.tries import Trial, blocked

from .request import Request
from .session import holding


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What the engine knows of a configured method."""

    strength: int
    points: int = 0
    prepares: bool = False
    phishing_resistant: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """The person's factors, judged: which methods could be proved now, and why the others could not.

    ``factors`` are those that count; ``unavailable`` maps a method to ``locked``, ``quarantined``,
    ``unreadable``, ``narrowed`` or ``not_enrolled``.
    """

    factors: tuple[FactorRef, ...]
    unavailable: Mapping[str, str]
    strongest: int | None
    any_enrolled: bool
    waits: Mapping[str, datetime] = field(default_factory=dict[str, datetime])

    @property
    def usable(self) -> tuple[Usable, ...]:
        """One entry per factor that counts."""
        return tuple(Usable(factor.method, factor.strength, factor.stands_for) for factor in self.factors)


def strength_of(factor: Factor, methods: Mapping[str, MethodInfo]) -> int:
    """The best a factor can reach: its own, or its method's; a recovery code, that of what it stands for."""
    if factor.strength is not None:
        return factor.strength
    info = methods.get(factor.stands_for or factor.method)
    return info.strength if info else 0


def trial(challenge_id: str, factors: Iterable[FactorRef], info: MethodInfo, trusted_device: str | None) -> Trial:
    """One answer held against *factors*: guessing against two authenticators costs twice."""
    ids = tuple(factor.id for factor in factors)
    return Trial(challenge_id, ids, trusted_device, info.points * max(1, len(ids)))


def trusted_device(request: Request) -> str | None:
    """What counts as one device, if the server trusts it: the hash of its fingerprint, or else its id."""
    return (request.binding.device or request.trusted) if request.on_trusted_device else None


def judge(
    request: Request,
    factors: Iterable[Factor],
    methods: Mapping[str, MethodInfo],
    throttle: Throttle,
    limits: Limits,
    now: datetime,
) -> Held:
    """Which of *factors* count now, and why the others do not."""
    every = list(factors)
    good: list[FactorRef] = []
    why: dict[str, str] = dict.fromkeys(methods, "not_enrolled")
    waits: dict[str, datetime] = {}
    for factor in every:
        info = methods.get(factor.method)
        if info is None:
            continue
        ref = FactorRef(factor.id, factor.method, strength_of(factor, methods), factor.fingerprint, factor.stands_for)
        reason, until = _unusable(request, factor, ref, info, throttle, limits, now)
        if reason is None:
            good.append(ref)
        else:
            why[factor.method] = reason
            if until is not None:
                waits[factor.method] = min(until, waits.get(factor.method, until))
    why.pop(APPROVAL, None)
    if APPROVAL in methods and APPROVAL in request.rules.named:
        if request.risk.methods is None or APPROVAL in request.risk.methods:
            good.append(FactorRef(APPROVAL, APPROVAL, 0))  # asking others takes no factor of one's own
        else:
            why[APPROVAL] = "narrowed"
    for ref in good:
        why.pop(ref.method, None)
    strengths = {name: info.strength for name, info in methods.items()}
    return Held(tuple(good), why, strongest(every, strengths, now), bool(every), waits)


def _unusable(
    request: Request,
    factor: Factor,
    ref: FactorRef,
    info: MethodInfo,
    throttle: Throttle,
    limits: Limits,
    now: datetime,
) -> tuple[str | None, datetime | None]:
    if not factor.usable:
        return "unreadable", None
    if factor.in_quarantine(now):
        return "quarantined", factor.quarantined_until
    if request.risk.methods is not None and factor.method not in request.risk.methods:
        return "narrowed", None
    stopped: Blocked | None = blocked(throttle, trial("", (ref,), info, trusted_device(request)), limits, now)
    return ("locked", stopped.retry_at) if stopped else (None, None)


def ways(request: Request, held: Held, proofs: Iterable[Proof], now: datetime) -> tuple[str, ...]:
    """The methods that would lead to the requirement being met, strongest first."""
    return open_methods(request.rules.policy.requirement, held.usable, proofs, _holding(request, held, now), now)


def _holding(request: Request, held: Held, now: datetime) -> Holding:
    return holding(request, now, held.strongest)


def answer(
    request: Request,
    held: Held,
    now: datetime,
    *,
    code: Code = Code.VERIFICATION_REQUIRED,
    reasons: tuple[Reason, ...] = (),
    enrol_url: str | None = None,
    login_url: str | None = None,
) -> Decision:
    """What to say where the call is not open yet: step-up with these methods, or a denial with a way on.

    Never "no factor, so pass": a person without a usable method is told where to enrol one, or to sign in
    again where a recent login is all that is asked for.
    """
    methods = ways(request, held, (), now)
    named = {*request.rules.named, RECOVERY_CODE} if request.rules.named else set(held.unavailable)
    if not request.rules.recovery_stands_in or request.rules.named == (APPROVAL,):  # nobody's factor is asked for
        named -= {RECOVERY_CODE} - {*request.rules.named}
    unavailable = {name: why for name, why in held.unavailable.items() if name in named}
    retry_at = min((at for name, at in held.waits.items() if name in unavailable), default=None)
    base = Decision(
        Outcome.STEP_UP_REQUIRED,
        code,
        request.action.id,
        request.rules.level,
        reasons,
        methods,
        unavailable,
        max_age=asked_age(request),
        rules=request.rules.hash,
        risk=request.risk,
    )
    if methods:
        return base
    base = replace(base, outcome=Outcome.DENIED, max_age=None)
    if _login_helps(request):
        return replace(base, code=Code.LOGIN_REQUIRED, login_url=login_url)
    if "locked" in unavailable.values():
        return replace(base, code=Code.LOCKED_OUT, retry_at=retry_at)
    return replace(base, code=Code.NO_USABLE_METHOD, retry_at=retry_at, enrol_url=enrol_url)


def asked_age(request: Request) -> int:
    """How old an authentication may be for this call, in seconds (the ``max_age`` of RFC 9470)."""
    policy = request.rules.policy
    return policy.max_age or policy.session_window or policy.grant_ttl


def _login_helps(request: Request) -> bool:
    if request.risk.methods is not None or request.impersonated:
        return False
    named = [leaf for leaf in leaves(request.rules.policy.requirement) if isinstance(leaf, Method)]
    if any(leaf.name == FRESH_SESSION for leaf in named):
        return True
    return request.rules.policy.requirement is ANY and request.rules.policy.session_window > 0
