"""A gate with real methods over an injected store, and a caller who does what a client would.

``World`` is made anew for every point. Its calls (``start``, ``begin``, ``answer``, ``act`` ...) never raise what is a
``StepUpError``: they return it, after looking whether it shows a secret, and tell the ledger what the caller was told.
A call that failed where the fault was is made once more, as a client would.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import pyotp
from faults_faces import (
    ACTIONS,
    LOOP,
    MARCUS,
    NEWCOMER,
    OLIVIA,
    PASSWORD,
    PATIENT,
    PEOPLE,
    RING,
    SECRET,
    TOTP_SECRET,
    Bench,
    Blocking,
    Mailbox,
    Watched,
    has_password,
    held_by,
    in_place,
    right_password,
)
from faults_injected import AsyncInjected, Injected, SyncInjected
from faults_kinds import PENDING, Interrupted
from faults_ledger import Ledger
from faults_rules import Call

from stepup import (
    Actor,
    AsyncStepUp,
    Authorization,
    Challenge,
    Context,
    MoreNeeded,
    Rejected,
    Session,
    StepUp,
    StepUpError,
    StepUpRequired,
    Verified,
)
from stepup.binding import partition
from stepup.changes import APPLIED, Changes, Record
from stepup.ports import Message
from stepup.testing import FrozenClock
from stepup.verifiers import TOTP, EmailCode, Password, RecoveryCode

Make = Callable[..., Any]
_SERIAL: Final = itertools.count(1)


class World:
    """One gate, one clock, three people, and a caller who remembers everything that could be used again."""

    def __init__(
        self, bench: Bench, *, gate_of: Make | None = None, most_wrong: int | None = None, **settings: Any
    ) -> None:
        self.bench = bench
        self.clock = FrozenClock()
        self.ledger = Ledger(self.clock)
        self.ledger.most_wrong = most_wrong
        self.outbox = Mailbox(sender="no-reply@northstar.example")
        self.namespace = f"proof_{next(_SERIAL)}"
        self.where = {one.id: partition(self.namespace, one) for one in PEOPLE}
        self.ledger.people = {where: who for who, where in self.where.items()}
        self.ledger.newcomers = {NEWCOMER.id}
        sync = bench.face == "sync"
        self.healthy = bench.store_of()
        self.store: Injected = (SyncInjected if sync else AsyncInjected)(self.healthy, self.ledger)
        password = Password(check=right_password, has_password=has_password)
        methods = [password, TOTP(), EmailCode(mailer=self.outbox), RecoveryCode()]
        given: dict[str, Any] = {
            "actions": ACTIONS,
            "verifiers": [Watched(one, self.ledger) for one in methods],
            "store": self.store,
            "secret": RING,
            "clock": self.clock,
            "limits": PATIENT,
            "namespace": self.namespace,
            **({} if sync else {"offload": in_place}),
            **settings,
        }
        kind: Make = gate_of or (StepUp if sync else AsyncStepUp)
        made = kind(**given)
        self.gate = cast(StepUp, made if sync else Blocking(made))
        self.secrets: set[str] = {SECRET, PASSWORD, TOTP_SECRET}
        self.codes: set[str] = set()
        self.errors: list[BaseException] = []
        self.tokens: list[tuple[str, Call]] = []
        self.answers: list[tuple[str, str, str, Call]] = []
        self.challenges: dict[str, Call] = {}
        self.paper: dict[str, Iterator[str]] = {}
        self.secret_of = {OLIVIA.id: TOTP_SECRET, MARCUS.id: TOTP_SECRET}
        self.kept: dict[str, Any] = {}
        for who in (OLIVIA, MARCUS):
            self._enrol(who)

    def _enrol(self, who: Actor) -> None:
        """An authenticator and recovery codes, held for long: written as enrolment would have."""
        puts, codes = held_by(who)
        self.paper[who.id] = iter(codes)
        self.secrets |= set(codes)
        store: Any = self.store if self.bench.face == "sync" else Blocking(self.store)
        if store.apply(self.where[who.id], Changes(self.clock.now(), puts)) is not APPLIED:
            raise RuntimeError("the world could not be prepared")

    @property
    def lied(self) -> bool:
        """Whether a load has answered what is well formed and false: what was answered after it, may be too."""
        return self.store.fault is not None and self.store.fault.false and self.store.hit

    # -- calling -------------------------------------------------------------------------

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a caller gets: an answer, or an error that is meant for them. Made once more where the fault struck."""
        struck = self.store.hit
        found = self._once(function, *args, **kwargs)
        if isinstance(found, BaseException) and self.store.hit and not struck:
            found = self._once(function, *args, **kwargs)
        return found

    def _once(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except StepUpError as error:
            self._seen(error)
            return error
        except Interrupted as error:
            self._seen(error)
            return error
        except BaseException as error:
            self._seen(error)
            self.ledger.blame(f"raised {type(error).__name__}, which is no StepUpError: {error}")
            return error

    def _seen(self, error: BaseException) -> None:
        self.errors.append(error)
        shown = "\n".join(_shown(error))
        if any(secret in shown for secret in self.secrets if len(secret) > 12) or any(
            re.search(rf"(?<![0-9A-Za-z]){re.escape(code)}(?![0-9A-Za-z])", shown) for code in self.codes
        ):
            self.ledger.blame(f"a {type(error).__name__} shows a secret")

    # -- the ceremony ----------------------------------------------------------------------

    def start(self, call: Call, *, offer: str | None = None) -> str | None:
        """Open a challenge; its id, or None where it was refused."""
        if offer is None:
            found = self.call(self.gate.start, call.action, call.who, resource=call.resource, params=call.params)
        else:
            found = self.call(self.gate.start_offer, offer, call.who)
        if not isinstance(found, Challenge):
            return None
        self.challenges[found.id] = call
        return found.id

    def begin(self, challenge: str | None, method: str, who: Context) -> Any:
        """Prepare a method; what the caller got."""
        if challenge is None:
            return None
        taken = len(self.outbox.messages)
        found = self.call(self.gate.begin, challenge, method, who)
        for message in self.outbox.messages[taken:]:
            self._mailed(challenge, message)
        return found

    def _mailed(self, challenge: str, message: Message) -> None:
        code = re.search(r"\b\d{6}\b", message.text)
        assert code is not None, "a mail without a code"
        self.codes.add(code[0])
        self.kept.setdefault("mailed", []).append(code[0])
        self.ledger.mailed(challenge, code[0])

    def right(self, method: str, who: Actor) -> str:
        """A right answer."""
        if method == "password":
            return PASSWORD
        if method == "totp":
            code = pyotp.TOTP(self.secret_of[who.id]).at(self.clock.now())
            self.codes.add(code)
            return code
        if method == "recovery_code":
            return next(self.paper[who.id])
        return str(self.kept.get("mailed", ["000000"])[-1])

    def answer(self, challenge: str | None, method: str, answer: str, call: Call, *, rotate: str | None = None) -> Any:
        """Answer a challenge; what the caller got. A token is kept."""
        if challenge is None:
            return None
        self.answers.append((challenge, method, answer, call))
        hook = None
        if rotate is not None:
            self.ledger.rotating = (call.place, rotate)
            hook = lambda: rotate  # noqa: E731 -- a hook is a function
        found = self.call(self.gate.verify, challenge, method, answer, call.who, rotate=hook)
        if isinstance(found, Verified):
            if rotate is not None:
                call = Call(call.action, self.moved(call.who, rotate), call.resource, call.params)
            self.secrets.add(found.token)
            self.tokens.append((found.token, call))
            self.kept["token"], self.kept["grant"] = found.token, found.grant.id
        if isinstance(found, Verified | MoreNeeded):
            grant = found.grant.id if isinstance(found, Verified) else None
            self.ledger.told_proved(challenge, method, answer, call.who.actor.id, grant)
        elif not isinstance(found, Rejected | BaseException):
            self.ledger.blame(f"verify() answered a {type(found).__name__}")
        return found

    def moved(self, who: Context, session: str) -> Context:
        """The same person in another session, opened when the first was."""
        since = who.session.authenticated_at if who.session else None
        return Context(who.actor, Session(session, since), who.device, who.organization, who.ip)

    def prove(self, call: Call, *methods: str, rotate: str | None = None) -> str | None:
        """A whole ceremony, by each of *methods* in turn; the token."""
        self.kept.pop("token", None)
        challenge = self.start(call)
        for method in methods or ("totp",):
            if method == "email_code":
                self.begin(challenge, method, call.who)
            self.answer(challenge, method, self.right(method, call.who.actor), call, rotate=rotate)
        return self.kept.get("token")

    # -- acting, and ending ------------------------------------------------------------------

    def act(self, call: Call, token: str | None = None, request: str | None = None) -> Any:
        """The guarded action: it runs if ``require`` returns. What the caller got."""
        more = {} if request is None else {"request_id": request}
        found = self.call(
            self.gate.require, call.action, call.who, resource=call.resource, params=call.params, token=token, **more
        )
        if isinstance(found, BaseException):
            if isinstance(found, StepUpRequired):
                self.kept["offer"] = found.offer
            return found
        if isinstance(found, Authorization):
            self.ledger.ran(call, found.decision.satisfied_by, found.grant_id, request)
        else:
            self.ledger.ran(call, None, None, request)
        return found

    def act_guarded(self, call: Call, token: str | None = None) -> Any:
        """The same, behind the decorator, which tells nobody by what it was let through."""
        guard: Any = self.gate.guard(
            call.action, resource=call.resource, params=call.params, context=call.who, token=token
        )

        def action() -> None:
            self.ledger.ran(call, "token", str(self.kept.get("grant")), None)

        async def awaited() -> None:
            action()

        if self.bench.face == "sync":
            return self.call(guard(action))
        return self.call(lambda: LOOP.run(guard(awaited)()))

    def advise(self, call: Call, token: str | None = None) -> Any:
        """Ask what would be."""
        found = self.call(
            self.gate.check, call.action, call.who, resource=call.resource, params=call.params, token=token
        )
        if not isinstance(found, BaseException) and found.allowed:
            self.ledger.ran(call, found.satisfied_by, found.grant_id, None, advice=True)
        return found

    def revoke(self, who: Context, *, grant: str | None = None, session: bool = False, everything: bool = False) -> Any:
        """End something. True is an acknowledgement; so is False, unless a load lied."""
        found = self.call(self.gate.revoke, who, grant=grant, session=session, everything=everything)
        if found is True or (found is False and not self.lied):
            place = Call("", who).place
            if everything:
                self.ledger.told_everything_revoked(place)
            elif session:
                self.ledger.told_session_revoked(place)
            else:
                self.ledger.told_grant_revoked(grant or "")
        return found

    # -- looking at the store -----------------------------------------------------------------

    def compare(self) -> None:
        """Whether the store holds what it has acknowledged, and nothing else under those keys."""
        store: Any = self.healthy if self.bench.face == "sync" else Blocking(self.healthy)
        for where in self.where.values():
            known = {key: record for (place, key), record in self.store.now.items() if place == where and record}
            if not known:
                continue
            for key, found in zip(known, store.load(where, list(known)), strict=True):
                if found != known[key] and not (found is None and self._may_be_gone(known[key])):
                    self.ledger.blame(f"the store does not hold the {key.kind} that it acknowledged")

    def _may_be_gone(self, record: Record) -> bool:
        purged = any(shot.method == "purge" for shot in self.store.calls) or self.kept.get("purged")
        return bool(self.kept.get("forgotten")) or (bool(purged) and record.expires_at < self.clock.now())


def _shown(error: BaseException) -> Iterator[str]:
    """Everything that a log would show of an error and of what it came from."""
    one: BaseException | None = error
    for _ in range(10):
        if one is None:
            return
        yield f"{type(one).__name__}: {one} {one!r} {one.args!r}"
        if isinstance(one, StepUpError):
            yield repr({name: value for name, value in vars(one).items() if name != "decision"})
            decision = getattr(one, "decision", None)
            if decision is not None:
                yield repr(decision)
        one = one.__cause__ or one.__context__


@contextmanager
def closed_coroutines() -> Iterator[None]:
    """Close what was handed out as wrong answers, so that Python does not complain of it."""
    try:
        yield
    finally:
        while PENDING:
            PENDING.pop().close()
