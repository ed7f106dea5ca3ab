"""What the terminal says. Text from outside is printed without control characters, and never looks like a line of ours.

No escape sequence reaches the terminal, nothing is read right to left, and a value too long for its line goes on
in lines that are marked.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from stepup.approval import ApprovalRequest
from stepup.challenge import Challenge
from stepup.decision import Decision, Outcome, Reason
from stepup.errors import WAYS_ON, Code, DeliveryFailed, Denied
from stepup.policy import Risk

ELSEWHERE: Final = frozenset({"passkey"})
"""Methods that somebody at a text terminal cannot answer."""

NAMES: Final = {
    "totp": "code from your authenticator app",
    "password": "password",
    "email_code": "mailed code",
    "recovery_code": "recovery code",
    "approval": "approval by somebody else",
}
_WIDTH: Final = 60


def described(challenge: Challenge, now: datetime) -> str:
    """What is approved: from the challenge, one line a fact."""
    bound = challenge.binding
    facts = [("Action", bound.action), ("Risk", Risk(challenge.level).name.lower())]
    if bound.resource_type is not None and bound.resource_id is not None:
        label = f" ({challenge.resource_label})" if challenge.resource_label else ""
        facts.append(("Resource", f"{bound.resource_type} {bound.resource_id}{label}"))
    if bound.organization is not None:
        facts.append(("Organization", bound.organization))
    behalf = f" on behalf of {bound.on_behalf_of}" if bound.on_behalf_of else ""
    facts.append(("Requested by", f"{bound.actor}{behalf}"))
    facts += [("From", challenge.device_label or ""), ("Reason", challenge.reason or "")]
    lines = ["", f"Please confirm: {printable(challenge.label)}", ""]
    lines += [line for name, value in facts if value for line in _wrapped(f"  {name:<14}", value)]
    if challenge.uses is not None and challenge.uses > 1 and not challenge.items:
        lines.append(f"  {'Opens':<14}up to {challenge.uses} calls")
    if challenge.shown:
        lines += [
            f"  These {len(challenge.items)}, each once" if challenge.items else "  Parameters",
            *(line for name, value in challenge.shown for line in _wrapped("    ", f"{name}: {value}")),
        ]
    return "\n".join([*lines, "", f"Answer {when(challenge.expires_at, now, 'by')}. Ctrl-C cancels."])


def asked(request: ApprovalRequest, now: datetime) -> str:
    """That others were asked, who they are, and until when they can answer."""
    need = "One approval is" if request.quorum == 1 else f"{request.quorum} approvals are"
    until = when(request.expires_at, now, "until")
    who = printable(request.who)
    return f"{need} needed, of: {who}.\nWaiting {until}. Ctrl-C stops waiting and leaves the request open."


def _wrapped(start: str, value: str) -> Iterator[str]:
    """*value* in lines that all show whose they are, however long it is."""
    text, margin = printable(value), " " * len(start)
    line, width = start, 0
    for character in text:
        wide = 2 if unicodedata.east_asian_width(character) in "FW" else 1
        if width + wide > _WIDTH:
            yield line
            line, width = f"{margin}| ", 2
        line, width = line + character, width + wide
    yield line


def printable(text: str) -> str:
    """*text* without control, format and line-breaking characters: no escape sequence, no reversed reading."""
    kinds = ((character, unicodedata.category(character)) for character in text)
    return "".join("\N{REPLACEMENT CHARACTER}" if kind[0] == "C" or kind in {"Zl", "Zp"} else c for c, kind in kinds)


def named(method: str) -> str:
    """A method as a person calls it."""
    return NAMES.get(method) or printable(method)


def when(at: datetime, now: datetime, word: str = "at") -> str:
    """A moment for a person: the time of day, and how far away."""
    seconds = max(0, math.ceil((at - now).total_seconds()))
    far = f"{seconds} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"
    return f"{word} {at:%H:%M:%S} UTC, in {far}"


def ended(action: str, level: int, code: Code, why: str, retry_at: datetime | None = None) -> Decision:
    """The decision that a ceremony which came to nothing ends in."""
    return Decision(Outcome.DENIED, code, action, level, (Reason(why, public=True),), retry_at=retry_at)


_SENTENCES: Final = {
    Code.VERIFICATION_FAILED: "Too many answers were wrong, so this request is closed.",
    Code.CHALLENGE_EXPIRED: "The time to answer is over. Run the command again.",
    Code.CHALLENGE_CLOSED: "This request is closed: it was replaced, revoked or used up. Run the command again.",
    Code.CHALLENGE_NOT_FOUND: "This request no longer exists. Run the command again.",
    Code.METHOD_NOT_ALLOWED: "This cannot be used any more: it was changed after the request was opened.",
    Code.LOCKED_OUT: "Locked after too many failures.",
    Code.RATE_LIMITED: "Too many requests in a short time.",
    Code.NO_USABLE_METHOD: "You have no method enrolled that may be used for this now.",
    Code.LOGIN_REQUIRED: "Only a recent sign-in opens this, and a script has none. Do it where you sign in.",
    Code.APPROVAL_PENDING: "Nobody has decided yet. The request stays: run the same command again to go on.",
    Code.APPROVAL_DENIED: "Somebody else has refused this.",
    Code.ACTION_BLOCKED: "This is blocked now, whatever is proved.",
}


def why_not(error: Denied | DeliveryFailed, now: datetime) -> str:
    """Why not, and what helps, for a person."""
    if isinstance(error, DeliveryFailed):
        return "The code could not be sent."
    decision = error.decision
    if any(reason.code == "not_at_a_terminal" for reason in decision.reasons):
        return "This needs a method that cannot be answered at a terminal. Do it in the browser."
    parts = [_SENTENCES.get(decision.code, f"This was refused ({decision.code.value}).")]
    parts += [WAYS_ON[reason.code] for reason in decision.reasons if reason.code in WAYS_ON]
    if decision.retry_at is not None:
        parts.append(f"Try again {when(decision.retry_at, now)}.")
    elif decision.code is Code.LOCKED_OUT:
        parts.append("Somebody from support can unlock it.")
    if decision.enrol_url is not None:
        parts.append(f"Enrol one at {printable(decision.enrol_url)}")
    if decision.login_url is not None:
        parts.append(f"Sign in at {printable(decision.login_url)}")
    return " ".join(parts)
