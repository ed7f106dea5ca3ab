"""The ways to prove oneself that need no JavaScript: a section of the page for each, with its forms.

``section`` makes one: a field to answer, a button that has a code sent, or the request that somebody else approves.
``form`` makes every form of these pages: it carries the hidden fields, and is posted where the request for proof is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from stepup.approval import Standing
from stepup.context import APPROVAL, RECOVERY_CODE

from .asked import Asked, Sent
from .html import Attribute, Markup, group, tag, when

PROBLEM_ID: Final = "problem"


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
    APPROVAL: Way("Approval", "", {}),  # nothing is typed
}


def name_of(method: str) -> str:
    """What a method is called."""
    way = WAYS.get(method)
    return method if way is None else way.name


def has_field(asked: Asked, method: str) -> bool:
    """Whether there is something to type by now."""
    return method in WAYS and method != APPROVAL and (method not in asked.prepares or method in asked.sent)


def section(asked: Asked, method: str, *, focus: bool) -> Markup:
    """One way to prove oneself."""
    heading = f"{method}-title"
    parts = _approval(asked) if method == APPROVAL else _answering(asked, method, focus=focus)
    return tag("section", tag("h2", name_of(method), id=heading), *parts, aria_labelledby=heading)


def form(asked: Asked, fields: Mapping[str, str], *parts: Markup | None) -> Markup:
    """A form, with what all of them carry."""
    carried = [
        tag("input", type="hidden", name=name, value=value) for name, value in {**asked.hidden, **fields}.items()
    ]
    return tag("form", *carried, *parts, method="post", action=asked.to)


def opening(asked: Asked, fields: Mapping[str, str], mark: str) -> dict[str, str]:
    """*fields* with *mark*, which tells a post to an open challenge what it is; before, the same post opens one."""
    return dict(fields) if asked.expires_at is None else {**fields, mark: "1"}


# -- something to type ----------------------------------------------------------------------


def _answering(asked: Asked, method: str, *, focus: bool) -> list[Markup | None]:
    """A field to answer, or a button that has a code sent, or both."""
    sent = asked.sent.get(method)
    parts: list[Markup | None] = []
    if has_field(asked, method):
        parts += [sent and _notice(sent), _answer(asked, method, focus=focus)]
    if method in asked.prepares:
        parts.append(_sender(asked, method, again=sent is not None))
        parts.append(sent and _wait(sent, asked.now))
    return parts


def _answer(asked: Asked, method: str, *, focus: bool) -> Markup:
    way, name = WAYS[method], f"{method}-response"
    described = PROBLEM_ID if asked.trouble else None
    typed = tag(
        "input", id=name, name="response", required=True, autofocus=focus, aria_describedby=described, **way.attributes
    )
    return form(
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
    """The button that has a code sent."""
    fields = opening(asked, {"method": method}, "send")
    word = "Send another code" if again else "Send me a code"
    return form(asked, fields, tag("button", word, type="submit", class_="quiet" if again else None))


def _notice(sent: Sent) -> Markup:
    to = group(" to ", tag("bdi", sent.to)) if sent.to else None
    return tag("p", "A code is on its way", to, ". Only the newest one counts.", role="status")


def _wait(sent: Sent, now: datetime) -> Markup | None:
    if sent.again_at <= now:
        return None
    return tag("p", "Nothing came? Another one can be sent from ", when(sent.again_at, now), ".", class_="soft")


# -- somebody else --------------------------------------------------------------------------


def _approval(asked: Asked) -> list[Markup | None]:
    """Asking others, seeing how far they are, collecting what they have approved."""
    waiting = asked.waiting
    who = tag("bdi", waiting.who or "somebody who may")
    if waiting.standing is None:
        words = tag("p", "Has to come from ", who, ", who is shown what stands above. You can leave, and come back.")
        button = tag("button", "Ask for approval", type="submit")
        return [words, form(asked, opening(asked, {"method": APPROVAL}, "send"), button)]
    if asked.expires_at is None:
        words = tag("p", "You have asked for it already.", role="status")
        return [words, form(asked, {"look": "1"}, tag("button", "See how it stands", type="submit"))]
    if waiting.standing is Standing.READY:
        more = " Where it takes more than that, confirm the rest first." if len(asked.methods) > 1 else None
        button = tag("button", "Collect it", type="submit")
        collect = form(asked, {"method": APPROVAL, "response": ""}, button)
        return [tag("p", "It was approved.", more, role="status"), collect]
    if waiting.standing is not Standing.PENDING:
        return [tag("p", "Nobody can approve this any more. Take it back, and start again.", role="status")]
    far = f"{waiting.given} of {waiting.quorum} have approved." if waiting.quorum > 1 else "Nobody has approved yet."
    return [
        tag("p", "Asked: ", who, f". {far}", role="status"),
        tag("p", "Leave if you like. Press the button again where you pressed it, and you can come back to this page."),
        tag("p", tag("a", "Look again", href=asked.again)),
    ]
