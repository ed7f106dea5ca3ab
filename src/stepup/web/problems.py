"""What a refusal looks like on the wire: RFC 9457 problem documents, one for each code.

``PROBLEMS`` is the table: code, status, title. A blocked call carries what the person can do (``methods``, ``offer``)
and what a client may know of why; causes that must not be told apart are one code, so they are the same bytes.

Callers with a bearer token get 401 with the challenge of RFC 9470; sessions by cookie get 403, since their clients take
a 401 for "signed out". ``Answers`` chooses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from stepup._engine.offer import named
from stepup.decision import Decision, Outcome
from stepup.errors import WAYS_ON, Code, DeliveryFailed, InvalidInput, Refused, StepUpError, UnknownAction
from stepup.ports import Clock
from stepup.token import TokenWriter

from .details import MEMBER, described
from .http import WebRequest, WebResponse, response
from .origins import FromElsewhere

PROBLEM_JSON: Final = "application/problem+json"
Answers = Literal["auto", "forbidden", "bearer"]
"""``auto``: as the caller authenticates; ``forbidden``: 403 for all; ``bearer``: 401 with RFC 9470 for all."""


class Kind(NamedTuple):
    """How a code is answered, and what helps a client that gets it."""

    status: int
    title: str
    helps: str


PROBLEMS: Final[Mapping[Code, Kind]] = {
    Code.VERIFICATION_REQUIRED: Kind(
        403,
        "Fresh proof is needed for this action.",
        "Open a challenge with the offer, answer it, and make the call again.",
    ),
    Code.GRANT_REQUIRED: Kind(
        403,
        "The token that the proof gave is needed for this action.",
        "Present the token that the proof gave; without it, open a challenge with the offer.",
    ),
    Code.GRANT_INVALID: Kind(
        403,
        "The token does not open this action.",
        "It is spent, expired, revoked, or was given for another call. Open a challenge with the offer.",
    ),
    Code.LOGIN_REQUIRED: Kind(
        403,
        "Signing in again is needed for this action.",
        "Sign in, and make the call again.",
    ),
    Code.NO_USABLE_METHOD: Kind(
        403,
        "There is no way to prove yourself for this action yet.",
        "Set up a method at enrolUrl, or wait until retryAt.",
    ),
    Code.ACTION_BLOCKED: Kind(
        403,
        "This action is not possible now.",
        "No proof changes that now.",
    ),
    Code.APPROVAL_PENDING: Kind(
        403,
        "Somebody else has to approve this action.",
        "Wait until somebody has decided.",
    ),
    Code.APPROVAL_DENIED: Kind(
        403,
        "Somebody else has refused this action.",
        "Ask them why.",
    ),
    Code.LOCKED_OUT: Kind(
        429,
        "Too many attempts. Wait before you try again.",
        "Wait until retryAt, use another method, or ask support.",
    ),
    Code.RATE_LIMITED: Kind(
        429,
        "Too many requests. Wait before you try again.",
        "Wait until retryAt.",
    ),
    Code.VERIFICATION_FAILED: Kind(
        422,
        "That was not right.",
        "Answer again while attemptsLeft is above 0; for a mailed code, ask for a new one.",
    ),
    Code.METHOD_NOT_ALLOWED: Kind(
        422,
        "That way to prove yourself does not count here.",
        "Use one of the challenge's allowedMethods.",
    ),
    Code.CHALLENGE_NOT_FOUND: Kind(
        404,
        "There is no such request for proof.",
        "Make the blocked call again, and start with its offer.",
    ),
    Code.CHALLENGE_EXPIRED: Kind(
        410,
        "The request for proof has expired.",
        "Make the blocked call again, and start with its offer.",
    ),
    Code.CHALLENGE_CLOSED: Kind(
        409,
        "The request for proof is closed.",
        "Make the blocked call again, and start with its offer.",
    ),
    Code.CANCELLED: Kind(
        409,
        "It was called off.",
        "Make the blocked call again when it is wanted.",
    ),
    Code.ACTION_UNKNOWN: Kind(
        404,
        "There is no such action.",
        "Use an id that GET /actions lists.",
    ),
    Code.BAD_REQUEST: Kind(
        400,
        "The request cannot be understood.",
        "Look at detail, and at the description of the protocol.",
    ),
    Code.DELIVERY_FAILED: Kind(
        503,
        "The code could not be sent. Ask for it again.",
        "Ask for the code again, or use another method.",
    ),
    Code.STORE_UNAVAILABLE: Kind(
        503,
        "This is not possible at the moment. Try again later.",
        "Whether something was written is not known; it counts as refused. Try again later.",
    ),
}
"""Every code but ``allowed``."""

BLOCKED: Final = frozenset({Code.VERIFICATION_REQUIRED, Code.GRANT_REQUIRED, Code.GRANT_INVALID, Code.LOGIN_REQUIRED})
"""What RFC 9470 is for: a stronger or fresher proof would be accepted."""


class Voice(NamedTuple):
    """How problems are spoken: where their pages are, the time, what an offer names, and to whom 401 is answered."""

    prefix: str
    clock: Clock
    offers: TokenWriter
    answers: Answers = "auto"

    def problem(
        self, request: WebRequest, code: Code, members: Mapping[str, object] | None = None, *, status: int | None = None
    ) -> WebResponse:
        """The problem document of *code*, with more *members*."""
        kind = PROBLEMS[code]
        given = dict(members or {})
        bearer = code in BLOCKED and self._wants_bearer(request)
        answered = 401 if bearer else status or kind.status
        document = {
            "type": f"{self.prefix}/problems/{code.value}",
            "title": kind.title,
            "status": answered,
            "code": code.value,
            **{name: value for name, value in given.items() if value is not None},
        }
        more: list[tuple[str, str]] = []
        if isinstance(given.get("retryAt"), str):
            more.append(("retry-after", str(self._seconds_until(str(given["retryAt"])))))
        if bearer:
            more.append(("www-authenticate", _challenge(document) if request.context else _unknown(request)))
        if request.htmx:
            told = {name: value for name, value in document.items() if name != MEMBER}  # headers have to be short
            more += [("hx-reswap", "none"), ("hx-trigger", json.dumps({"stepup:required": told}))]
        return response(answered, dumps(document), PROBLEM_JSON, *more)

    def elsewhere(self, request: WebRequest) -> WebResponse:
        """The problem of a call that a page of another site makes."""
        return self.problem(request, Code.BAD_REQUEST, {"detail": "The call comes from another site."}, status=403)

    def refused(self, request: WebRequest, decision: Decision) -> WebResponse:
        """The problem of a blocked call; 401 where nobody is signed in."""
        status = 401 if request.context is None and decision.code is Code.LOGIN_REQUIRED else None
        return self.problem(request, Code(decision.code), self._members(decision), status=status)

    def error(self, request: WebRequest, error: StepUpError) -> WebResponse:
        """The problem of whatever stepup raised: the person's, the developer's, the operator's.

        What a developer or operator should know is not for the client; it is in the error, for the log.
        """
        if isinstance(error, FromElsewhere):
            return self.elsewhere(request)
        if isinstance(error, Refused):
            return self.refused(request, error.decision)
        if isinstance(error, UnknownAction):
            return self.problem(request, Code.ACTION_UNKNOWN)
        if isinstance(error, InvalidInput):
            return self.problem(request, Code.BAD_REQUEST)
        if isinstance(error, DeliveryFailed):
            return self.problem(request, Code.DELIVERY_FAILED)
        return self.problem(request, Code.STORE_UNAVAILABLE)

    def _members(self, decision: Decision) -> dict[str, object]:
        blocked = named(self.offers, decision.offer)
        return decision_members(decision) | {MEMBER: None if blocked is None else described(blocked)}

    def _wants_bearer(self, request: WebRequest) -> bool:
        return self.answers == "bearer" or (self.answers == "auto" and request.bearer)

    def _seconds_until(self, at: str) -> int:
        left = (datetime.fromisoformat(at) - self.clock.now()).total_seconds()
        return max(1, math.ceil(left))


def decision_members(decision: Decision) -> dict[str, object]:
    """What a client may know of a decision; empty members are left out."""
    offered, reasons = decision.outcome is Outcome.STEP_UP_REQUIRED, [reason.code for reason in decision.reasons]
    members: dict[str, object] = {
        "action": decision.action or None,
        "methods": list(decision.methods) if offered else None,
        "unavailable": dict(decision.unavailable) or None,
        "offer": decision.offer,
        "maxAge": decision.max_age,
        "acrValues": decision.acr if decision.level else None,
        "reasons": [reason.as_dict() for reason in decision.reasons if reason.public] or None,
        "retryAt": zulu(decision.retry_at),
        "enrolUrl": decision.enrol_url,
        "loginUrl": decision.login_url,
        "detail": None if offered else next((WAYS_ON[one] for one in reasons if one in WAYS_ON), None),
    }
    return members


def zulu(at: datetime | None) -> str | None:
    """A time as it stands in documents: UTC, whole seconds, rounded up so that waiting that long is enough."""
    if at is None:
        return None
    return f"{datetime.fromtimestamp(math.ceil(at.timestamp()), UTC):%Y-%m-%dT%H:%M:%SZ}"


def dumps(document: object) -> bytes:
    """A document as bytes, the same for the same values."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _unknown(request: WebRequest) -> str:
    """The header for nobody (RFC 6750 section 3): a token that is nobody's is invalid; none at all is just missing."""
    return 'Bearer error="invalid_token"' if request.bearer else "Bearer"


def _challenge(document: Mapping[str, object]) -> str:
    """The ``WWW-Authenticate`` header of RFC 9470 section 3."""
    parts = ['error="insufficient_user_authentication"', f'error_description="{document["title"]}"']
    if isinstance(document.get("acrValues"), str):
        parts.append(f'acr_values="{document["acrValues"]}"')
    if isinstance(document.get("maxAge"), int):
        parts.append(f'max_age="{document["maxAge"]}"')
    return f"Bearer {', '.join(parts)}"
