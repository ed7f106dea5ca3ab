"""The mail that carries a code: ``EmailCodeMail``, what it knows, and ``rendered``, the copy we ship.

It says what the code will do (OWASP transaction authorization 1.1): action, resource, the params that
matter, who asked, from which device and address. The code stands last in the text part, on a line
``@domain #code`` that browsers fill in for that domain alone; it is never in the subject, which a locked
screen shows.

Every value is cleaned: no control or formatting characters, one line, a bounded length. A device label can
not start a line of its own.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from stepup._languages import lookup
from stepup.challenge import Challenge
from stepup.context import clean_text
from stepup.ports import Ceremony, Message

from ._mail_texts import MailTexts

MAX_VALUE: Final = 500
MAX_PARAMS: Final = 32


@dataclass(frozen=True, slots=True)
class EmailCodeMail:
    """What a mail may say, ready to be shown as plain text: one line each, no control characters.

    Attributes:
        to: where it goes. ``render`` can not change it.
        code: the code, digits only. It must not be in the subject.
        action: the action's label.
        resource: what it is done to, if anything.
        params: label and value of what else the person approves.
        requester: the person's address, or id.
        on_behalf_of: the id of the person being impersonated.
        device, ip: where the request came from.
        minutes: how long the code is valid, rounded down, at least 1.
        domain: the site's domain for the last line; None leaves the line out.
        locale: the tag of the language chosen; ``texts`` are its words.
    """

    to: str = field(repr=False)
    code: str = field(repr=False)
    action: str
    resource: str | None
    params: tuple[tuple[str, str], ...]
    requester: str
    on_behalf_of: str | None
    device: str | None
    ip: str | None
    minutes: int
    domain: str | None
    locale: str
    texts: MailTexts = field(repr=False)

    @property
    def last_line(self) -> str:
        """``@domain #code``, or nothing where no domain is known; it must be the last line of the text part."""
        return f"@{self.domain} #{self.code}" if self.domain else ""

    @property
    def details(self) -> Iterator[tuple[str, str]]:
        """Label and value of everything but the code, in the order shown."""
        if self.resource:
            yield self.texts.resource, self.resource
        yield from self.params
        yield self.texts.requester, self.requester
        if self.on_behalf_of:
            yield self.texts.on_behalf_of, self.on_behalf_of
        if self.device:
            yield self.texts.device, self.device
        if self.ip:
            yield self.texts.ip, self.ip


def described(
    to: str,
    code: str,
    challenge: Challenge,
    context: Ceremony,
    seconds: int,
    domain: str | None,
    texts: Mapping[str, MailTexts],
) -> EmailCodeMail:
    """The mail for *challenge*, from what the server knows."""
    actor, binding = context.actor, challenge.binding
    tag, words = lookup(texts, context.context.locale)
    named = " ".join(part for part in (binding.resource_type, binding.resource_id) if part)
    device = context.context.device
    return EmailCodeMail(
        to=to,
        code=code,
        action=one_line(challenge.label or binding.action),
        resource=one_line(challenge.resource_label or named) or None,
        params=tuple((one_line(label), one_line(value)) for label, value in challenge.shown[:MAX_PARAMS]),
        requester=one_line(actor.email or actor.id),
        on_behalf_of=one_line(actor.on_behalf_of or "") or None,
        device=one_line(challenge.device_label or (device.label if device else None) or "") or None,
        ip=one_line(challenge.ip or context.context.ip or "") or None,
        minutes=max(1, (seconds + 1) // 60),  # a code sent at once has its whole time
        domain=domain,
        locale=tag,
        texts=words,
    )


def rendered(mail: EmailCodeMail) -> Message:
    """The shipped copy, as text and as HTML that says the same."""
    words = mail.texts
    intro = words.intro.format(action=mail.action, requester=mail.requester)
    validity = words.validity.format(minutes=mail.minutes)
    lines = [intro, "", *(f"{label}: {value}" for label, value in mail.details), ""]
    lines += [words.warning, "", f"{words.code}: {mail.code}", validity]
    if mail.domain:
        lines += ["", mail.last_line]
    return Message(
        mail.to, words.subject.format(action=mail.action), "\n".join(lines) + "\n", _html(mail, intro, validity)
    )


def _html(mail: EmailCodeMail, intro: str, validity: str) -> str:
    def cell(text: str) -> str:
        return html.escape(text, quote=True)

    rows = "".join(
        f'<tr><th scope="row" align="left" style="padding:2px 16px 2px 0">{cell(label)}</th><td>{cell(value)}</td></tr>'
        for label, value in mail.details
    )
    return (
        f'<!doctype html><html lang="{cell(mail.locale)}"><head><meta charset="utf-8">'
        f"<title>{cell(intro)}</title></head>"
        f'<body style="font-family:sans-serif"><p>{cell(intro)}</p><table role="presentation">{rows}</table>'
        f"<p>{cell(mail.texts.warning)}</p><p>{cell(mail.texts.code)}:</p>"
        f'<p style="font-size:28px;letter-spacing:4px;font-family:monospace"><strong>{cell(mail.code)}</strong></p>'
        f"<p>{cell(validity)}</p></body></html>\n"
    )


def one_line(text: str) -> str:
    """*text* without control and formatting characters or line breaks of any kind, at most 500 characters."""
    line = " ".join(clean_text(" ".join(text.split())).split())
    return line if len(line) <= MAX_VALUE else line[: MAX_VALUE - 1] + "\N{HORIZONTAL ELLIPSIS}"
