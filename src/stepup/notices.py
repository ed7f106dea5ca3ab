"""What a person is told out of band, as mails: which kinds (``Notices``), in which words, and how they look.

``stepup.told`` has the kinds, what raises them and how often; here are the settings of a gate and the shipped mail. A
mail has no code, no link and no token in it. Its subject says what has happened, and nothing of whose or on what.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from ._languages import lookup
from ._notice_texts import CATALOGUE as CATALOGUE
from ._notice_texts import NoticeTexts as NoticeTexts
from ._notice_texts import catalogue
from .approval import ApprovalRequest
from .context import clean_text
from .errors import ConfigurationError, ContractBroken
from .ports import Message
from .told import DEMANDED as DEMANDED
from .told import LIMITS, Limit
from .told import Notice as Notice
from .told import NoticeKind as NoticeKind

MAX_VALUE: Final = 200

Render = Callable[[Notice, NoticeTexts], Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """What a gate tells people of, and how: pass it as ``notices=``.

    Attributes:
        off: kinds that nobody is told of, neither by mail nor by the ``notify`` hook.
        off_though_demanded: the same for kinds that ASVS or NIST demand; ``gate.lint()`` warns of them.
        texts: languages to add, or to put in the place of the shipped ones, by tag.
        render: makes the mail of a notice; ``rendered`` without. Where it goes is not its to say.
        limits: how often a kind may be told, in place of ``stepup.told.LIMITS``.

    Raises:
        ConfigurationError: for a kind that does not exist, or a demanded one in ``off``.
    """

    off: Collection[NoticeKind | str] = ()
    off_though_demanded: Collection[NoticeKind | str] = ()
    texts: Mapping[str, NoticeTexts] = field(default_factory=dict[str, NoticeTexts])
    render: Render | None = None
    limits: Mapping[NoticeKind | str, Limit] = field(default_factory=dict[NoticeKind | str, Limit])

    def __post_init__(self) -> None:
        off, despite = _kinds("off", self.off), _kinds("off_though_demanded", self.off_though_demanded)
        if refused := sorted(off & DEMANDED):
            raise ConfigurationError(
                f"Notices(off=) holds {refused[0].value!r}, which ASVS 6.3.7 or NIST SP 800-63B-4 4.6 demands.",
                remedy="Put it into off_though_demanded= if that is really meant.",
            )
        if odd := sorted(despite - DEMANDED):
            raise ConfigurationError(
                f"Notices(off_though_demanded=) holds {odd[0].value!r}, which nothing demands.",
                remedy="Put it into off=.",
            )
        if self.render is not None and not callable(self.render):
            raise ConfigurationError("Notices(render=) must be a function.")
        object.__setattr__(self, "off", off)
        object.__setattr__(self, "off_though_demanded", despite)
        object.__setattr__(self, "texts", catalogue(self.texts))
        object.__setattr__(self, "limits", _limits(self.limits))

    def tells(self, kind: NoticeKind) -> bool:
        """Whether people are told of *kind*."""
        return kind not in self.off and kind not in self.off_though_demanded

    def limit(self, kind: NoticeKind) -> Limit | None:
        """How often a person is told of *kind*; None for every time."""
        return self.limits.get(kind)

    def mail(self, notice: Notice) -> Message:
        """The mail of a notice, in the person's language and to their address.

        Raises:
            ContractBroken: if ``render`` answers no ``Message``.
        """
        _, words = lookup(self.texts, notice.locale)
        made = (self.render or rendered)(notice, words)
        if not isinstance(made, Message):  # pyright: ignore[reportUnnecessaryIsInstance] -- a hook's answer is never taken on trust
            raise ContractBroken("Notices(render=) must answer a Message.")
        return replace(made, to=notice.actor.email or "")


def rendered(notice: Notice, words: NoticeTexts) -> Message:
    """The shipped mail: what, when, where, with which method, and what to do if it was not the person."""
    subject, what = words.words[notice.kind]
    device = notice.device or words.unnamed
    lines = [
        (words.when, _moment(notice.at)),
        (words.where, f"{device}, {notice.ip}" if notice.ip else device),
        (words.method, words.methods.get(notice.method, notice.method) if notice.method else None),
        (words.about, notice.about),
        (words.behalf, notice.actor.on_behalf_of),
        (words.usable_from, _moment(notice.usable_from) if notice.usable_from else None),
    ]
    details = "\n".join(f"{label}: {_one_line(value)}" for label, value in lines if value)
    return Message(notice.actor.email or "", subject, f"{what}\n\n{details}\n\n{words.advice}\n")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _one_line(text: str) -> str:
    return " ".join(clean_text(" ".join(text.split()), limit=MAX_VALUE).split())


def _kinds(name: str, given: Collection[NoticeKind | str]) -> frozenset[NoticeKind]:
    known = {kind.value: kind for kind in NoticeKind}
    if isinstance(given, str):
        raise ConfigurationError(f"Notices({name}=) must be a collection of kinds.", remedy=f"Write {{{given!r}}}.")
    for kind in given:
        if kind not in known:
            raise ConfigurationError(
                f"Notices({name}=) holds {kind!r}, which is no kind of notice.",
                remedy=f"Use one of: {', '.join(known)}.",
            )
    return frozenset(known[kind] for kind in given)


def _limits(given: Mapping[NoticeKind | str, Limit]) -> Mapping[NoticeKind, Limit]:
    made = dict(LIMITS)
    for kind in _kinds("limits", tuple(given)):
        most, seconds = given[kind]
        if type(most) is not int or type(seconds) is not int or not (1 <= most <= 100 and seconds >= 1):
            raise ConfigurationError(f"Notices(limits=) of {kind.value!r} must be Limit(1 to 100, seconds).")
        made[kind] = Limit(most, seconds)
    return MappingProxyType(made)


def unlinked(text: str) -> str:
    """*text* in which a mail program finds no link: no scheme, and no dot before a letter, as in the name of a host."""
    return _HOST.sub("[.]", text.replace("://", "[:]//"))


_HOST: Final = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=[^\W\d_])")


def _line(text: str) -> str:
    return " ".join(clean_text(text).split())


def approval_requested(address: str, request: ApprovalRequest, inbox_url: str | None) -> Message:
    """The mail to somebody who could approve: what is asked, by whom, until when. It opens nothing.

    The requester's reason is not in it: whoever has their session could word a mail of the application's to others.
    What else they have chosen stays on its line and is no link (``unlinked``).
    """
    lines = [f"{_line(request.requester)} asks for approval of: {request.label}"]
    if request.on_behalf_of is not None:
        lines.append(f"On behalf of: {_line(request.on_behalf_of)}")
    if request.resource_id is not None:
        lines.append(f"On: {unlinked(_line(request.resource_label or request.resource_id))}")
    lines += [f"{unlinked(_line(label))}: {unlinked(_line(value))}" for label, value in request.shown]
    if request.often is not None:
        lines.append(f"How often: {request.often}")
    where = f"Sign in and look here: {inbox_url}\n" if inbox_url else "Sign in to look at it.\n"
    until = f"It can be answered until {request.expires_at:%Y-%m-%d %H:%M} UTC."
    text = "\n".join(lines) + f"\n\n{until}\n{where}\nIf you did not expect this, do not approve it.\n"
    return Message(to=address, subject="Somebody asks for your approval", text=text)
