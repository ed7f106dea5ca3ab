"""The protocol: which call does what. One table of routes, and the way from a request to its answer.

``respond`` takes a ``WebRequest`` and answers a ``WebResponse``, whatever happens: a refusal is a problem document, and
so is a failing store. The calls are coroutines over the engine, so both faces share them: ``account`` has the
account's, ``flow`` the ceremony's, ``devices`` those of remembered devices. ``ceremony`` has the pages for browsers
without JavaScript; to these a refusal is a page as well. ``assets`` has the files of the client.

=========================================== =====================================================================
call                                        does
=========================================== =====================================================================
``GET /actions``                            the registry, for this person
``GET /session``                            what is known of the session
``POST /preflight``                         would this call need proof, and with what
``POST /challenges``                        open a challenge, from an offer
``GET /challenges/{id}``                    the challenge as it stands
``DELETE /challenges/{id}``                 call it off
``POST /challenges/{id}/methods/{method}``  prepare a method: send the code
``POST /challenges/{id}/attempts``          answer
``GET /grants``, ``DELETE /grants/{id}``    what is unlocked; lock it again
``GET /approvals``                          the inbox of approvals, and what the person waits for
``POST``, ``DELETE /approvals/{id}``        approve or deny; withdraw
``GET /events``                             the person's own history
``GET /devices``, ``DELETE /devices``       the remembered devices; forget them all
``PATCH``, ``DELETE /devices/{id}``         give one another label; forget it
``GET /factors``                            what is enrolled
``POST /factors/totp``, ``.../{id}``        add an authenticator; confirm it
``POST /factors/passkey``, ``.../{id}``     register a passkey
``POST /factors/recovery_code``             new recovery codes
``PATCH /factors/{id}``                     give it another label
``DELETE /factors/{id}``                    remove a factor
``GET /problems/{code}``                    what a code means
``GET /openapi.json``                       all of this, for programs
``GET /static/{name}``                      the client's files
=========================================== =====================================================================

State changes on POST, PATCH and DELETE only. An unknown challenge and somebody else's are the same answer.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from stepup.errors import Code, Refused, StepUpError

from . import account, approvals, assets, ceremony, devices, enrolment, flow, openapi, pages, wire
from .answers.about import OpenApi, ProblemDescription
from .answers.account import Actions, Devices, Events, Grants, Session
from .answers.approvals import ApprovalEnvelope, Approvals
from .answers.ceremony import AttemptAnswer, ChallengeEnvelope, Preflight, PromptEnvelope
from .answers.factors import FactorEnvelope, Factors, PasskeyEnrolment, RecoveryCodes, TotpEnrolment
from .bodies import BadRequest, read_json
from .call import PART, Call, MayStart, Operation, Protocol, Public, Route
from .html import html
from .http import WebRequest, WebResponse, response
from .origins import from_elsewhere
from .problems import PROBLEMS, dumps
from .refusals import wants_page

__all__ = ["CALLS", "FILES", "PAGES", "MayStart", "Protocol", "find", "respond"]

logger: Final = logging.getLogger("stepup")


async def respond(to: Protocol, request: WebRequest) -> WebResponse:
    """Answer one request, whatever happens."""
    made = await _spoken(to, request)
    found = find(request.path)
    is_page = found is not None and any(route in PAGES for route in found.routes.values())
    return ceremony.spoken(to, request, made) if is_page else made


async def _spoken(to: Protocol, request: WebRequest) -> WebResponse:
    """The answer, in which a refusal is a problem document."""
    try:
        return await _respond(to, request)
    except BadRequest as bad:
        return to.voice.problem(request, Code.BAD_REQUEST, {"detail": bad.detail}, status=bad.status)
    except StepUpError as error:
        if not isinstance(error, Refused):
            logger.warning("a call to %s ended in %s", _template(request.path), type(error).__name__)
        return to.voice.error(request, error)


async def _respond(to: Protocol, request: WebRequest) -> WebResponse:
    found = find(request.path)
    if found is None:
        return to.voice.problem(request, Code.BAD_REQUEST, {"detail": "There is no such address."}, status=404)
    route = found.routes.get("GET" if request.method == "HEAD" else request.method)
    if route is None:
        allowed = ", ".join(sorted({*found.routes, *(["HEAD"] if "GET" in found.routes else [])}))
        made = to.voice.problem(request, Code.BAD_REQUEST, {"detail": f"Allowed: {allowed}."}, status=405)
        return made.with_headers(("allow", allowed))
    if isinstance(route.handler, Public):
        return route.handler.answer(to, request, found.parts)
    if from_elsewhere(request, form=route.says is None, trusted=to.trusted):
        return to.voice.elsewhere(request)
    if request.context is None:
        return to.voice.problem(request, Code.LOGIN_REQUIRED, {"loginUrl": to.core.login_url}, status=401)
    return await route.handler(Call(to, request, request.context, found.parts, _sent(route.says, request)))


def _sent(says: Operation | None, request: WebRequest) -> wire.Sent:
    """What the client sent, read by what the route says of it."""
    if says is not None and says.query is not None:
        return wire.read_query(says.query, request.query)
    if says is None or not says.reads or (says.may_be_empty and not request.body):
        return wire.NOTHING
    return wire.read(says.reads, read_json(request))


# -- for anybody --------------------------------------------------------------------------


def _problem_page(to: Protocol, request: WebRequest, parts: Mapping[str, str]) -> WebResponse:
    """What a problem means; nobody has to be signed in to read it."""
    code = next((one for one in PROBLEMS if one.value == parts["code"]), None)
    if code is None:
        return to.voice.problem(request, Code.BAD_REQUEST, {"detail": "There is no such problem."}, status=404)
    kind, where = PROBLEMS[code], f"{to.prefix}/problems/{code.value}"
    if wants_page(request):
        return html(200, pages.described(code, kind))
    made = {"type": where, "code": code.value, "status": kind.status, "title": kind.title, "detail": kind.helps}
    return response(200, dumps(made), "application/json")


def _openapi(to: Protocol, request: WebRequest, parts: Mapping[str, str]) -> WebResponse:  # noqa: ARG001 -- as all
    """The description of all calls; it says nothing of this application but where it is mounted."""
    return response(200, openapi.document(to.prefix, CALLS), "application/json")


# -- the table ------------------------------------------------------------------------------

_NO_CHALLENGE: Final = (Code.CHALLENGE_NOT_FOUND, Code.STORE_UNAVAILABLE)
_NO_ANSWER: Final = (
    *_NO_CHALLENGE, Code.CHALLENGE_EXPIRED, Code.CHALLENGE_CLOSED, Code.ACTION_BLOCKED, Code.METHOD_NOT_ALLOWED,
    Code.LOCKED_OUT, Code.APPROVAL_DENIED,
)  # fmt: skip
_NO_START: Final = (
    Code.ACTION_UNKNOWN, Code.ACTION_BLOCKED, Code.NO_USABLE_METHOD, Code.LOGIN_REQUIRED, Code.LOCKED_OUT,
    Code.RATE_LIMITED, Code.STORE_UNAVAILABLE,
)  # fmt: skip
_NO_STORE: Final = (Code.STORE_UNAVAILABLE,)
_NO_CHANGE: Final = (
    Code.VERIFICATION_REQUIRED, Code.GRANT_INVALID, Code.LOGIN_REQUIRED, Code.NO_USABLE_METHOD, Code.RATE_LIMITED,
    Code.LOCKED_OUT, Code.ACTION_BLOCKED, Code.STORE_UNAVAILABLE,
)  # fmt: skip
_NO_REVIEW: Final = tuple(code for code in _NO_CHANGE if code is not Code.RATE_LIMITED)

CALLS: Final[tuple[Route, ...]] = (
    Route("GET", "/actions", account.actions, Operation(
        "listActions", "account", "What is protected, and how it stands for this person", Actions,
        codes=_NO_STORE,
    )),
    Route("GET", "/session", account.session, Operation(
        "getSession", "account", "What is known of the session", Session, codes=_NO_STORE,
    )),
    Route("GET", "/grants", account.grants, Operation(
        "listGrants", "account", "What is unlocked now", Grants, codes=_NO_STORE,
    )),
    Route("DELETE", "/grants/{grant}", account.revoke_grant, Operation(
        "revokeGrant", "account", "Lock something again", None, 204, codes=_NO_STORE,
    )),
    Route("GET", "/events", account.events, Operation(
        "listEvents", "account", "The person's own history", Events, query=wire.EventsQuery, codes=_NO_STORE,
    )),
    Route("POST", "/preflight", flow.preflight, Operation(
        "preflight", "ceremony", "Whether a call would pass, and if not, what would open it", Preflight,
        reads=(wire.ByDetails, wire.ByCall), codes=(Code.ACTION_UNKNOWN, Code.STORE_UNAVAILABLE),
    )),
    Route("POST", "/challenges", flow.start_challenge, Operation(
        "startChallenge", "ceremony", "Open a challenge", ChallengeEnvelope, 201,
        reads=(wire.StartByOffer, wire.StartByDetails, wire.StartByCall), codes=_NO_START, created=True,
    )),
    Route("GET", "/challenges/{challenge}", flow.challenge, Operation(
        "getChallenge", "ceremony", "The challenge as it stands", ChallengeEnvelope, codes=_NO_CHALLENGE,
    )),
    Route("DELETE", "/challenges/{challenge}", flow.cancel, Operation(
        "cancelChallenge", "ceremony", "Call a challenge off", None, 204, codes=_NO_CHALLENGE,
    )),
    Route("POST", "/challenges/{challenge}/methods/{method}", flow.prepare, Operation(
        "prepareMethod", "ceremony", "Prepare a method: send the code", PromptEnvelope,
        reads=(wire.Nothing,), may_be_empty=True, codes=(*_NO_ANSWER, Code.RATE_LIMITED, Code.DELIVERY_FAILED),
    )),
    Route("POST", "/challenges/{challenge}/attempts", flow.attempt, Operation(
        "attempt", "ceremony", "Answer a challenge", AttemptAnswer,
        reads=(wire.Attempt,), codes=(*_NO_ANSWER, Code.VERIFICATION_FAILED, Code.APPROVAL_PENDING),
    )),
    Route("GET", "/approvals", approvals.listed, Operation(
        "listApprovals", "approvals", "What waits for this person's answer, and what they wait for", Approvals,
        query=wire.InboxQuery, codes=_NO_STORE,
    )),
    Route("POST", "/approvals/{approval}", approvals.answer, Operation(
        "answerApproval", "approvals", "Approve or deny", ApprovalEnvelope, reads=(wire.ApprovalAnswer,),
        codes=(
            *(code for code in _NO_CHANGE if code is not Code.RATE_LIMITED), Code.CHALLENGE_NOT_FOUND,
            Code.CHALLENGE_EXPIRED, Code.CHALLENGE_CLOSED, Code.APPROVAL_DENIED,
        ),
    )),
    Route("DELETE", "/approvals/{approval}", approvals.withdraw, Operation(
        "withdrawApproval", "approvals", "Take one's own request back", None, 204, codes=_NO_CHALLENGE,
    )),
    Route("GET", "/devices", devices.listed, Operation(
        "listDevices", "devices", "The devices that are remembered", Devices, codes=_NO_REVIEW,
    )),
    Route("DELETE", "/devices", devices.revoke_all, Operation(
        "revokeDevices", "devices", "Forget all devices", None, 204, codes=_NO_REVIEW,
    )),
    Route("PATCH", "/devices/{device}", devices.rename, Operation(
        "renameDevice", "devices", "Give a device another label", None, 204, reads=(wire.NewLabel,), codes=_NO_REVIEW,
    )),
    Route("DELETE", "/devices/{device}", devices.revoke, Operation(
        "revokeDevice", "devices", "Forget a device", None, 204, codes=_NO_REVIEW,
    )),
    Route("GET", "/factors", enrolment.listed, Operation(
        "listFactors", "factors", "Everything that is enrolled", Factors, codes=_NO_STORE,
    )),
    Route("POST", "/factors/totp", enrolment.start_totp, Operation(
        "enrolTotp", "factors", "Make a secret for an authenticator app", TotpEnrolment, 201,
        reads=(wire.NewFactor,), codes=(*_NO_CHANGE, Code.METHOD_NOT_ALLOWED), created=True,
    )),
    Route("POST", "/factors/totp/{factor}", enrolment.confirm_totp, Operation(
        "confirmTotp", "factors", "Confirm an authenticator by its first code", FactorEnvelope,
        reads=(wire.Confirmation,),
        codes=(Code.CHALLENGE_NOT_FOUND, Code.VERIFICATION_FAILED, Code.METHOD_NOT_ALLOWED, Code.STORE_UNAVAILABLE),
    )),
    Route("POST", "/factors/passkey", enrolment.start_passkey, Operation(
        "enrolPasskey", "factors", "Begin a passkey's registration", PasskeyEnrolment, 201,
        reads=(wire.NewFactor,), codes=(*_NO_CHANGE, Code.METHOD_NOT_ALLOWED), created=True,
    )),
    Route("POST", "/factors/passkey/{factor}", enrolment.confirm_passkey, Operation(
        "confirmPasskey", "factors", "Finish a passkey's registration", FactorEnvelope,
        reads=(wire.Registration,),
        codes=(Code.CHALLENGE_NOT_FOUND, Code.VERIFICATION_FAILED, Code.METHOD_NOT_ALLOWED, Code.STORE_UNAVAILABLE),
    )),
    Route("POST", "/factors/recovery_code", enrolment.new_recovery_codes, Operation(
        "newRecoveryCodes", "factors", "Replace the recovery codes", RecoveryCodes, 201,
        reads=(wire.Nothing,), may_be_empty=True, codes=(*_NO_CHANGE, Code.METHOD_NOT_ALLOWED),
    )),
    Route("PATCH", "/factors/{factor}", enrolment.rename, Operation(
        "renameFactor", "factors", "Give a factor another label", None, 204, reads=(wire.NewLabel,), codes=_NO_STORE,
    )),
    Route("DELETE", "/factors/{factor}", enrolment.remove, Operation(
        "removeFactor", "factors", "Remove a factor", None, 204, codes=_NO_CHANGE,
    )),
    Route("GET", "/problems/{code}", Public(_problem_page), Operation(
        "describeProblem", "about", "What the code of a problem means", ProblemDescription,
    )),
    Route("GET", "/openapi.json", Public(_openapi), Operation(
        "describe", "about", "This description", OpenApi,
    )),
)  # fmt: skip
"""The calls of the protocol. Each says what it reads and answers; that is read by, and what ``openapi`` writes down."""

PAGES: Final[tuple[Route, ...]] = (
    Route("POST", "/ceremony", ceremony.open_challenge),
    Route("GET", "/ceremony/done", Public(ceremony.done)),  # before the next two, so that it is nobody's challenge
    Route("GET", "/ceremony/{challenge}", ceremony.show),
    Route("POST", "/ceremony/{challenge}", ceremony.answer),
)
"""Pages for browsers without JavaScript. They have no ``Operation``; their posts have to say that they come from this
site, and they read their form themselves (``bodies.read_form``)."""

FILES: Final[tuple[Route, ...]] = (Route("GET", "/static/{name}", Public(assets.serve)),)
"""What a page loads."""


class Found(NamedTuple):
    """What stands at an address: its routes by method, and the parts of the path."""

    routes: Mapping[str, Route]
    parts: Mapping[str, str]


def _by_path(routes: tuple[Route, ...]) -> tuple[tuple[re.Pattern[str], str, Mapping[str, Route]], ...]:
    found: dict[str, dict[str, Route]] = {}
    for route in routes:
        found.setdefault(route.path, {})[route.method] = route
    return tuple(
        (re.compile(re.sub(r"\\?\{(\w+)\\?\}", rf"(?P<\1>{PART})", re.escape(path))), path, at)
        for path, at in found.items()
    )


_PATHS: Final = _by_path((*CALLS, *PAGES, *FILES))


def find(path: str) -> Found | None:
    """What stands at *path*; None where there is nothing. Exact: no spelling is mended."""
    for pattern, _, routes in _PATHS:
        match = pattern.fullmatch(path)
        if match is not None:
            return Found(routes, match.groupdict())
    return None


def _template(path: str) -> str:
    """The route of a path, for the log: a path has ids in it."""
    return next((template for pattern, template, _ in _PATHS if pattern.fullmatch(path)), "an unknown address")
