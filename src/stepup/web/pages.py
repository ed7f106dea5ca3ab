"""What the pages without JavaScript say, in plain words: no routes, no decisions, only values in and a page out.

- ``Subject``: what is to be approved, from an offer or from a challenge.
- ``ask``: the request for proof, with one form for each way that works without JavaScript.
- ``done``, ``ended``: what became of it. ``problem``: what went wrong, from the same document that scripts get, so a
  page never tells more than the protocol does.

Nothing that somebody typed is ever shown again. Every page has a link to where the person came from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from stepup.challenge import Challenge, State
from stepup.context import RECOVERY_CODE, Resource
from stepup.errors import Code

from .html import Attribute, Markup, group, page, tag, web_address
from .problems import Kind

ASK: Final = "Confirm that it is you"
Pairs = Sequence[tuple[str, str]]


class Subject(NamedTuple):
    """What is to be approved: the action, and what the person is shown of the call."""

    label: str
    rows: Pairs

    @classmethod
    def of(cls, label: str, resource: Resource | None, shown: Pairs) -> Subject:
        """Of a call."""
        if resource is None:
            return cls(label, shown)
        name = resource.id if resource.label is None else f"{resource.label} ({resource.id})"
        return cls(label, ((resource.type, name), *shown))

    @classmethod
    def approved_by(cls, challenge: Challenge) -> Subject:
        """Of the call that a challenge is for."""
        bound = challenge.binding
        resource = None
        if bound.resource_type is not None and bound.resource_id is not None:
            resource = Resource(bound.resource_type, bound.resource_id, challenge.resource_label)
        return cls.of(challenge.label, resource, challenge.shown).with_terms(
            None if challenge.items else challenge.uses, bound.on_behalf_of
        )

    def with_terms(self, uses: int | None, on_behalf_of: str | None) -> Subject:
        """With how often it could be done by one proof, where that is more than once, and for whom."""
        often = [("How often", f"up to {uses} times")] if uses is not None and uses > 1 else []
        behalf = [("On behalf of", on_behalf_of)] if on_behalf_of is not None else []
        return Subject(self.label, (*self.rows, *often, *behalf))


class Sent(NamedTuple):
    """A code that was sent: to where (masked), and when another one can be had."""

    to: str | None
    again_at: datetime


class Trouble(NamedTuple):
    """What went wrong with the last answer: its title, and what helps."""

    title: str
    help: Markup | str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for proof, as it stands.

    Attributes:
        to: where its forms are posted.
        back: where the person came from.
        account: whom the proof is asked of.
        methods: the ways that lead on, strongest first.
        prepares: those of them that need a code sent first.
        hidden: fields that every form carries.
        sent: codes that were sent, by method.
        proved: what was proved before.
        expires_at: until when it can be answered, once it is open; it can be called off then, too.
        remember: whether the device may be remembered.
    """

    to: str
    back: str
    account: str
    subject: Subject
    methods: Sequence[str]
    prepares: frozenset[str]
    now: datetime
    hidden: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    sent: Mapping[str, Sent] = field(default_factory=dict[str, Sent])
    proved: Sequence[str] = ()
    expires_at: datetime | None = None
    trouble: Trouble | None = None
    remember: bool = False


class Way(NamedTuple):
    """A way to prove oneself that needs no JavaScript: its name, what its field is called, what the field is like."""

    name: str
    label: str
    attributes: Mapping[str, Attribute]


_CODE: Final = {"type": "text", "inputmode": "numeric", "autocomplete": "one-time-code", "spellcheck": "false"}
_LETTERS: Final = {"type": "text", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
WAYS: Final[Mapping[str, Way]] = {
    "password": Way("Password", "Your password", {"type": "password", "autocomplete": "current-password"}),
    "totp": Way("Authenticator app", "The code that your authenticator app shows", _CODE),
    "email_code": Way("Code by mail", "The code from the mail", _CODE),
    "recovery_code": Way("Recovery code", "One of your recovery codes", _LETTERS),
}
_ELSEWHERE: Final = {"passkey": "your passkey", "approval": "the approval of somebody else"}
_PROBLEM_ID: Final = "problem"


# -- asking ---------------------------------------------------------------------------


def ask(asked: Asked) -> bytes:
    """The request for proof."""
    ways = [name for name in asked.methods if name in WAYS]
    others = [name for name in asked.methods if name not in WAYS]
    first = next((name for name in (*asked.sent, *ways) if name in ways and _has_field(asked, name)), None)
    return page(
        ASK if asked.trouble is None else f"Error: {ASK}",
        tag("h1", ASK),
        _alert(asked.trouble),
        tag("p", "Somebody signed in as ", tag("strong", tag("bdi", asked.account)), " is about to do this:"),
        _rows(asked.subject),
        *[tag("p", f"{_name(name)}: done. One more proof is needed.") for name in asked.proved],
        *[_section(asked, name, focus=name == first) for name in ways],
        _other_ways(others, alone=not ways),
        _until(asked),
        _way_out(asked),
    )


def _rows(subject: Subject) -> Markup:
    rows = (("Action", subject.label), *subject.rows)
    return tag("dl", *[group(tag("dt", tag("bdi", name)), tag("dd", tag("bdi", value))) for name, value in rows])


def _alert(trouble: Trouble | None) -> Markup | None:
    if trouble is None:
        return None
    return tag("p", trouble.title, trouble.help and " ", trouble.help, id=_PROBLEM_ID, role="alert", class_="problem")


def _has_field(asked: Asked, method: str) -> bool:
    return method not in asked.prepares or method in asked.sent


def _section(asked: Asked, method: str, *, focus: bool) -> Markup:
    """One way to prove oneself: a field to answer, or a button that has a code sent, or both."""
    sent, heading = asked.sent.get(method), f"{method}-title"
    parts: list[Markup | None] = [tag("h2", _name(method), id=heading)]
    if _has_field(asked, method):
        parts += [sent and _notice(sent), _answer(asked, method, focus=focus)]
    if method in asked.prepares:
        parts.append(_sender(asked, method, again=sent is not None))
        parts.append(sent and _wait(sent, asked.now))
    return tag("section", *parts, aria_labelledby=heading)


def _answer(asked: Asked, method: str, *, focus: bool) -> Markup:
    way, name = WAYS[method], f"{method}-response"
    described = _PROBLEM_ID if asked.trouble else None
    typed = tag(
        "input", id=name, name="response", required=True, autofocus=focus, aria_describedby=described, **way.attributes
    )
    return _form(
        asked,
        {"method": method},
        _account(asked.account) if method == "password" else None,
        tag("label", way.label, for_=name),
        typed,
        _remember(method) if asked.remember and method != RECOVERY_CODE else None,
        tag("button", "Confirm", type="submit"),
    )


def _remember(method: str) -> Markup:
    """To be asked less often on this device; after a recovery code nobody is."""
    box = tag("input", id=f"{method}-remember", type="checkbox", name="remember", value="1")
    return tag("label", box, "Remember this device", for_=f"{method}-remember", class_="check")


def _account(account: str) -> Markup:
    """Who it is, for password managers alone: they fill in a password only beside a name."""
    field = tag(
        "input", id="account", type="text", value=account, autocomplete="username", readonly=True, tabindex="-1"
    )  # fmt: skip
    return tag("div", tag("label", "Account", for_="account"), field, class_="aside", aria_hidden="true")


def _sender(asked: Asked, method: str, *, again: bool) -> Markup:
    """The button that has a code sent; before there is a challenge, the same post opens one."""
    fields = {"method": method} if asked.expires_at is None else {"method": method, "send": "1"}
    word = "Send another code" if again else "Send me a code"
    return _form(asked, fields, tag("button", word, type="submit", class_="quiet" if again else None))


def _form(asked: Asked, fields: Mapping[str, str], *parts: Markup | None) -> Markup:
    carried = [
        tag("input", type="hidden", name=name, value=value) for name, value in {**asked.hidden, **fields}.items()
    ]
    return tag("form", *carried, *parts, method="post", action=asked.to)


def _notice(sent: Sent) -> Markup:
    to = group(" to ", tag("bdi", sent.to)) if sent.to else None
    return tag("p", "A code is on its way", to, ". Only the newest one counts.", role="status")


def _wait(sent: Sent, now: datetime) -> Markup | None:
    if sent.again_at <= now:
        return None
    return tag("p", "Nothing came? Another one can be sent from ", when(sent.again_at, now), ".", class_="soft")


def _other_ways(others: Sequence[str], *, alone: bool) -> Markup | None:
    if not others:
        return None
    named = ", ".join(_ELSEWHERE.get(name, name) for name in others)
    if alone:
        return tag("p", f"This can be confirmed with {named}. That needs JavaScript: turn it on, and try again.")
    return tag("p", f"With JavaScript it can also be confirmed with {named}.", class_="soft")


def _until(asked: Asked) -> Markup | None:
    if asked.expires_at is None:
        return None
    return tag("p", "You can answer until ", when(asked.expires_at, asked.now), ".", class_="soft")


def _way_out(asked: Asked) -> Markup:
    if asked.expires_at is None:
        return _back_link(asked.back, "Go back, and do nothing")
    return tag("section", _form(asked, {"cancel": "1"}, tag("button", "Cancel", type="submit", class_="quiet")))


def _name(method: str) -> str:
    way = WAYS.get(method)
    return method if way is None else way.name


# -- what became of it ------------------------------------------------------------------


def done(back: str) -> bytes:
    """The end: the same for everybody, with nothing in it but the way back."""
    return page(
        "It is you",
        tag("h1", "It is you"),
        tag("p", "Nothing has been done yet. Go back, and press the button again."),
        _back_link(back),
        tag(
            "p",
            "What you typed into a form is still in it if you go back with your browser's Back button: press it twice,"
            " or until you see the form.",
        ),
    )


_ENDED: Final[Mapping[State, str]] = {
    State.FAILED: "Too many answers were wrong.",
    State.SUPERSEDED: "A newer request took its place.",
}


def ended(title: str, state: State, back: str) -> bytes:
    """A request for proof that takes no answer any more."""
    why = _ENDED.get(state)
    return page(
        title, tag("h1", title), why and tag("p", why), tag("p", "Go back, and start again."), _back_link(back)
    )  # fmt: skip


_MEANS: Final[Mapping[str, str]] = {
    Code.LOGIN_REQUIRED: "Sign in, then do it again.",
    Code.NO_USABLE_METHOD: "Nothing that you have set up counts for it now.",
    Code.ACTION_BLOCKED: "Proving that it is you does not change that.",
    Code.LOCKED_OUT: "Nothing you type is looked at before then, right or wrong.",
    Code.BAD_REQUEST: "Go back, and start again.",
    Code.CHALLENGE_NOT_FOUND: "Go back, and start again.",
    Code.DELIVERY_FAILED: "If it happens again, use another way.",
}


def problem(document: Mapping[str, object], back: str, now: datetime) -> bytes:
    """What went wrong, from its problem document."""
    title, code = str(document["title"]), str(document["code"])
    detail, means, retry_at = document.get("detail"), _MEANS.get(code), document.get("retryAt")
    return page(
        title,
        tag("h1", title),
        tag("p", detail) if isinstance(detail, str) else None,
        tag("p", means) if means else None,
        tag("p", try_again(datetime.fromisoformat(retry_at), now)) if isinstance(retry_at, str) else None,
        _away(document.get("loginUrl"), "Sign in"),
        _away(document.get("enrolUrl"), "Set up a way to prove yourself"),
        _back_link(back),
    )


def described(code: Code, kind: Kind) -> bytes:
    """What a code means, for whoever follows the ``type`` of a problem."""
    return page(
        code.value,
        tag("h1", code.value),
        tag("p", kind.title),
        tag("p", kind.helps),
        tag("p", f"HTTP status {kind.status}.", class_="soft"),
    )


def tries(left: int) -> str:
    """How many answers are still taken."""
    return f"{left} {'try is' if left == 1 else 'tries are'} left."


def try_again(at: datetime, now: datetime) -> Markup:
    """When trying again can succeed."""
    return group("You can try again from ", when(at, now), ".")


def _away(address: object, words: str) -> Markup | None:
    known = web_address(address)
    return None if known is None else tag("p", tag("a", words, href=known))


def _back_link(back: str, words: str = "Go back") -> Markup:
    return tag("p", tag("a", words, href=back))


def when(at: datetime, now: datetime) -> Markup:
    """A moment: the time of day, and how far away it is."""
    seconds = max(0, math.ceil((at - now).total_seconds()))
    far, unit = (seconds, "second") if seconds < 120 else (math.ceil(seconds / 60), "minute")
    utc = at.astimezone(UTC)
    time = tag("time", f"{utc:%H:%M:%S} UTC", datetime=f"{utc:%Y-%m-%dT%H:%M:%SZ}")
    return group(time, f" (in {far} {unit}{'' if far == 1 else 's'})")
