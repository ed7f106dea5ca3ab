"""Construction: every mistake that can be seen before the first request is seen here.

``build`` turns what a developer passes to ``StepUp`` or ``AsyncStepUp`` into a ``Core``. The two faces
differ only in the ports they hand over: already async, and calling hooks in their own colour.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypedDict, cast

from ._bridge import Offload, is_async, require_methods
from ._engine.core import Core
from ._engine.device_tokens import DeviceTokens
from ._observe import Told, observer
from .clock import ForwardClock, SystemClock
from .context import APPROVAL, FRESH_SESSION, RECOVERY_CODE, Context, require_text
from .decide.approving import ACTION as APPROVAL_ACTION
from .decide.enrol import OWN_ACTIONS
from .decide.holding import MethodInfo
from .errors import ConfigurationError, InvalidInput
from .event import Event
from .keys import KeyRing, Secret, Vault
from .limits import Limits
from .notices import Notice, Notices
from .policy import Action, Policy, Risk
from .ports import (
    ApprovalHooks,
    AsyncMailer,
    AsyncRiskAssessor,
    AsyncStore,
    AsyncVerifier,
    Call,
    Clock,
    HistoryAssessor,
    Mailer,
    Message,
    Portable,
    RiskAssessor,
)
from .registry import Registry
from .surface import Impersonation
from .token import GRANT_TYPE, OFFER_TYPE, TokenWriter

Secrets = Secret | Sequence[Secret] | KeyRing


class Common(TypedDict, total=False):
    """What both faces take besides actions, verifiers, store and secret, of either colour; ``StepUp`` has the words."""

    factor_secret: Secrets | None
    policies: Mapping[Risk | int | str, Policy] | None
    limits: Limits | None
    clock: Clock | None
    context_of: Callable[[], Context] | None
    on_decision: Told | None
    record: Literal["events", "all"]
    namespace: str
    audience: str | None
    enrol_url: str | None
    login_url: str | None
    revoke_on_reuse: bool
    notices: Notices | None


class Options(Common, total=False):
    """The rest of them on the sync face."""

    risk: RiskAssessor | HistoryAssessor | None
    mailer: Mailer | None
    may_start: Callable[[str, Context], bool] | None
    notify: Callable[[Notice], object] | None
    on_event: Callable[[Event], object] | None


class AsyncOptions(Common, total=False):
    """The rest of them on the async face."""

    risk: RiskAssessor | AsyncRiskAssessor | HistoryAssessor | None
    mailer: Mailer | AsyncMailer | None
    may_start: Callable[[str, Context], bool | Awaitable[bool]] | None
    notify: Callable[[Notice], object] | None
    on_event: Callable[[Event], object] | None
    offload: Offload | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What both faces take, besides their ports. ``StepUp`` documents each."""

    actions: Sequence[Action]
    secret: Secrets
    factor_secret: Secrets | None = None
    policies: Mapping[Risk | int | str, Policy] | None = None
    limits: Limits | None = None
    clock: Clock | None = None
    notify: Callable[[Notice], object] | None = None
    notices: Notices | None = None
    on_event: Callable[[Event], object] | None = None
    on_decision: Told | None = None
    record: Literal["events", "all"] = "events"
    namespace: str = "stepup"
    audience: str | None = None
    enrol_url: str | None = None
    login_url: str | None = None
    revoke_on_reuse: bool = False


def build(
    settings: Settings,
    *,
    store: AsyncStore,
    verifiers: Sequence[AsyncVerifier],
    risk: AsyncRiskAssessor | HistoryAssessor | None,
    send: Callable[[Message], object] | None,
    call: Call,
) -> Core:
    """Check everything and put it together.

    Raises:
        ConfigurationError: naming the thing and the remedy.
    """
    methods = _methods(verifiers)
    if RECOVERY_CODE in methods and send is None:
        raise ConfigurationError(
            "RecoveryCode() needs a mailer: every use of a recovery code is told to the person.",
            remedy="Pass mailer=... to the gate, or an EmailCode(mailer=...) among the verifiers.",
        )
    if settings.record not in {"events", "all"}:
        raise ConfigurationError(f"record= must be 'events' or 'all', not {settings.record!r}.")
    for action in settings.actions:
        for hook in ("escalate", "describe"):
            if isinstance(action, Action) and is_async(getattr(action, hook)):  # pyright: ignore[reportUnnecessaryIsInstance] -- Registry refuses the rest
                raise ConfigurationError(f"Action {action.id!r}: {hook} is async.", remedy="Make it a plain function.")
    if settings.limits is not None and not isinstance(settings.limits, Limits):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise ConfigurationError(
            f"limits= must be Limits, not {type(settings.limits).__name__}.", remedy="Use Limits(...)."
        )
    _check_telling(settings)
    if not isinstance(settings.revoke_on_reuse, bool):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise ConfigurationError("revoke_on_reuse= must be True or False.")
    ring = KeyRing.coerce(settings.secret)
    factor_ring = (
        ring if settings.factor_secret is None else KeyRing.coerce(settings.factor_secret, name="factor_secret")
    )
    clock = settings.clock or SystemClock()
    require_methods("clock", clock, ("now",))
    namespace = _name("namespace", settings.namespace)
    approval = _approval(verifiers)
    registry = Registry(
        _with_own(settings.actions, approval),
        settings.policies,
        methods={name: info.strength for name, info in methods.items()},
        assessed=risk is not None,
        approvers=approval.approvers if approval else None,
    )
    _check_roles(registry, approval)
    _check_own_step_up(registry)
    return Core(
        registry=registry,
        ring=ring,
        vault=Vault(factor_ring),
        grants=TokenWriter(ring, GRANT_TYPE),
        offers=TokenWriter(ring, OFFER_TYPE),
        trust=DeviceTokens(ring, namespace),
        store=store,
        verifiers={verifier.method: verifier for verifier in verifiers if verifier.method != APPROVAL},
        methods=methods,
        clock=ForwardClock(clock),
        call=call,
        limits=settings.limits or Limits(),
        assess=None if isinstance(risk, HistoryAssessor) else risk,
        watch=risk if isinstance(risk, HistoryAssessor) else None,
        send=send,
        notify=settings.notify,
        notices=settings.notices or Notices(),
        on_event=settings.on_event,
        observe=observer(settings.on_decision, call, clock) if settings.on_decision else None,
        record_all=settings.record == "all",
        namespace=namespace,
        audience=_name("audience", settings.audience if settings.audience is not None else namespace),
        enrol_url=settings.enrol_url,
        login_url=settings.login_url,
        revoke_on_reuse=settings.revoke_on_reuse,
        approval=approval,
    )


def _check_telling(settings: Settings) -> None:
    """Refuse what cannot be told anything, and settings of another type."""
    hooks: dict[str, object] = {
        "on_event": settings.on_event,
        "on_decision": settings.on_decision,
        "notify": settings.notify,
    }
    for what, given in hooks.items():
        if given is not None and not callable(given):
            raise ConfigurationError(f"{what}= is a {type(given).__name__}, not callable.", remedy="Pass a function.")
    if settings.notices is not None and not isinstance(settings.notices, Notices):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise ConfigurationError(
            f"notices= must be Notices, not {type(settings.notices).__name__}.", remedy="Use Notices(...)."
        )


def _approval(verifiers: Sequence[AsyncVerifier]) -> ApprovalHooks | None:
    """What the verifier of approvals brings; nothing else may go by its name."""
    for verifier in verifiers:
        if verifier.method == APPROVAL:
            found: object = getattr(verifier, "approval", None)
            if isinstance(found, ApprovalHooks):
                return found
            raise ConfigurationError(
                f"{type(verifier).__name__} provides the method {APPROVAL!r}.", remedy="Use stepup.verifiers.Approval."
            )
    return None


def _check_roles(registry: Registry, approval: ApprovalHooks | None) -> None:
    """Who has a role is for the application to say."""
    for action in registry.actions.values():
        levels = [level for level in Risk if level >= action.level]
        besides = [level for level in levels if action.impersonating(level) is Impersonation.APPROVE]
        every = [registry.rules(action.id, level).approvers for level in levels]
        every += [registry.rules(action.id, level, True).approvers for level in besides]
        by_role = any(one is not None and one.roles for one in every)
        if by_role and (approval is None or approval.roles_of is None):
            raise ConfigurationError(
                f"Action {action.id!r} is approved by a role, and nothing tells who has it.",
                remedy="Pass roles_of= to Approval().",
            )


def _check_own_step_up(registry: Registry) -> None:
    """What an approver proves is for one request, whatever an application has put in the place of our own action."""
    action = registry.actions.get(APPROVAL_ACTION.id)
    if action is None:
        return
    named = any(APPROVAL in registry.rules(action.id, level).named for level in Risk if level >= action.level)
    if named or action.group is not None or not {"resource", "params"} <= action.bound:
        raise ConfigurationError(
            f"Action {action.id!r} is an approver's own proof, for one request and nothing else.",
            remedy="Bind resource and params, leave group= out, and name other methods than approval.",
        )


RESERVED: Final = frozenset({FRESH_SESSION, "any", "strongest"})


def _name(what: str, value: object) -> str:
    try:
        return require_text(what, value)
    except InvalidInput as error:
        raise ConfigurationError(str(error)) from None


def _methods(verifiers: Sequence[AsyncVerifier]) -> Mapping[str, MethodInfo]:
    found: dict[str, MethodInfo] = {}
    for verifier in verifiers:
        name = require_text("Verifier.method", verifier.method, limit=64)
        if not name.isascii():
            raise ConfigurationError(
                f"The method {name!r} is not ASCII.", remedy="Use letters, digits and underscores."
            )
        if name in RESERVED or (int(verifier.strength) <= 0 and name not in {RECOVERY_CODE, APPROVAL}):
            raise ConfigurationError(
                f"A verifier cannot have the method {name!r} with strength {int(verifier.strength)}.",
                remedy=f"{', '.join(sorted(RESERVED))} mean something else; a method needs a strength above 0.",
            )
        if name in found:
            raise ConfigurationError(f"Two verifiers provide the method {name!r}.", remedy="Remove one of them.")
        if int(verifier.points) < 0:
            raise ConfigurationError(f"The verifier of {name!r} has points below 0.", remedy="Use 0 or more.")
        found[name] = MethodInfo(
            int(verifier.strength), int(verifier.points), verifier.prepares is True, verifier.phishing_resistant is True
        )
    return found


def _with_own(actions: Sequence[Action], approval: ApprovalHooks | None) -> Sequence[Action]:
    """The application's actions, and stepup's own where it registered none under their ids."""
    given = {action.id for action in actions if isinstance(action, Action)}  # pyright: ignore[reportUnnecessaryIsInstance] -- Registry refuses the rest
    own_actions = (*OWN_ACTIONS, APPROVAL_ACTION) if approval else OWN_ACTIONS
    return (*actions, *(own for own in own_actions if own.id not in given))


def sender(mailer: object, verifiers: Sequence[object]) -> Callable[[Message], object] | None:
    """What hands notices to the mail system: the gate's mailer, or the first that a verifier brings."""
    if mailer is not None:
        require_methods("mailer", mailer, ("send",))
        return cast("Mailer | AsyncMailer", mailer).send
    for verifier in verifiers:
        if isinstance(verifier, Portable) and (send := verifier.hooks.get("mailer")) is not None:
            return send
    return None
