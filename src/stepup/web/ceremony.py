"""The ceremony without JavaScript: plain forms, answered by pages.

A form of the application was blocked, and the body of that answer is a page with forms (``refusals``) that come here:

============================ ==========================================================================
``POST /ceremony``           open a challenge from the offer, and answer it or have a code sent: one post
``GET /ceremony/{id}``       the challenge as it stands
``POST /ceremony/{id}``      answer, have a code sent, or call it off
``GET /ceremony/done``       the end; the same for everybody
============================ ==========================================================================

Every post is answered with 303, so that reloading repeats nothing. No address holds a secret: the offer and the answers
are in bodies only, and where an action asks for the token, it travels in the grant's cookie alone. Nothing is replayed
by the server: the person goes back and presses the button again, and that post takes the cookie (``visits``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from stepup._engine import approvals, begin, look, start, verify
from stepup.approval import Standing
from stepup.challenge import Challenge, State
from stepup.context import APPROVAL
from stepup.decide.answering import MoreNeeded, Verified
from stepup.decide.resolving import rules_of
from stepup.errors import Code, DeliveryFailed, Refused
from stepup.policy import Risk
from stepup.rules import Rules

from . import devices, pages
from .asked import Asked, Sent, Subject, Trouble, Waiting
from .bodies import BadRequest, read_form
from .call import Call, Protocol
from .documents import still_proved
from .html import html
from .http import SAFE, WebRequest, WebResponse, response
from .origins import safe_return
from .problems import PROBLEMS
from .refusals import ROOT, as_page, prepares

_MAX_WAIT: Final = timedelta(days=1)
_CLOSED: Final[Mapping[State, Code]] = {
    State.EXPIRED: Code.CHALLENGE_EXPIRED, State.CANCELLED: Code.CANCELLED, State.DENIED: Code.APPROVAL_DENIED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """One form that came in: its call, the challenge it is about, its fields, and the way back."""

    call: Call
    challenge: str
    fields: Mapping[str, str] = field(repr=False)
    back: str = "/"

    @classmethod
    def of(cls, call: Call) -> Turn:
        """The form of *call*; what is there to look at has its fields in the address."""
        safe = call.request.method in SAFE
        fields = call.request.query if safe else read_form(call.request)
        return cls(call, call.parts.get("challenge", ""), fields, safe_return(fields.get("next")))

    def only(self, *names: str) -> None:
        """Refuse a form with fields besides *names*."""
        if not set(self.fields) <= {*names, "next"}:
            raise BadRequest("The form has a field that is not known.")

    def text(self, name: str, limit: int) -> str:
        """The field *name*, which has to be there."""
        value = self.fields.get(name, "")
        if not 0 < len(value) <= limit:
            raise BadRequest(f"{name} must be a text of at most {limit} characters.")
        return value

    def goes(self, path: str, **more: str) -> WebResponse:
        """Post, redirect, get."""
        query = urlencode({"next": self.back} | more)
        return response(303, b"", "text/html; charset=utf-8", ("location", f"{self.call.to.prefix}{path}?{query}"))

    def returns(self, code: Code | None = None, retry_at: datetime | None = None) -> WebResponse:
        """To the challenge, with what went wrong."""
        more = {} if code is None else {"problem": code.value}
        if retry_at is not None:
            more["until"] = str(math.ceil(retry_at.timestamp()))
        return self.goes(f"{ROOT}/{self.challenge}", **more)


# -- the forms ----------------------------------------------------------------------------


async def open_challenge(call: Call) -> WebResponse:
    """Open a challenge from the offer, and take the first step of it, or find the one that others were asked about."""
    turn = Turn.of(call)
    looks = turn.fields.get("look") == "1"
    turn.only("offer", *(["look"] if looks else ["method", "response", "remember"]))
    offer, method = turn.text("offer", 16_384), "" if looks else turn.text("method", 64)
    challenge = await start.start_offer(call.core, offer, call.context, None)
    turn = replace(turn, challenge=challenge.id)
    return turn.returns() if looks else await _step(turn, method)


async def answer(call: Call) -> WebResponse:
    """Answer, have a code sent, or call it off."""
    turn = Turn.of(call)
    if turn.fields.get("cancel") == "1":
        turn.only("cancel")
        await look.cancel(call.core, turn.challenge, call.context)
        return turn.returns()
    sends = turn.fields.get("send") == "1"
    turn.only("method", *(["send"] if sends else ["response", "remember"]))
    if not sends and "response" not in turn.fields:
        raise BadRequest("response is missing.")
    return await _step(turn, turn.text("method", 64))


async def _step(turn: Turn, method: str) -> WebResponse:
    """Answer with *method*, or prepare it where the form has no answer."""
    core, context = turn.call.core, turn.call.context
    try:
        if "response" not in turn.fields:
            await begin.begin(core, turn.challenge, method, context)
            return turn.returns()
        rotate = turn.call.request.rotate if context.session is not None else None
        remember = turn.fields.get("remember") == "1" and turn.call.request.keep_device is not None
        typed = turn.fields["response"]
        outcome = await verify.verify(core, turn.challenge, method, typed, context, rotate, remember)
    except Refused as error:
        return turn.returns(error.decision.code, error.retry_at)
    except DeliveryFailed:
        return turn.returns(Code.DELIVERY_FAILED)
    if isinstance(outcome, Verified):
        return _verified(turn, outcome)
    if isinstance(outcome, MoreNeeded):  # an approval that was not collected has not moved anything: that is said
        return turn.returns(Code.VERIFICATION_REQUIRED if method == APPROVAL else None)
    return turn.returns(outcome.code, outcome.retry_at)


def _verified(turn: Turn, outcome: Verified) -> WebResponse:
    """The end. It names no challenge: that one was bound to the session's old id, under which nobody asks any more."""
    devices.keep(turn.call, outcome)
    made, grant, core, names = turn.goes(f"{ROOT}/done"), outcome.grant, turn.call.core, turn.call.to.cookies
    rules = core.registry.rules
    if not grant.items and not rules(grant.binding.action, Risk(grant.level)).policy.token_required:
        return made  # the server finds the grant by the session
    left = math.ceil((grant.expires_at - core.now()).total_seconds())
    return made.with_headers(("set-cookie", names.set(names.grant, outcome.token, max(1, left))))


# -- the pages ----------------------------------------------------------------------------


def done(to: Protocol, request: WebRequest, parts: Mapping[str, str]) -> WebResponse:  # noqa: ARG001 -- as all
    """The end."""
    return html(200, pages.done(way_back(request)))


async def show(call: Call) -> WebResponse:
    """The challenge as it stands."""
    turn = Turn.of(call)
    found = await look.look_further(call.core, turn.challenge, call.context)
    if found is None:
        return call.problem(Code.CHALLENGE_NOT_FOUND)
    challenge, methods = found
    if challenge.state is State.VERIFIED:
        return html(200, pages.done(turn.back))
    if challenge.state is not State.OPEN:
        kind = PROBLEMS[_CLOSED.get(challenge.state, Code.CHALLENGE_CLOSED)]
        denial = challenge.asked.denial if challenge.asked is not None else None
        return html(kind.status, pages.ended(kind.title, challenge.state, turn.back, denial.reason if denial else None))
    return html(200, pages.ask(await _asked(turn, challenge, methods)))


def spoken(to: Protocol, request: WebRequest, made: WebResponse) -> WebResponse:
    """*made*, the answer to one of these forms; a problem becomes a page with the way back."""
    return as_page(to, made, way_back(request))


def way_back(request: WebRequest) -> str:
    """Where the person came from, as far as the request can be read."""
    try:
        return safe_return((request.query if request.method in SAFE else read_form(request)).get("next"))
    except BadRequest:
        return "/"


async def _asked(turn: Turn, challenge: Challenge, methods: Sequence[str]) -> Asked:
    core, actor = turn.call.core, turn.call.context.actor
    again = timedelta(seconds=core.limits.resend_after)
    rules = rules_of(core.registry, challenge)
    proved = still_proved(challenge, rules, core.now())
    return Asked(
        to=f"{turn.call.to.prefix}{ROOT}/{challenge.id}",
        back=turn.back,
        account=actor.email or actor.id,
        subject=Subject.approved_by(challenge),
        methods=[name for name in challenge.allowed if name in methods and name not in proved],
        prepares=prepares(core),
        now=core.now(),
        hidden={"next": turn.back},
        waiting=await _waiting(turn, challenge, rules),
        sent={name: Sent(one.sent_to, one.at + again) for name, one in challenge.prepared.items()},
        proved=sorted(proved),
        expires_at=challenge.expires_at,
        trouble=_trouble(turn, challenge),
        remember=turn.call.request.keep_device is not None and rules.policy.remember,
    )


async def _waiting(turn: Turn, challenge: Challenge, rules: Rules) -> Waiting:
    """Who could approve it and, once they were asked, how far that is."""
    if challenge.asked is None:
        return Waiting(rules.approvers.who if rules.approvers is not None else "")
    found = await approvals.get(turn.call.core, challenge.id, turn.call.context)
    return Waiting(standing=Standing.CLOSED) if found is None else Waiting.on(found)


def _trouble(turn: Turn, challenge: Challenge) -> Trouble | None:
    """What the address says went wrong: a code that we know and a time that is near, or nothing."""
    code = next((one for one in PROBLEMS if one.value == turn.fields.get("problem")), None)
    if code is None:
        return None
    if code is Code.VERIFICATION_FAILED:
        return Trouble(PROBLEMS[code].title, pages.tries(challenge.attempts_left))
    now, until = turn.call.core.now(), turn.fields.get("until", "")
    at = datetime.fromtimestamp(int(until), UTC) if re.fullmatch(r"[0-9]{1,10}", until) else now
    return Trouble(PROBLEMS[code].title, pages.try_again(at, now) if now < at < now + _MAX_WAIT else None)
