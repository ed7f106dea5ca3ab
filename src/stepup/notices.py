"""What a person is told out of band: short mails with no code, no link and no secret in them."""

from __future__ import annotations

from datetime import datetime

from .challenge import Challenge
from .context import Context
from .ports import Message


def recovery_code_used(context: Context, challenge: Challenge, now: datetime) -> Message:
    """The mail that always follows the use of a recovery code (NIST SP 800-63B-4 section 4.6)."""
    device = context.device.label if context.device and context.device.label else "an unnamed device"
    where = f" from {context.ip}" if context.ip else ""
    return Message(
        to=context.actor.email or "",
        subject="A recovery code was used on your account",
        text=(
            f"A recovery code was used to approve: {challenge.label}.\n\n"
            f"When: {now:%Y-%m-%d %H:%M} UTC\n"
            f"Where: {device}{where}\n\n"
            "The code cannot be used again. If this was not you, end all sessions and contact support now.\n"
        ),
    )
