"""The protocol: which call does what. One table of routes, one function a call.

``respond`` takes a ``WebRequest`` and answers a ``WebResponse``, whatever happens: a refusal is a problem document, and
so is a failing store. The functions are coroutines over the engine, so both faces share them.

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
``GET /events``                             the person's own history
``GET /problems/{code}``                    what a code means
=========================================== =====================================================================

State changes on POST and DELETE only. An unknown challenge and somebody else's are the same answer.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from stepup._engine import authorize, begin, look, start, upkeep, verify
from stepup._engine.core import Core
from stepup.binding import session_hash
from stepup.challenge import Challenge
from stepup.context import FRESH_SESSION, Context, Resource
from stepup.decide.attempt import MoreNeeded, Verified
from stepup.decide.request import Request as Asked
from stepup.decision import Outcome
from stepup.errors import Code, Refused, StepUpError
from stepup.policy import Params, Policy, Risk
from stepup.requirement import Method, leaves

from . import documents as doc
from .bodies import BadRequest, read_json
from .cookies import CookieNames, cookie_names
from .http import WebRequest, WebResponse, response
from .origins import from_elsewhere
from .problems import PROBLEM_JSON, PROBLEMS, Answers, Voice, dumps, zulu

MayStart = Callable[[str, Context], object]
MAX_EVENTS: Final = 100
logger: Final = logging.getLogger("stepup")


@dataclass(frozen=True, slots=True)
class Protocol:
    """What the protocol is made of: the gate's core, and how it answers.

    Attributes:
        core: of a ``StepUp`` or ``AsyncStepUp``.
        prefix: where it is mounted, for the addresses in documents.
        answers: 401 or 403 for a blocked call; see ``problems``.
        may_start: lets a client start a challenge without an offer.
        trusted: origins besides the server's own whose pages may call.
        cookies: what the cookies of this site are called.
    """

    core: Core
    prefix: str = "/stepup"
    answers: Answers = "auto"
    may_start: MayStart | None = None
    trusted: Collection[str] = field(default_factory=frozenset[str])
    cookies: CookieNames = field(default_factory=cookie_names)

    @property
    def voice(self) -> Voice:
        """How it speaks of problems."""
        return Voice(self.prefix, self.core.clock, self.answers)


class Call(NamedTuple):
    """One call, with somebody signed in: the protocol, the request, who asks, and the parts of the path."""

    to: Protocol
    request: WebRequest
    context: Context
    parts: Mapping[str, str]

    @property
    def core(self) -> Core:
        """The gate's core."""
        return self.to.core

    def ok(self, document: object, status: int = 200, *more: tuple[str, str]) -> WebResponse:
        """A document as the answer."""
        return response(status, dumps(document), "application/json", *more)

    def problem(self, code: Code, members: Mapping[str, object] | None = None) -> WebResponse:
        """A problem as the answer."""
        return self.to.voice.problem(self.request, code, members)


Handler = Callable[[Call], Awaitable[WebResponse]]


async def respond(to: Protocol, request: WebRequest) -> WebResponse:
    """Answer one request, whatever happens."""
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
    handlers, parts = found
    method = "GET" if request.method == "HEAD" else request.method
    handler = handlers.get(method)
    if handler is None:
        allowed = ", ".join(sorted({*handlers, *(["HEAD"] if "GET" in handlers else [])}))
        made = to.voice.problem(request, Code.BAD_REQUEST, {"detail": f"Allowed: {allowed}."}, status=405)
        return made.with_headers(("allow", allowed))
    if handler is _problem_page:
        return _described(parts["code"], to)
    if from_elsewhere(request, trusted=to.trusted):
        return to.voice.problem(request, Code.BAD_REQUEST, {"detail": "The call comes from another site."}, status=403)
    if request.context is None:
        return to.voice.problem(request, Code.LOGIN_REQUIRED, {"loginUrl": to.core.login_url}, status=401)
    return await handler(Call(to, request, request.context, parts))


# -- the account's pages --------------------------------------------------------------


async def _actions(call: Call) -> WebResponse:
    unlocked = {grant.binding.action for grant in await upkeep.grants(call.core, call.context)}
    listed: list[dict[str, object]] = []
    for action in call.core.registry.actions.values():
        if action.id.startswith("stepup."):
            continue
        asked = await call.core.request(action.id, call.context, None, None)
        status = "unlocked" if action.id in unlocked else await _status(call, action.id)
        listed.append(doc.action_document(action, asked.rules.policy, status, _named(call, asked)))
    return call.ok({"actions": listed})


async def _status(call: Call, action: str) -> str:
    decision = await authorize.check(call.core, action, call.context, None, None, None)
    return {Outcome.ALLOWED: "unlocked", Outcome.STEP_UP_REQUIRED: "needs_proof", Outcome.DENIED: "blocked"}[
        decision.outcome
    ]


def _named(call: Call, asked: Asked) -> list[str]:
    """The methods that count for an action, strongest first, as far as it names any; else all there are."""
    named = {leaf.name for leaf in leaves(asked.rules.policy.requirement) if isinstance(leaf, Method)} - {FRESH_SESSION}
    known = sorted(call.core.methods, key=lambda name: -call.core.methods[name].strength)
    return [name for name in known if not named or name in named]


async def _session(call: Call) -> WebResponse:
    session, now = call.context.session, call.core.now()
    hashed = session_hash(call.core.ring, call.context)
    since = session.authenticated_at if session else None
    device, risk = call.context.device, call.context.risk
    return call.ok(
        {
            "sessionId": doc.session_label(call.context, hashed),
            "authenticatedAt": zulu(since),
            "ageSeconds": None if since is None else max(0, int((now - since).total_seconds())),
            "proofs": [{"method": proof.method, "at": zulu(proof.at)} for proof in (session.proofs if session else ())],
            "device": None if device is None else {"label": device.label, "trusted": device.trusted},
            "riskLevel": None if risk is None else risk.level.value,
            "now": zulu(now),
        }
    )


async def _grants(call: Call) -> WebResponse:
    held = await upkeep.grants(call.core, call.context)
    return call.ok({"grants": [doc.grant_document(grant) for grant in held], "now": zulu(call.core.now())})


async def _revoke_grant(call: Call) -> WebResponse:
    await upkeep.revoke_some(call.core, call.context, call.parts["grant"], session=False, everything=False)
    return response(204, b"", "application/json")


async def _events(call: Call) -> WebResponse:
    limit = call.request.query.get("limit", "20")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:4]) <= MAX_EVENTS:
        raise BadRequest(f"limit must be a number from 1 to {MAX_EVENTS}.")
    page = await upkeep.events(call.core, call.context.actor, call.request.query.get("after"), int(limit))
    return call.ok({"events": [doc.event_document(event) for event in page.items], "after": page.after})


# -- the ceremony -----------------------------------------------------------------------


async def _preflight(call: Call) -> WebResponse:
    action, resource, params = _asked(read_json(call.request))
    decision = await authorize.check(call.core, action, call.context, resource, params, None)
    return call.ok(decision.public() | {"offer": decision.offer})


async def _start(call: Call) -> WebResponse:
    body = read_json(call.request)
    reason = _text(body, "reason", 500, optional=True)
    if "offer" in body:
        _only(body, "offer", "reason")
        challenge = await start.start_offer(call.core, _text(body, "offer", 16_384), call.context, reason)
    else:
        action, resource, params = _asked({name: value for name, value in body.items() if name != "reason"})
        if not await _may_start(call, action):
            raise BadRequest("A challenge is opened with the offer of a blocked call.")
        challenge = await start.start_challenge(call.core, action, call.context, resource, params, reason)
    document = await _enveloped(call, challenge)
    return call.ok(document, 201, ("location", f"{call.to.prefix}/challenges/{challenge.id}"))


async def _may_start(call: Call, action: str) -> bool:
    return call.to.may_start is not None and await call.core.call(call.to.may_start, action, call.context) is True


async def _challenge(call: Call) -> WebResponse:
    challenge = await look.look(call.core, call.parts["challenge"], call.context)
    return call.problem(Code.CHALLENGE_NOT_FOUND) if challenge is None else call.ok(await _enveloped(call, challenge))


async def _cancel(call: Call) -> WebResponse:
    if not await look.cancel(call.core, call.parts["challenge"], call.context):
        return call.problem(Code.CHALLENGE_NOT_FOUND)
    return response(204, b"", "application/json")


async def _begin(call: Call) -> WebResponse:
    if call.request.body:
        _only(read_json(call.request))
    prompt = await begin.begin(call.core, call.parts["challenge"], call.parts["method"], call.context)
    return call.ok({"prompt": doc.prompt_document(prompt), "now": zulu(call.core.now())})


async def _attempt(call: Call) -> WebResponse:
    body = read_json(call.request)
    _only(body, "method", "response", "rememberDevice")
    if "response" not in body:
        raise BadRequest("response is missing.")
    if not isinstance(body.get("rememberDevice", False), bool):
        raise BadRequest("rememberDevice must be true or false.")
    rotate = call.request.rotate if call.context.session is not None else None
    outcome = await verify.verify(
        call.core, call.parts["challenge"], _text(body, "method", 64), body["response"], call.context, rotate
    )
    if isinstance(outcome, Verified):
        return call.ok({"status": "verified", "grant": doc.minted_document(outcome.grant, outcome.token)})
    if isinstance(outcome, MoreNeeded):
        return call.ok({"status": "open", "remaining": list(outcome.remaining)})
    return call.problem(outcome.code, {"attemptsLeft": outcome.attempts_left, "retryAt": zulu(outcome.retry_at)})


async def _enveloped(call: Call, challenge: Challenge) -> dict[str, object]:
    return doc.envelope(challenge, _policy(call, challenge), call.context, call.core.now())


def _policy(call: Call, challenge: Challenge) -> Policy:
    return call.core.registry.rules(challenge.binding.action, Risk(challenge.level)).policy


# -- what a code means --------------------------------------------------------------------


async def _problem_page(call: Call) -> WebResponse:
    return _described(call.parts["code"], call.to)


def _described(code: str, to: Protocol) -> WebResponse:
    """What a problem means; nobody has to be signed in to read it."""
    kind = PROBLEMS.get(Code(code)) if code in {one.value for one in PROBLEMS} else None
    if kind is None:
        body = {"type": "about:blank", "title": "There is no such problem.", "status": 404}
        return response(404, dumps(body), PROBLEM_JSON)
    return response(
        200,
        dumps({"type": f"{to.prefix}/problems/{code}", "code": code, "status": kind.status, "title": kind.title}),
        "application/json",
    )


# -- the table ------------------------------------------------------------------------------

_ROUTES: Final[tuple[tuple[str, Mapping[str, Handler]], ...]] = (
    ("/actions", {"GET": _actions}),
    ("/session", {"GET": _session}),
    ("/preflight", {"POST": _preflight}),
    ("/challenges", {"POST": _start}),
    ("/challenges/{challenge}", {"GET": _challenge, "DELETE": _cancel}),
    ("/challenges/{challenge}/methods/{method}", {"POST": _begin}),
    ("/challenges/{challenge}/attempts", {"POST": _attempt}),
    ("/grants", {"GET": _grants}),
    ("/grants/{grant}", {"DELETE": _revoke_grant}),
    ("/events", {"GET": _events}),
    ("/problems/{code}", {"GET": _problem_page}),
)
_PATTERNS: Final = tuple(
    (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[A-Za-z0-9_.-]{1,128})", template)), template, handlers)
    for template, handlers in _ROUTES
)


def find(path: str) -> tuple[Mapping[str, Handler], Mapping[str, str]] | None:
    """The handlers of a path, by method, and its parts; None where there is nothing. Exact: no spelling is mended."""
    for pattern, _, handlers in _PATTERNS:
        match = pattern.fullmatch(path)
        if match is not None:
            return handlers, match.groupdict()
    return None


def _template(path: str) -> str:
    """The route of a path, for the log: a path has ids in it."""
    return next((template for pattern, template, _ in _PATTERNS if pattern.fullmatch(path)), "an unknown address")


# -- reading ----------------------------------------------------------------------------------


def _only(body: Mapping[str, object], *names: str) -> None:
    unknown = sorted(set(body) - set(names))
    if unknown:
        raise BadRequest(f"Known are: {', '.join(names) or 'no members'}.")


def _text(body: Mapping[str, object], name: str, limit: int, *, optional: bool = False) -> str:
    value = body.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise BadRequest(f"{name} must be a text of at most {limit} characters.")
    return value


def _asked(body: Mapping[str, object]) -> tuple[str, Resource | None, Params | None]:
    """Action, resource and params in a body."""
    _only(body, "action", "resource", "params")
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise BadRequest("params must be an object.")
    return _text(body, "action", 128), _resource(body.get("resource")), cast("Params | None", params)


def _resource(given: object) -> Resource | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise BadRequest("resource must be an object with type and id.")
    found = cast("Mapping[str, object]", given)
    _only(found, "type", "id")
    return Resource(_text(found, "type", 255), _text(found, "id", 255))
