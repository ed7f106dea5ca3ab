"""What a person is answered where a script gets a problem document: the same, as a page.

``refused`` makes the page that is the body of a blocked call: for ``StepUpRequired`` the first page of the ceremony
(``ceremony`` takes its forms), for everything else what it means and what helps. ``as_page`` does so with any problem
document. Status and words are the document's, so a page tells no more than a script would be told.
"""

from __future__ import annotations

import json
from typing import Final, cast
from urllib.parse import quote

from stepup._engine.core import Core
from stepup._engine.offer import Offered, read_offer
from stepup.approval import Standing
from stepup.decide.shown import listed, shown
from stepup.errors import Code, InvalidInput, StepUpError, StepUpRequired
from stepup.policy import Risk
from stepup.rules import least, titled

from . import pages
from .asked import Asked, Subject, Waiting
from .call import Protocol
from .html import html
from .http import SAFE, WebRequest, WebResponse
from .origins import safe_return
from .problems import PROBLEM_JSON

ROOT: Final = "/ceremony"
_KEPT: Final = frozenset({"allow", "retry-after", "www-authenticate"})


def wants_page(request: WebRequest) -> bool:
    """Whether whoever is refused reads pages: a person who goes somewhere, not a script, not a client with a token."""
    return request.navigation and not request.bearer and not request.htmx


def refused(to: Protocol, request: WebRequest, error: StepUpError) -> WebResponse:
    """The page that a blocked call is answered with."""
    spoken, back = to.voice.error(request, error), came_from(to, request)
    first = _first_page(to, request, error, back) if isinstance(error, StepUpRequired) else None
    return as_page(to, spoken, back) if first is None else _carried(spoken, first)


def as_page(to: Protocol, spoken: WebResponse, back: str) -> WebResponse:
    """*spoken*, if it is a problem document, as a page; anything else as it is."""
    if spoken.header("content-type") != PROBLEM_JSON:
        return spoken
    document = cast("dict[str, object]", json.loads(spoken.body))
    return _carried(spoken, pages.problem(document, back, to.core.now()))


def came_from(to: Protocol, request: WebRequest) -> str:
    """Where the person was before: the page with the form, as far as the browser says."""
    referer = request.headers.get("referer", "")
    if request.origin and referer.startswith(f"{request.origin}/"):
        before = safe_return(referer.removeprefix(request.origin), "")
        if before and not before.startswith(f"{to.prefix}{ROOT}"):  # from our own pages there is nothing to go back to
            return before
    if request.method not in SAFE:
        return "/"
    path, mark, query = request.path.partition("?")
    return safe_return(f"{quote(path)}{mark}{query}")


def prepares(core: Core) -> frozenset[str]:
    """The methods that need something sent before they can be answered."""
    return frozenset(name for name, info in core.methods.items() if info.prepares)


def _first_page(to: Protocol, request: WebRequest, error: StepUpRequired, back: str) -> bytes | None:
    context, core = request.context, to.core
    offered = None if context is None else read_offer(core, error.offer, context, core.now())
    if context is None or offered is None:
        return None
    subject = _subject(core, offered).with_terms(_uses(core, offered), context.actor.on_behalf_of)
    return pages.ask(
        Asked(
            to=f"{to.prefix}{ROOT}",
            back=back,
            account=context.actor.email or context.actor.id,
            subject=subject,
            methods=error.methods,
            prepares=prepares(core),
            now=core.now(),
            hidden={"offer": error.offer, "next": back},
            waiting=_waiting(core, offered, error),
            remember=_may_remember(to, request, offered, error.decision.level),
        )
    )


def _waiting(core: Core, offered: Offered, error: StepUpRequired) -> Waiting:
    """Who could approve it, and whether somebody was asked already; how far that is, the challenge's page tells."""
    registry, found = core.registry, None
    if not offered.items:
        found = registry.rules(offered.action, max(registry.action(offered.action).level, Risk(error.decision.level)))
    who = found.approvers.who if found is not None and found.approvers is not None else ""
    return Waiting(who, Standing.PENDING if error.code is Code.APPROVAL_PENDING else None)


def _may_remember(to: Protocol, request: WebRequest, offered: Offered, level: int) -> bool:
    """Whether the box is shown; of a bundle, every call has to allow it."""
    registry = to.core.registry
    named = [one.action for one in offered.items] or [offered.action]
    allowed = all(
        registry.rules(one, max(registry.action(one).level, Risk(1 if offered.items else level))).policy.remember
        for one in named
    )
    return request.keep_device is not None and allowed


def _uses(core: Core, offered: Offered) -> int | None:
    """How often the call could be made by one proof, where that is counted."""
    if offered.items:
        return None
    action = core.registry.action(offered.action)
    return least(offered.uses, core.registry.rules(action.id, action.level).policy.uses)


def _subject(core: Core, offered: Offered) -> Subject:
    """What would be approved; for a bundle, a line for each of its calls."""
    try:
        if not offered.items:
            action = core.registry.action(offered.action)
            return Subject.of(action.label, offered.resource, shown(action, offered.resource, offered.params))
        rows = [listed(core.registry.action(one.action), one.resource, one.params) for one in offered.items]
        return Subject(titled(one.label for one in rows), [(one.label, one.summary) for one in rows])
    except InvalidInput:
        return Subject("", ())  # opening the challenge says what is wrong: nothing is approved unseen


def _carried(spoken: WebResponse, body: bytes) -> WebResponse:
    """*body* in place of the document, under the same status and with the headers that go with it."""
    return html(spoken.status, body, *[(name, value) for name, value in spoken.headers if name in _KEPT])
