"""Letting the application change the session's id once the last proof is accepted, before anything is minted."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from stepup.context import MAX_TEXT, require_text
from stepup.decide import attempt as pure
from stepup.decide.answering import Answering, Findings
from stepup.errors import InvalidInput, WrongColour

from .core import Core, logger
from .opened import Opened

Rotate = Callable[[], object]


async def rotated(
    core: Core, opened: Opened, one: Answering, findings: Findings, rotate: Rotate, now: datetime
) -> Findings:
    """*findings* with the new session, if this proof is the last one."""
    if not pure.completes(one, opened.request, findings.checked, now):
        return replace(findings, rotation_due=True)
    try:
        made = rotate()
        new = await made if inspect.isawaitable(made) else made
    except WrongColour:
        raise
    except Exception as error:  # noqa: BLE001 -- a session that could not be rotated opens nothing
        logger.warning("rotate raised %s", type(error).__name__)
        return replace(findings, reason="rotate_failed")
    try:
        hashed = core.ring.hash_id("session", require_text("session id", new, limit=MAX_TEXT))
    except InvalidInput:
        return replace(findings, reason="rotate_failed")
    return replace(
        findings, reason="rotate_failed" if hashed == opened.request.binding.session else None, rotated=hashed
    )
