"""What a call is: to which gate, by whom, with what; and what a route says of the calls it takes.

- ``Protocol``: the gate and how it answers, the same for all calls.
- ``Call``: one call, with somebody signed in, its body read; what every ``Handler`` gets.
- ``Route``: method, path, and who answers. An ``Operation`` says what is read, what is answered and what can go wrong;
  bodies are read by it (``wire``), and the OpenAPI document is written from it (``openapi``), so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from stepup._engine.core import Core
from stepup.context import Context
from stepup.errors import Code

from .answers.document import Answer
from .cookies import CookieNames, cookie_names
from .http import WebRequest, WebResponse, response
from .problems import Answers, Voice, dumps
from .wire import Sent

PART: Final = "[A-Za-z0-9_.-]{1,128}"
"""A part of a path, such as an id."""

MayStart = Callable[[str, Context], object]
S = TypeVar("S", bound=Sent)


@dataclass(frozen=True, slots=True)
class Protocol:
    """What the protocol is made of: the gate's core, and how it answers.

    Attributes:
        core: of a ``StepUp`` or ``AsyncStepUp``.
        prefix: where it is mounted, for the addresses in documents.
        answers: 401 or 403 for a blocked call; see ``problems``.
        may_start: lets a client start a challenge without an offer.
        trusted: origins besides the server's own whose pages may call.
        cookies: what the cookies are called, for the pages that set one.
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
        return Voice(self.prefix, self.core.clock, self.core.offers, self.answers)


class Call(NamedTuple):
    """One call, with somebody signed in: the protocol, the request, who asks, the parts of the path, what was sent."""

    to: Protocol
    request: WebRequest
    context: Context
    parts: Mapping[str, str]
    sent: Sent

    @property
    def core(self) -> Core:
        """The gate's core."""
        return self.to.core

    def body(self, kind: type[S]) -> S:
        """What was sent, body or parameters, which the route reads as *kind*."""
        if not isinstance(self.sent, kind):
            raise TypeError(f"The route does not read {kind.__name__}.")
        return self.sent

    def ok(self, document: object, status: int = 200, *more: tuple[str, str]) -> WebResponse:
        """A document as the answer."""
        return response(status, dumps(document), "application/json", *more)

    def problem(self, code: Code, members: Mapping[str, object] | None = None) -> WebResponse:
        """A problem as the answer."""
        return self.to.voice.problem(self.request, code, members)


Handler = Callable[[Call], Awaitable[WebResponse]]


class Public(NamedTuple):
    """What is answered to anybody, signed in or not: it depends on the path alone."""

    answer: Callable[[Protocol, WebRequest, Mapping[str, str]], WebResponse]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call reads and answers.

    Attributes:
        id: its name in clients made from the OpenAPI document.
        tag: the part of the document it stands in.
        summary: what it does, in a few words.
        answer: the document it answers; None for 204, without one.
        status: of a call that succeeds.
        reads: the bodies it takes, any one of them; none for no body.
        may_be_empty: whether the body can be left out.
        query: the parameters it takes.
        codes: what can go wrong beyond what follows from all this; see ``openapi``.
        created: whether the answer names the address of something new.
    """

    id: str
    tag: str
    summary: str
    answer: type[Answer] | None
    status: int = 200
    reads: tuple[type[Sent], ...] = ()
    may_be_empty: bool = False
    query: type[Sent] | None = None
    codes: tuple[Code, ...] = ()
    created: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the protocol, or one page: method, path below the prefix, and who answers.

    A page says no operation: it reads a form, if anything, and stands in no OpenAPI document.
    """

    method: str
    path: str
    handler: Handler | Public
    says: Operation | None = None
