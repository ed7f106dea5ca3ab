"""People at work on a durable store, who write down what they are about to do and what was done.

The journal is a file with a line of JSON for each thing, appended with one ``write`` each, so that whatever was written
before a kill is there: ``["ran", ...]`` is the guarded action itself.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyotp
from faults_people import NAMESPACE, SECRET, Person, WallClock, context_of

from stepup import (
    Action,
    Actor,
    Challenge,
    Context,
    Limits,
    MoreNeeded,
    Policy,
    Resource,
    StepUp,
    StepUpError,
    Verified,
    all_of,
)
from stepup.ports import Ceremony, Checked, Message, State
from stepup.verifiers import TOTP, EmailCode, Password, RecoveryCode

PASSWORD: Final = "correct horse battery staple"
ORG: Final = Resource("organization", "org_7")

ACTIONS: Final = (
    Action("once", "Once", risk=4, methods=("password", "totp", "email_code", "recovery_code")),
    Action("thrice", "Three times", policy=Policy(methods="password", uses=3)),
    Action("often", "As often as wanted", risk=3, methods="password"),
    Action("both", "By both", policy=Policy(methods=all_of("password", "recovery_code"), uses=1)),
)
USES: Final = {"once": 1, "thrice": 3, "often": None, "both": 1}
LIMITS: Final = Limits(
    open_challenges=10_000, starts=100_000, delay_after=10_000, lock_after=10_000, disable_after=10_000,
    guess_budget=100_000, sends=10_000, resend_after=1,
)  # fmt: skip


class Journal:
    """The file that is appended to; a line is there once ``write`` has returned."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *what: object) -> None:
        """Append one line."""
        line = json.dumps(what).encode() + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError("the journal is full")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_journal(path: Path) -> list[list[Any]]:
    """Every line so far."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


class Noted:
    """A shipped verifier that notes what it is asked, before it answers."""

    def __init__(self, inner: Any, journal: Journal) -> None:
        self._inner = inner
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def hooks(self) -> Any:
        return self._inner.hooks

    def bind(self, call: Any, /) -> Noted:
        return Noted(self._inner.bind(call), self._journal)

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        who, method = context.actor.id, self._inner.method
        self._journal.write("checked", who, context.challenge.id, method, str(response))
        found: Checked = await self._inner.check(state, response, context)
        return found


@dataclass
class Letterbox:
    """Mail that is read at once."""

    sender: str = "no-reply@northstar.example"
    taken: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        """Keep it."""
        self.taken.append(message)


def _right(actor: Actor, password: str) -> bool:
    return password == PASSWORD


@dataclass
class Desk:
    """A gate over a store, and the journal: what a process has, and what it loses when it is killed."""

    store: Any
    journal: Journal
    post: Letterbox
    gate: StepUp

    @classmethod
    def over(cls, store: Any, journal: Journal) -> Desk:
        """A gate with the fixed secret and the real time."""
        post = Letterbox()
        methods = [Password(check=_right), TOTP(), EmailCode(mailer=post), RecoveryCode()]
        gate = StepUp(
            actions=ACTIONS,
            verifiers=[Noted(one, journal) for one in methods],
            store=store,
            secret=SECRET,
            clock=WallClock(),
            limits=LIMITS,
            namespace=NAMESPACE,
        )
        return cls(store, journal, post, gate)


class Client:
    """What one person does. Each call is noted before and after; a refusal is an answer like any other."""

    def __init__(self, desk: Desk, person: Person, chance: random.Random) -> None:
        self.desk, self.gate, self.note = desk, desk.gate, desk.journal.write
        self.person, self.chance = person, chance
        self.id: str = person["id"]

    def where(self) -> tuple[str, Context]:
        """One of their sessions."""
        session = self.chance.choice(self.person["sessions"])
        return session, context_of(self.id, session)

    def look(self) -> None:
        """Connect: what the first call of a process costs is not what anybody is killed in."""
        self.gate.grants(self.where()[1])

    # -- proving ------------------------------------------------------------------------

    def start(self, action: str) -> tuple[str, Context, Challenge] | None:
        """Open a challenge."""
        session, who = self.where()
        try:
            made = self.gate.start(action, who, resource=ORG)
        except StepUpError:
            return None
        self.note("started", self.id, session, made.id, action)
        return session, who, made

    def answer(self, session: str, who: Context, challenge: str, method: str, answer: str, action: str) -> str | None:
        """Answer it; the token, if that was the last proof."""
        self.note("answering", self.id, session, challenge, method, answer)
        try:
            found = self.gate.verify(challenge, method, answer, who)
        except StepUpError:
            return None
        if isinstance(found, Verified | MoreNeeded):
            self.note("accepted", self.id, session, challenge, method, answer)
        if not isinstance(found, Verified):
            return None
        self.note("minted", self.id, session, challenge, found.grant.id, action, found.token)
        return found.token

    def prove(self, action: str, method: str) -> tuple[str, str] | None:
        """The whole of it by one method: ``(session, token)``."""
        begun = self.start(action)
        if begun is None:
            return None
        session, who, made = begun
        answer = self.right(method, made.id, who)
        token = None if answer is None else self.answer(session, who, made.id, method, answer, action)
        return None if token is None else (session, token)

    def right(self, method: str, challenge: str, who: Context) -> str | None:
        """A right answer, or one that was right once."""
        if method == "password":
            return PASSWORD
        if method == "totp":
            return pyotp.TOTP(self.person["secret"]).now()
        if method == "recovery_code":
            return str(self.chance.choice(self.person["codes"]))
        try:
            self.gate.begin(challenge, "email_code", who)
        except StepUpError:
            return None
        return _code_in(self.desk.post)

    def prove_both(self) -> None:
        """Two methods, one after the other."""
        begun = self.start("both")
        if begun is None:
            return
        session, who, made = begun
        self.answer(session, who, made.id, "password", PASSWORD, "both")
        code = str(self.chance.choice(self.person["codes"]))
        token = self.answer(session, who, made.id, "recovery_code", code, "both")
        if token is not None and self.chance.random() < 0.7:
            self.redeem("both", session, token)

    def guess(self) -> None:
        """Wrong answers, until no more are taken or it is given up."""
        begun = self.start("once")
        if begun is None:
            return
        session, who, made = begun
        for number in range(self.chance.randint(1, 7)):
            self.answer(session, who, made.id, self.chance.choice(("password", "totp")), f"{number:06}", "once")

    def cancel(self) -> None:
        """Open a challenge, close it, and answer it."""
        begun = self.start("once")
        if begun is None:
            return
        session, who, made = begun
        self.note("cancel", made.id)
        try:
            closed = self.gate.cancel(made.id, who)
        except StepUpError:
            return
        self.note("cancelled", made.id, closed)
        self.answer(session, who, made.id, "password", PASSWORD, "once")

    # -- acting, and ending -----------------------------------------------------------------

    def redeem(self, action: str, session: str, token: str | None) -> bool:
        """The guarded call: note it, ask, and if it may run, run."""
        number = f"{os.getpid()}.{self.chance.getrandbits(60)}"
        self.note("redeem", number, self.id, session, action)
        try:
            passed = self.gate.require(action, context_of(self.id, session), resource=ORG, token=token)
        except StepUpError:
            self.note("refused", number)
            return False
        self.note("ran", number, passed.grant_id, action)
        return True

    def redeem_known(self) -> None:
        """A token of somebody's who may have been killed, or has been used, once more."""
        lines = self._minted()
        if not lines:
            return
        _, _, session, _, _, action, token = self.chance.choice(lines)
        for _ in range(self.chance.randint(1, 2)):
            self.redeem(action, session, None if action == "often" and self.chance.random() < 0.5 else token)

    def _minted(self) -> list[list[Any]]:
        return [line for line in read_journal(self.desk.journal.path) if line[0] == "minted" and line[1] == self.id]

    def revoke(self) -> None:
        """End something: one grant, a session, everything."""
        session, who = self.where()
        what = self.chance.choice(("grant", "grant", "grant", "session", "everything"))
        grant = ""
        more: dict[str, Any] = {what: True}
        if what == "grant":
            lines = self._minted()
            if not lines:
                return
            line = self.chance.choice(lines)
            session, grant = line[2], line[4]
            who, more = context_of(self.id, session), {"grant": grant}
        number = f"{os.getpid()}.{self.chance.getrandbits(60)}"
        self.note("revoke", number, self.id, session, what, grant)
        try:
            self.gate.revoke(who, **more)
        except StepUpError:
            self.note("refused", number)
            return
        self.note("revoked", number)

    def work(self) -> None:
        """One thing of many."""
        kind = self.chance.choices(
            ("once", "thrice", "often", "both", "guess", "cancel", "known", "revoke"), (6, 3, 3, 3, 2, 1, 5, 2)
        )[0]
        done: dict[str, Callable[[], None]] = {
            "both": self.prove_both, "guess": self.guess, "cancel": self.cancel,
            "known": self.redeem_known, "revoke": self.revoke,
        }  # fmt: skip
        if kind in done:
            done[kind]()
            return
        methods = ("password", "totp", "email_code", "recovery_code") if kind == "once" else ("password",)
        proved = self.prove(kind, self.chance.choice(methods))
        if proved is not None and self.chance.random() < 0.8:
            for _ in range(self.chance.randint(1, 4)):
                self.redeem(kind, *proved)


def _code_in(post: Letterbox) -> str | None:
    words = [word.strip(".:#") for message in post.taken[-1:] for word in message.text.split()]
    return next((word for word in words if len(word) == 6 and word.isdigit()), None)
