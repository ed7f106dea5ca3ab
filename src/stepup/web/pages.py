"""What the pages without JavaScript say, in plain words: no routes, no decisions, only values in and a page out.

- ``ask``: the request for proof (``asked``), with a section for each way that works without JavaScript (``ways``).
- ``done``, ``ended``: what became of it. ``problem``: what went wrong, from the same document that scripts get, so a
  page never tells more than the protocol does.

Nothing that somebody typed is ever shown again. Every page has a link to where the person came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from stepup.challenge import State
from stepup.errors import Code

from .asked import Asked, Subject, Trouble
from .html import Child, Markup, group, page, tag, web_address, when
from .problems import Kind
from .ways import PROBLEM_ID, WAYS, form, has_field, name_of, section

ASK: Final = "Confirm that it is you"
_ELSEWHERE: Final = {"passkey": "your passkey"}


# -- asking ---------------------------------------------------------------------------


def ask(asked: Asked) -> bytes:
    """The request for proof."""
    ways = [name for name in asked.methods if name in WAYS]
    others = [name for name in asked.methods if name not in WAYS]
    first = next((name for name in (*asked.sent, *ways) if name in ways and has_field(asked, name)), None)
    return page(
        ASK if asked.trouble is None else f"Error: {ASK}",
        tag("h1", ASK),
        _alert(asked.trouble),
        tag("p", "Somebody signed in as ", tag("strong", tag("bdi", asked.account)), " is about to do this:"),
        _rows(asked.subject),
        *[tag("p", f"{name_of(name)}: done. One more proof is needed.") for name in asked.proved],
        *[section(asked, name, focus=name == first) for name in ways],
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
    return tag("p", trouble.title, trouble.help and " ", trouble.help, id=PROBLEM_ID, role="alert", class_="problem")


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
    word = "Cancel" if asked.waiting.standing is None else "Take the request back"
    return tag("section", form(asked, {"cancel": "1"}, tag("button", word, type="submit", class_="quiet")))


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


def ended(title: str, state: State, back: str, denial: str | None = None) -> bytes:
    """A request for proof that takes no answer any more; *denial* is why somebody else has refused it."""
    why: Child = _ENDED.get(state)
    if denial is not None:
        why = group("The reason given: ", tag("bdi", denial))
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
