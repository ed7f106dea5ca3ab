"""Advice on a configuration that is valid and may still not be what is wanted.

========================= ========= ================================================================ =============
code                      severity  what is found                                                    after
========================= ========= ================================================================ =============
identity_change_level     warning   what signs people in can be changed at level 1 or 2              ASVS 7.5.1
identity_change_session   warning   ... after no more than a recent login                            ASVS 7.5.1
identity_change_method    warning   ... with a weaker method than the strongest configured           ASVS 7.5.1
reauthentication_ceiling  warning   a window or grant longer than a session may go unproved          63B-4 2.2, 2.3
passkey_unverified        warning   a passkey that verified nobody is enough at level 4              WA-L3 13.4.7
unsatisfiable             warning   no configured method can open the action                         63B-4 3
notice_off                warning   nobody is told of a change of factors, or of a recovery code     ASVS 6.3.7
blocks_newcomers          warning   a risk that everybody has once is blocked: nobody gets known     derived
shared_recovery           info      an all-of whose parts can all be had through one mailbox         CVE-2024-27928
unused_policy             info      a named policy that no action names
group_levels              info      a group over several levels: one proof need not do for all
========================= ========= ================================================================ =============

Pure; run it at start-up or in a test. What is an identity change is told from
the words in an action's id, so ``account.changeEmail``, ``email_change`` and ``mfa.disable`` are all known.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from .context import FRESH_SESSION, RECOVERY_CODE, RiskLevel
from .policy import Action, Policy, Risk
from .registry import Registry
from .requirement import ANY, STRONGEST, AllOf, AnyOf, Method, Requirement, Strength, leaves

__all__ = ["AAL2_CEILING", "AAL3_CEILING", "Finding", "changes_identity", "lint"]

AAL2_CEILING: Final = 24 * 3600
"""Seconds after which a person proves themselves again at AAL2 (NIST SP 800-63B-4 section 2.2.3)."""

AAL3_CEILING: Final = 12 * 3600
"""The same at AAL3 (section 2.3.3); taken for levels 3 and 4, and wherever a passkey is asked for."""

MAIL_CHANNEL: Final = frozenset({"email_code", "password"})
"""Methods that whoever reads the mailbox has: the code arrives there, and so does the link to a new password."""

_FACTORS: Final = frozenset(
    {"mfa", "2fa", "totp", "otp", "passkey", "passkeys", "webauthn", "recovery", "authenticator", "factor", "factors"}
)
_ATTRIBUTES: Final = frozenset({"email", "phone", "mobile", "password", "username"})
_CHANGES: Final = frozenset(
    {"add", "change", "changed", "delete", "edit", "new", "remove", "replace", "reset", "set", "swap", "update"}
)
_WORD: Final = re.compile(r"[0-9]+[A-Z]+(?![a-z])|[0-9]+[a-z]+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of advice: a stable code, the action it is about (None for the whole), what, and what to do."""

    code: str
    action: str | None
    message: str
    remedy: str
    severity: Literal["warning", "info"] = "warning"


def lint(
    registry: Registry,
    methods: Mapping[str, int],
    unverified: Collection[str] = (),
    untold: Collection[str] = (),
    *,
    remembers: bool = False,
) -> tuple[Finding, ...]:
    """Everything worth a second look, by action in the order registered, then what concerns several.

    Args:
        registry: the actions and policies of a gate.
        methods: the configured methods and their best strength, as given to the registry.
        unverified: those that may prove without verifying the person (a passkey with ``"preferred"``).
        untold: the kinds of notices that standards demand and that are switched off.
        remembers: whether the assessor judges by where proofs came from, so that everybody is new once.
    """
    found: list[Finding] = []
    for action in registry.actions.values():
        policy = registry.rules(action.id, action.level).policy
        found.extend(_identity(action, policy, methods))
        found.extend(_ceiling(action, policy, methods))
        for level in Risk:
            if level == action.level or (level > action.level and action.escalate is not None):
                found.extend(_unsatisfiable(action, level, registry.rules(action.id, level).policy, methods))
        if action.level == Risk.CRITICAL:
            found.extend(_unverified(action, policy, methods, unverified))
        found.extend(_shared_recovery(action, policy))
        if remembers and RiskLevel.MEDIUM in policy.blocked:
            found.append(_newcomers(action))
    return (*found, *_unused(registry), *_groups(registry), *map(_untold, untold))


def _newcomers(action: Action) -> Finding:
    return Finding(
        "blocks_newcomers",
        action.id,
        f"{action.id} is blocked at medium risk, as everybody is on a first visit: only a proof makes a place known.",
        "Block high and unknown; narrow the methods at medium.",
    )


def _untold(kind: str) -> Finding:
    return Finding(
        "notice_off",
        None,
        f"Nobody is told of {kind}.",
        "Take it out of Notices(off_though_demanded=), or tell people in another way.",
    )


def changes_identity(action_id: str) -> bool:
    """Whether an action of that id changes how somebody signs in, judged by its words."""
    words = [word.lower() for word in _WORD.findall(action_id)]
    words += [first + second for first, second in itertools.pairwise(words)]  # pass-key, e-mail, 2-fa
    said = set(words)
    return not said.isdisjoint(_FACTORS) or not (said.isdisjoint(_ATTRIBUTES) or said.isdisjoint(_CHANGES))


def _identity(action: Action, policy: Policy, methods: Mapping[str, int]) -> Iterator[Finding]:
    if not changes_identity(action.id):
        return
    if action.level < Risk.HIGH:
        yield Finding(
            "identity_change_level",
            action.id,
            f"{action.id} changes how people sign in, at level {action.level.value}.",
            "Give it Risk.HIGH or Risk.CRITICAL.",
        )
    if _by_login(policy.requirement) or _login_may_do(policy):
        yield Finding(
            "identity_change_session",
            action.id,
            f"{action.id} changes how people sign in, and a recent login is enough for it.",
            "Set session_window and session_window_trusted to 0, and do not name fresh_session.",
        )
    weakest, strongest = _weakest(policy, methods), max(methods.values(), default=0)
    if weakest < strongest:
        yield Finding(
            "identity_change_method",
            action.id,
            f"{action.id} changes how people sign in, and a proof of strength {weakest} is enough for it "
            f"where {strongest} is configured.",
            'Use methods="strongest": it asks each person for the best they have.',
        )


def _login_may_do(policy: Policy) -> bool:
    """Whether the proofs of a recent login can stand for new ones; they never do where the strongest is asked for."""
    window = max(policy.session_window, policy.session_window_trusted)
    return window > 0 and any(leaf is not STRONGEST for leaf in leaves(policy.requirement))


def _by_login(requirement: Requirement) -> bool:
    """Whether some way of meeting *requirement* is nothing but a login."""
    if isinstance(requirement, AnyOf):
        return any(_by_login(part) for part in requirement.parts)
    if isinstance(requirement, AllOf):
        return all(_by_login(part) for part in requirement.parts)
    return isinstance(requirement, Method) and requirement.name == FRESH_SESSION


def _weakest(policy: Policy, methods: Mapping[str, int]) -> int:
    """The strength of the weakest proof that opens it. A login is looked at elsewhere and left out.

    A recovery code is as good as the factor it was issued with, which is never a weak one.
    """
    strongest = max(methods.values(), default=0)

    def walk(requirement: Requirement) -> int:
        if isinstance(requirement, AnyOf):
            return min((walk(part) for part in requirement.parts if not _by_login(part)), default=strongest)
        if isinstance(requirement, AllOf):
            return max((walk(part) for part in requirement.parts if not _by_login(part)), default=strongest)
        if requirement is ANY:
            return min(_counting(policy, methods), default=strongest)
        if isinstance(requirement, Method) and requirement.name not in {FRESH_SESSION, RECOVERY_CODE}:
            return methods.get(requirement.name, 0)
        return strongest

    return walk(policy.requirement)


def _counting(policy: Policy, methods: Mapping[str, int]) -> list[int]:
    """The strengths of the methods that are not too weak for *policy*."""
    return [worth for name, worth in methods.items() if name != RECOVERY_CODE and worth >= max(policy.min_strength, 1)]


def _ceiling(action: Action, policy: Policy, methods: Mapping[str, int]) -> Iterator[Finding]:
    logins = [leaf.max_age or 0 for leaf in leaves(policy.requirement) if _by_login(leaf) and isinstance(leaf, Method)]
    longest = max(policy.session_window, policy.session_window_trusted, policy.grant_ttl, *logins, 0)
    high = action.level >= Risk.HIGH or _weakest(policy, methods) >= Strength.PASSKEY
    ceiling = AAL3_CEILING if high else AAL2_CEILING
    if longest > ceiling:
        yield Finding(
            "reauthentication_ceiling",
            action.id,
            f"{action.id} can run {longest} s after the last proof, and {ceiling} s is the longest that "
            f"NIST SP 800-63B-4 lets a session at {'AAL3' if high else 'AAL2'} go without one.",
            f"Keep session_window, session_window_trusted and grant_ttl at {ceiling} or less.",
        )


def _unsatisfiable(action: Action, level: Risk, policy: Policy, methods: Mapping[str, int]) -> Iterator[Finding]:
    counting = _counting(policy, methods)

    def possible(requirement: Requirement) -> bool:
        if isinstance(requirement, AnyOf):
            return any(possible(part) for part in requirement.parts)
        if isinstance(requirement, AllOf):
            return all(possible(part) for part in requirement.parts)
        if not isinstance(requirement, Method):
            return bool(counting) or (requirement is ANY and _login_may_do(policy) and not policy.min_strength)
        if requirement.name == FRESH_SESSION:
            return True
        if requirement.name == RECOVERY_CODE:
            return RECOVERY_CODE in methods and max(counting, default=0) >= Strength.TOTP
        return requirement.name in methods and methods[requirement.name] >= policy.min_strength

    if not possible(policy.requirement):
        yield Finding(
            "unsatisfiable",
            action.id,
            f"{action.id} can never run at level {level.value}: no configured method meets its requirement.",
            "Add a verifier that does, or change methods or min_strength.",
        )


def _unverified(
    action: Action, policy: Policy, methods: Mapping[str, int], unverified: Collection[str]
) -> Iterator[Finding]:
    """Whoever finds such a key on a desk can use it; of what is asked for at this level nothing else is missing."""
    enough = [
        name
        for name in methods
        if name in unverified and policy.min_strength < Strength.PASSKEY_VERIFIED and _alone(policy.requirement, name)
    ]
    if enough:
        yield Finding(
            "passkey_unverified",
            action.id,
            f"{action.id} is at level 4, and a {enough[0]} that has verified nobody is enough for it.",
            f"Set min_strength={int(Strength.PASSKEY_VERIFIED)} for it, ask for a password too, or make the gate with "
            'Passkey(user_verification="required").',
        )


def _alone(requirement: Requirement, method: str) -> bool:
    """Whether *method* by itself can meet *requirement*."""
    if isinstance(requirement, AnyOf):
        return any(_alone(part, method) for part in requirement.parts)
    if isinstance(requirement, AllOf):
        return all(_alone(part, method) for part in requirement.parts)
    return not isinstance(requirement, Method) or requirement.name == method


def _shared_recovery(action: Action, policy: Policy) -> Iterator[Finding]:
    """Two factors that one mailbox resets are one factor to whoever reads it."""
    if any(len(_mailed(node) or ()) > 1 for node in _all_ofs(policy.requirement)):
        yield Finding(
            "shared_recovery",
            action.id,
            f"{action.id} asks for a password and a mailed code together: where passwords are reset by mail, "
            "whoever reads the mailbox has both.",
            "Pair the password with totp or a passkey, or make sure that no mail resets it.",
            "info",
        )


def _all_ofs(requirement: Requirement) -> Iterator[AllOf]:
    if isinstance(requirement, AllOf):
        yield requirement
    if isinstance(requirement, AllOf | AnyOf):
        for part in requirement.parts:
            yield from _all_ofs(part)


def _mailed(requirement: Requirement) -> frozenset[str] | None:
    """Methods that meet *requirement* and can all be had through the mailbox; None where there are none such."""
    if isinstance(requirement, AnyOf | AllOf):
        parts = [_mailed(part) for part in requirement.parts]
        there = [part for part in parts if part is not None]
        if isinstance(requirement, AnyOf):
            return max(there, key=len, default=None)
        return frozenset[str]().union(*there) if len(there) == len(parts) else None
    mailed = isinstance(requirement, Method) and requirement.name in MAIL_CHANNEL
    return frozenset({requirement.name}) if mailed and isinstance(requirement, Method) else None


def _unused(registry: Registry) -> Iterator[Finding]:
    used = {action.policy for action in registry.actions.values() if isinstance(action.policy, str)}
    names = registry.named_policies
    for name in names:
        if name not in used:
            yield Finding(
                "unused_policy",
                None,
                f"No action names the policy {name!r}.",
                "Remove it, or give an action policy= that name.",
                "info",
            )


def _groups(registry: Registry) -> Iterator[Finding]:
    groups: dict[str, list[Action]] = {}
    for action in registry.actions.values():
        if action.group is not None:
            groups.setdefault(action.group, []).append(action)
    for name, members in groups.items():
        if len({action.level for action in members}) > 1:
            listed = ", ".join(f"{action.id} at {action.level.value}" for action in members)
            yield Finding(
                "group_levels",
                None,
                f"The group {name!r} covers several levels ({listed}).",
                "Give its actions one level: a proof for a lower one is judged again for a higher one, and may not do.",
                "info",
            )
