"""What a person is told out of band: short mails with no code, no link and no secret in them."""

from __future__ import annotations

from datetime import datetime

from .approval import ApprovalRequest
from .challenge import Challenge
from .context import Context, clean_text
from .factor import Factor
from .ports import Message

_ADVICE = "If this was not you, end all sessions and contact support now.\n"


def recovery_code_used(context: Context, challenge: Challenge, now: datetime) -> Message:
    """The mail that always follows the use of a recovery code (NIST SP 800-63B-4 section 4.6)."""
    what = f"A recovery code was used to approve: {challenge.label}.\nThe code cannot be used again."
    return _notice(context, "A recovery code was used on your account", what, now)


def factor_added(context: Context, factor: Factor, now: datetime) -> Message:
    """The mail that follows a new verification method, with when it begins to count (ASVS 6.3.7)."""
    what = f"A verification method was added to your account: {factor.method}."
    if factor.quarantined_until is not None:
        what += f"\nIt can be used from {factor.quarantined_until:%Y-%m-%d %H:%M} UTC on."
    return _notice(context, "A verification method was added to your account", what, now)


def factor_changed(context: Context, method: str, now: datetime) -> Message:
    """The mail that follows a change of a method that the application keeps."""
    what = f"A verification method of your account was changed: {method}."
    return _notice(context, "A verification method of your account was changed", what, now)


def factor_removed(context: Context, now: datetime) -> Message:
    """The mail that follows the removal of a verification method."""
    what = "A verification method was removed from your account."
    return _notice(context, "A verification method was removed from your account", what, now)


def _notice(context: Context, subject: str, what: str, now: datetime) -> Message:
    device = context.device.label if context.device and context.device.label else "an unnamed device"
    place = clean_text(f"{device} from {context.ip}" if context.ip else device)
    text = f"{what}\n\nWhen: {now:%Y-%m-%d %H:%M} UTC\nWhere: {place}\n\n{_ADVICE}"
    return Message(to=context.actor.email or "", subject=subject, text=text)


def approval_requested(address: str, request: ApprovalRequest, inbox_url: str | None) -> Message:
    """The mail to somebody who could approve: what is asked, by whom, until when. It opens nothing."""
    lines = [f"{request.requester} asks for approval of: {request.label}"]
    if request.resource_id is not None:
        lines.append(f"On: {request.resource_label or request.resource_id}")
    lines += [f"{label}: {value}" for label, value in request.shown]
    if request.reason:
        lines.append(f"Reason: {request.reason}")
    where = f"Sign in and look here: {inbox_url}\n" if inbox_url else "Sign in to look at it.\n"
    until = f"It can be answered until {request.expires_at:%Y-%m-%d %H:%M} UTC."
    text = "\n".join(lines) + f"\n\n{until}\n{where}\nIf you did not expect this, do not approve it.\n"
    return Message(to=address, subject="Somebody asks for your approval", text=text)
