"""What answering a challenge is told in: the answer, what came between its two steps, and what comes of it.

``Answering`` and ``Findings`` go in; ``Verified``, ``MoreNeeded`` or ``Rejected`` is what the caller gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stepup.ceremony import Checked
from stepup.challenge import Challenge, FactorRef
from stepup.errors import Code
from stepup.grant import Grant
from stepup.limits import Limits
from stepup.tries import Trial

from .device import Fresh
from .holding import MethodInfo, trial, trusted_device
from .request import Request


@dataclass(frozen=True, slots=True)
class Answering:
    """One answer: to which challenge, with which method, held against which factors."""

    challenge: Challenge
    method: str
    refs: tuple[FactorRef, ...]
    info: MethodInfo
    limits: Limits

    def trial(self, request: Request) -> Trial:
        """What it is counted as."""
        return trial(self.challenge.id, self.refs, self.info, trusted_device(request))


@dataclass(frozen=True, slots=True)
class Verified:
    """The challenge is finished. ``token`` is the grant's bearer form; it is not shown in the repr.

    ``device_token`` is there where the device was remembered, or had its token replaced: keep it in place of the one
    that the request brought, until ``device_expires_at``.
    """

    grant: Grant
    token: str
    challenge: Challenge
    device_token: str | None = None
    device_expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Verified(action={self.grant.binding.action!r}, grant={self.grant.id!r})"


@dataclass(frozen=True, slots=True)
class MoreNeeded:
    """That was right, and more is asked for: any of ``remaining``. Falsy."""

    remaining: tuple[str, ...]
    challenge: Challenge

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not accepted. ``code`` does not tell causes apart; falsy.

    ``attempts_left`` is how many answers the challenge still takes, where that may be known.
    """

    code: Code
    attempts_left: int | None = None
    retry_at: datetime | None = None

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Findings:
    """What came between the two steps.

    ``reason`` is why the verifier did not accept; ``serial`` the preparation it checked against; ``factors``
    the version of the factor record it was shown; ``fingerprint`` that of a factor the check itself
    changed (a rehash); ``rotated`` the hash of the new session, if it was rotated;
    ``rotation_due`` that it is to be rotated with the last proof, which this one was not yet; ``device`` what a new
    device token would be made from.
    """

    checked: Checked
    reason: str | None
    serial: int | None
    factors: int
    fingerprint: str | None = None
    rotated: str | None = None
    rotation_due: bool = False
    device: Fresh | None = None
