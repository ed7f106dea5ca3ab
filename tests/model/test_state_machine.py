"""The whole gate against an independent model of it: whatever is done in whatever order, both must agree.

Hypothesis draws the steps; ``reference.Model`` says what must come of each. ``STEPUP_HYPOTHESIS_PROFILE=thorough``
looks further, with other steps every time; without it the same steps are taken on every run.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
import reference
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule
from reference import ACTIONS, CHALLENGE_LIFE, DISABLE, OPEN_MOST, Call, Model, Who

from stepup import (
    Action,
    Actor,
    AsyncStepUp,
    Code,
    Context,
    Decision,
    Denied,
    Device,
    Event,
    Limits,
    MoreNeeded,
    Policy,
    Rejected,
    Resource,
    Risk,
    Session,
    StepUp,
    StepUpRequired,
    Verified,
    all_of,
    any_of,
)
from stepup.changes import THROTTLE
from stepup.event import EventType
from stepup.ports import Ceremony, Checked, State
from stepup.requirement import ANY
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, Outbox, ScriptedVerifier
from stepup.testing.clock import START
from stepup.throttle import Throttle
from stepup.verifiers import EmailCode

T = TypeVar("T")
SECRET = b"state machine tests only: never a production key"
THOROUGH = os.environ.get("STEPUP_HYPOTHESIS_PROFILE") == "thorough"
EMAIL = {"usr_2048": "olivia@northstar.example", "usr_4096": None}
HELD = {"usr_2048": {"password", "totp", "email_code"}, "usr_4096": {"password", "totp"}}
WHO: tuple[Who, ...] = tuple(itertools.product(EMAIL, ("laptop", "phone")))
SIGNED_IN = {WHO[0]: -10 * 86400, WHO[1]: -200, WHO[2]: -1700}  # WHO[3] has no recorded sign-in
SUPPORT = Context(Actor("support_1"), Session("support session"))
LIMITS = Limits(
    delays=(5, 15),
    delay_after=3,
    lock_after=5,
    lock_for=900,
    lock_at_most=1800,
    disable_after=9,
    guess_budget=15,
    starts=100_000,
)
SECONDS = (1, 4, 5, 15, 30, 59, 60, 61, 89, 90, 119, 120, 200, 299, 300, 301, 599, 600, 601, 899, 900, 1800, 86401)

SHELF_TRIES = 4
"""A grant behind so many newer ones for the same call may be overlooked: proof is asked for anew, nothing opens."""


class CountedEmail(EmailCode):
    """``EmailCode`` that counts its checks, whichever face holds the bound copy."""

    def __init__(self, mailer: Outbox, counts: Counter[str]) -> None:
        super().__init__(mailer, ttl=reference.CODE_LIFE)
        self.counts = counts

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        self.counts["email_code"] += 1
        return await super().check(state, response, context)


def actions() -> list[Action]:
    """The actions of the model's table, as an application would register them."""
    vouchers = Policy(methods=any_of("password", "email_code"), uses=3)
    both = all_of("password", "totp")
    return [
        Action("note.read", "Read a note", risk=Risk.LOW),
        Action("member.remove", "Remove a member", risk=Risk.MEDIUM),
        Action("key.rotate", "Rotate a key", risk=Risk.HIGH),
        Action("organization.delete", "Delete", risk=Risk.CRITICAL, methods=any_of("totp", "email_code")),
        Action("voucher.print", "Print vouchers", risk=Risk.HIGH, policy=vouchers),
        Action("payout.once", "Pay", risk=Risk.HIGH, policy=Policy(methods=any_of("password"), uses=1)),
        Action("data.export", "Export", risk=Risk.HIGH, methods=both),
        Action("sudo.strong", "Change a setting", risk=Risk.HIGH, group="sudo"),
        Action(
            "sudo.weak",
            "Look at a setting",
            risk=Risk.MEDIUM,
            policy=Policy(methods=ANY, grant_ttl=600),
            group="sudo",
        ),
    ]


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it suspended")


async def in_place(function: Any, *args: Any) -> Any:
    """Calls what would block, instead of a worker thread."""
    return function(*args)


def asked(question: Callable[[], Any]) -> tuple[Any, Decision | None]:
    """The answer, or the decision by which it was refused."""
    try:
        return question(), None
    except (Denied, StepUpRequired) as refused:
        return None, refused.decision


class Driven:
    """The async face, called as if it were the sync one."""

    def __init__(self, gate: AsyncStepUp) -> None:
        self.gate = gate

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **named: drive(getattr(self.gate, name)(*args, **named))


calls = st.builds(lambda name, where, what: (name, where, what), st.sampled_from(sorted(ACTIONS)),
                  st.sampled_from(["org_7", "org_7", "org_8"]), st.sampled_from([0, 0, 1]))  # fmt: skip
methods = st.sampled_from(["password", "totp", "email_code"])


class GateMachine(RuleBasedStateMachine):
    """One gate, two people with two sessions each, and the model of it."""

    whos = Bundle("whos")
    challenges = Bundle("challenges")
    tokens = Bundle("tokens")
    offers = Bundle("offers")

    def make_gate(self, store: MemoryStore, **parts: Any) -> Any:
        return StepUp(store=store, **parts)

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(HELD, SIGNED_IN)
        self.clock, self.outbox, self.counts = FrozenClock(), Outbox(), Counter[str]()
        self.scripted = [
            ScriptedVerifier("password", strength=20),
            ScriptedVerifier("totp", strength=30, points=2),
        ]
        self.events: list[Event] = []
        self.store = MemoryStore()
        self.gate = self.make_gate(
            self.store,
            actions=actions(),
            verifiers=[*self.scripted, CountedEmail(self.outbox, self.counts)],
            secret=SECRET,
            limits=LIMITS,
            clock=self.clock,
            on_event=self.events.append,
        )
        self.ids: dict[int, str] = {}  # the model's number of a challenge: its id
        self.grant_ids: dict[str, int] = {}
        self.codes: dict[int, list[str]] = {}
        self.spent: Counter[int] = Counter()
        self.sessions = itertools.count()
        self.behind = False

    # -- what the application would know

    def context(self, who: Who, *, trusted: bool = False) -> Context:
        at = self.model.login.get(who)
        signed_in = None if at is None else START + timedelta(seconds=at)
        actor = Actor(who[0], email=EMAIL[who[0]])
        return Context(actor, Session("/".join(who), signed_in), Device("fingerprint", trusted=trusted))

    @staticmethod
    def call(call: Call) -> dict[str, Any]:
        return {"resource": Resource("organization", call[1]), "params": {"amount": call[2]} if call[2] else None}

    def move(self, to: int) -> None:
        self.model.now = max(self.model.now, to)
        self.clock.set(START + timedelta(seconds=self.model.now))

    def attempts(self) -> int:
        return sum(event.type is EventType.ATTEMPT for event in self.events)

    # -- people and time

    @initialize(target=whos)
    def everybody(self) -> Any:
        return multiple(*WHO)

    @rule(seconds=st.sampled_from(SECONDS))
    def time_passes(self, seconds: int) -> None:
        self.move(self.model.now + seconds)

    @rule(days=st.sampled_from([1, 30, 366]))
    @precondition(lambda self: self.model.looked > 4)
    def much_time_passes(self, days: int) -> None:
        self.move(self.model.now + days * 86400)

    @rule(number=challenges, by=st.integers(-1, 1))
    def almost_the_end_of_a_challenge(self, number: int, by: int) -> None:
        self.move(self.model.challenges[number]["ends"] + by)

    @rule(number=challenges, by=st.integers(-1, 1))
    def almost_the_end_of_a_code(self, number: int, by: int) -> None:
        if self.model.challenges[number]["code"]:
            self.move(self.model.challenges[number]["code_ends"] + by)

    @rule(token=tokens, by=st.integers(-1, 1))
    def almost_the_end_of_a_grant(self, token: tuple[int, str], by: int) -> None:
        self.move(self.model.grants[token[0]]["ends"] + by)

    @rule(seconds=st.sampled_from([1, 600, 7200]))
    def clock_is_set_back(self, seconds: int) -> None:
        """Nothing that had ended lives again: the gate has seen a later time."""
        self.gate.check("note.read", SUPPORT)
        self.clock.set(START + timedelta(seconds=self.model.now - seconds))

    @rule(who=whos)
    def signs_in_again(self, who: Who) -> None:
        self.model.login[who] = self.model.now

    @rule()
    def purge(self) -> None:
        """Throwing away what has expired changes nothing that anybody can see."""
        self.gate.purge()

    # -- challenges

    def opened(self, who: Who, call: Call, open_it: Any) -> Any:
        expected = self.model.start(who, call)
        made, refused = asked(open_it)
        assert (made is None) == (expected is None), f"opening {call}: {refused}"
        if made is None or expected is None:
            return multiple()
        assert set(made.allowed) == self.model.challenges[expected]["allowed"]
        assert made.expires_at == self.clock_now() + timedelta(seconds=CHALLENGE_LIFE)
        self.ids[expected] = made.id
        return expected

    def clock_now(self) -> Any:
        return START + timedelta(seconds=self.model.now)

    @rule(target=challenges, who=whos, call=calls)
    def start(self, who: Who, call: Call) -> Any:
        return self.opened(who, call, lambda: self.gate.start(call[0], self.context(who), **self.call(call)))

    @rule(target=challenges, number=challenges)
    def start_again(self, number: int) -> Any:
        """The same call once more: what was open for it is superseded, whatever became of it."""
        c = self.model.challenges[number]
        return self.start(c["who"], c["call"])

    @rule(
        who=st.sampled_from(WHO), names=st.lists(st.sampled_from(sorted(ACTIONS)), min_size=9, max_size=9, unique=True)
    )
    def start_many(self, who: Who, names: list[str]) -> None:
        """More calls at once than a person may have open."""
        for name in names:
            self.start(who, (name, "org_9", 0))

    @rule(target=challenges, offer=offers, who=whos, own=st.sampled_from([True, True, True, False]))
    def start_offer(self, offer: tuple[str, Who, Call, int], who: Who, own: bool) -> Any:
        """An offer opens a challenge for the one who got it, in that session, for ten minutes."""
        text, owner, call, at = offer
        who = owner if own else who
        if who == owner and self.model.now < at + 600:
            return self.opened(who, call, lambda: self.gate.start_offer(text, self.context(who)))
        with pytest.raises(Denied) as denied:
            self.gate.start_offer(text, self.context(who))
        assert denied.value.code is Code.BAD_REQUEST
        return multiple()

    @rule(number=challenges, who=whos, own=st.sampled_from([True, True, True, False]), method=methods)
    def begin(self, number: int, who: Who, own: bool, method: str) -> None:
        c = self.model.challenges[number]
        who = c["who"] if own else who
        before = len(self.outbox.messages)
        expected = self.model.begin(who, c, method)
        _, refused = asked(lambda: self.gate.begin(self.ids[number], method, self.context(who)))
        assert (refused is not None) == (expected == "refused"), f"begin: {refused}, the model says {expected}"
        assert len(self.outbox.messages) - before == (expected == "sent")
        if expected == "sent":
            self.codes.setdefault(number, []).append(self.outbox.code())

    @rule(number=challenges)
    def send_a_code(self, number: int) -> None:
        """``begin`` by mail, in the right session: the usual way to a code."""
        self.begin(number, self.model.challenges[number]["who"], True, "email_code")

    @rule(number=challenges, pause=st.sampled_from([59, 60, 61]))
    def send_many_codes(self, number: int, pause: int) -> None:
        """As many codes as a challenge's time allows: three are sent, then no more for a while."""
        for _ in range(4):
            self.send_a_code(number)
            self.move(self.model.now + pause)

    def response(self, number: int, method: str, kind: str) -> tuple[str, Any]:
        """What is typed, and what the model is told of it."""
        if method != "email_code":
            return ("right", True) if kind == "right" else ("wrong", False)
        mine = self.codes.get(number, [])
        if kind == "right" and mine:
            return mine[-1], len(mine)
        if kind == "old" and len(mine) > 1:
            return mine[0], 1
        others = [code for other, codes in self.codes.items() for code in codes if other != number and code not in mine]
        if kind == "foreign" and others:
            return others[-1], -1
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in mine), -1

    def answered(self, number: int, who: Who, method: str, kind: str, rotate: bool = False) -> Any:
        typed, told = self.response(number, method, kind)
        new = f"rotated {next(self.sessions)}" if rotate else None
        attempts, looked = self.attempts(), self.model.looked
        left = reference.ATTEMPTS - self.model.challenges[number]["tries"]
        expected = self.model.answer(who, number, method, told, new)
        changed = [f"{who[0]}/{new}"]
        hook = changed.pop if new else None
        result = self.gate.verify(self.ids[number], method, typed, self.context(who), rotate=hook)
        assert self.attempts() == attempts + 1, "an attempt has one event, not fewer and not more"
        assert (hook is not None and not changed) == (new is not None and expected == "verified")
        if isinstance(result, Verified):
            assert expected == "verified", f"{method} {kind} was accepted, the model says {expected}"
            grant = number  # the model calls a grant by the number of its challenge
            self.grant_ids[result.grant.id] = grant
            home: Who = self.model.grants[grant]["who"]
            if new and who in self.model.login:
                self.model.login[home] = self.model.login[who]
            assert result.grant.expires_at == START + timedelta(seconds=self.model.grants[grant]["ends"])
            return (grant, result.token), home
        if isinstance(result, MoreNeeded):
            assert expected == "more", f"{method} {kind} was accepted in part, the model says {expected}"
            return None
        assert isinstance(result, Rejected)
        assert expected == ("wrong" if result.code is Code.VERIFICATION_FAILED else "refused"), result
        if expected == "wrong":
            assert result.attempts_left == left - 1
        assert self.model.looked == looked + (expected == "wrong")
        return None

    @rule(
        target=tokens,
        number=challenges,
        who=whos,
        own=st.sampled_from([True] * 5 + [False]),
        method=methods,
        kind=st.sampled_from(["right", "right", "wrong", "old", "foreign"]),
    )
    def verify(self, number: int, who: Who, own: bool, method: str, kind: str) -> Any:
        who = self.model.challenges[number]["who"] if own else who
        verified = self.answered(number, who, method, kind)
        return verified[0] if verified else multiple()

    @rule(target=tokens, number=challenges)
    def verify_well(self, number: int) -> Any:
        """Every method that is asked for, right: the usual way to a grant."""
        c = self.model.challenges[number]
        for method in sorted(c["allowed"]):
            if method == "email_code":
                self.send_a_code(number)
            if verified := self.answered(number, c["who"], method, "right"):
                return verified[0]
        return multiple()

    @rule(target=tokens, who=whos, call=calls)
    def step_up(self, who: Who, call: Call) -> Any:
        """Started and proved at once."""
        number = self.start(who, call)
        return self.verify_well(number) if isinstance(number, int) else multiple()

    @rule(number=challenges, method=methods, waits=st.booleans())
    def guess_on(self, number: int, method: str, waits: bool) -> None:
        """Wrong answers until the challenge is dead, with or without waiting where that is asked for."""
        c = self.model.challenges[number]
        for _ in range(reference.ATTEMPTS + 1):
            self.answered(number, c["who"], method, "wrong")
            until = self.model.fails.get((c["who"][0], method), (0, 0, 0, 0))[3]
            if waits and until < self.model.now + 60:
                self.move(until)

    @rule(who=whos, method=st.sampled_from(["password", "totp"]), call=st.sampled_from(["note.read", "sudo.weak"]))
    def guess_for_hours(self, who: Who, method: str, call: str) -> None:
        """One wrong answer in each of many challenges, always waiting as long as is asked for."""
        for _ in range(DISABLE + 1):
            number = self.start(who, (call, "org_9", 1))
            if isinstance(number, int):
                self.answered(number, who, method, "wrong")
            self.move(self.model.fails.get((who[0], method), (0, 0, 0, 0))[3])

    @rule(target=whos, number=challenges, method=st.sampled_from(["password", "totp"]))
    def verify_rotating(self, number: int, method: str) -> Any:
        """The application changes the session's id as the last proof is accepted; the token belongs to the new one."""
        verified = self.answered(number, self.model.challenges[number]["who"], method, "right", rotate=True)
        return verified[1] if verified else multiple()

    @rule(number=challenges, who=whos, own=st.sampled_from([True, True, False]))
    def cancel(self, number: int, who: Who, own: bool) -> None:
        c = self.model.challenges[number]
        who = c["who"] if own else who
        expected = self.model.cancel(who, c)
        assert self.gate.cancel(self.ids[number], self.context(who)) is expected

    @rule(number=challenges)
    def look(self, number: int) -> None:
        """A challenge is in the state it must be in, and nobody else's session sees it."""
        c = self.model.challenges[number]
        found = self.gate.challenge(self.ids[number], self.context(c["who"]))
        if self.model.now >= c["ends"] + 86400:
            return  # a day after its end it may have been purged, and why it ended may be forgotten
        assert found is not None, "a challenge is kept for a day after its end"
        assert found.state.value == self.model.state(c)
        assert found.attempts == c["tries"]
        stranger = next(who for who in WHO if who != c["who"])
        assert self.gate.challenge(self.ids[number], self.context(stranger)) is None

    # -- using what was opened

    def required(
        self, who: Who, call: Call, token: Any = None, number: int | None = None, trusted: bool = False
    ) -> Any:
        """Ask both; spend in the model what the gate says it spent. An offer where the gate makes one."""
        expected = self.model.require(who, call, number, trusted)
        context, named = self.context(who, trusted=trusted), self.call(call)
        advice = self.gate.check(call[0], context, token=token, **named)
        passed, refused = asked(lambda: self.gate.require(call[0], context, token=token, **named))
        assert advice.allowed == (refused is None), f"check() said {advice.outcome}, require() did not"
        if refused is not None:
            if expected and token is None:
                newest = [n for n, g in reversed(self.model.grants.items()) if self.covers(g, who, call)]
                if min(newest.index(n) for n in expected) >= SHELF_TRIES:
                    return multiple()
            assert expected == [], f"refused, but {expected} opens it: {refused}"
            return (refused.offer, who, call, self.model.now) if refused.offer is not None else multiple()
        if passed.grant_id is None:
            assert expected is None, f"allowed without a grant, the model wants {expected}"
            return multiple()
        grant = self.grant_ids[passed.grant_id]
        assert expected is not None, "a grant was used although the session was fresh"
        assert grant in expected, f"allowed by grant {grant}, the model wants one of {expected}"
        g = self.model.grants[grant]
        if g["left"] is not None:
            g["left"] -= 1
            self.spent[grant] += 1
            assert passed.remaining == g["left"]
        return multiple()

    def covers(self, g: Mapping[str, Any], who: Who, call: Call) -> bool:
        """Whether a grant, spent or not, revoked or not, is for this call as far as its own values tell."""
        group = ACTIONS[call[0]]["group"]
        same = g["call"] == call or (group is not None and group == ACTIONS[g["call"][0]]["group"])
        return bool(g["who"] == who and same and self.model.now < g["ends"])

    @rule(target=offers, who=whos, call=calls, trusted=st.booleans())
    def require(self, who: Who, call: Call, trusted: bool) -> Any:
        return self.required(who, call, trusted=trusted)

    @rule(target=offers, token=tokens, shown=st.booleans())
    def require_for_what_it_was_minted(self, token: tuple[int, str], shown: bool) -> Any:
        g = self.model.grants[token[0]]
        return self.required(g["who"], g["call"], *((token[1], token[0]) if shown else ()))

    @rule(token=tokens, times=st.integers(2, 4))
    def require_again_and_again(self, token: tuple[int, str], times: int) -> None:
        g = self.model.grants[token[0]]
        for _ in range(times):
            self.required(g["who"], g["call"], token[1], token[0])

    @rule(token=tokens, who=whos, call=calls)
    def require_with_any_token(self, token: tuple[int, str], who: Who, call: Call) -> None:
        """Somebody's token, for somebody's call."""
        self.required(who, call, token[1], token[0])

    @rule(token=tokens, who=whos, call=calls)
    def require_with_one_thing_wrong(self, token: tuple[int, str], who: Who, call: Call) -> None:
        """Everything as it was minted for, but one thing: with the token, and by what the session has unlocked."""
        g = self.model.grants[token[0]]
        owner, (name, where, params) = g["who"], g["call"]
        for whose, what in (
            (who, (name, where, params)),
            (owner, (call[0], where, params)),
            (owner, (name, f"{where}x", params)),
            (owner, (name, where, params + 1)),
        ):
            self.required(whose, what, token[1], token[0])
            self.required(whose, what)
        if self.model.require(owner, g["call"], token=-1) is not None:
            context = Context(self.context(owner).actor, self.context(owner).session, Device("another"))
            for shown in (token[1], None):
                _, refused = asked(lambda: self.gate.require(name, context, token=shown, **self.call(g["call"])))  # noqa: B023
                assert refused is not None, "a grant opened the call from another device"

    @rule(token=tokens, at=st.floats(0, 1, exclude_max=True), how=st.sampled_from(["flip", "cut", "case"]))
    def require_with_an_edited_token(self, token: tuple[int, str], at: float, how: str) -> None:
        g, text = self.model.grants[token[0]], token[1]
        place = int(at * len(text))
        swapped = "A" if text[place] != "A" else "B"
        edited = {"cut": text[:place], "case": text.swapcase()}.get(how, text[:place] + swapped + text[place + 1 :])
        self.required(g["who"], g["call"], edited, -1)

    @rule(offer=offers, who=whos, call=calls)
    def require_with_an_offer(self, offer: tuple[str, Who, Call, int], who: Who, call: Call) -> None:
        """An offer is signed by the same gate, and is no token."""
        self.required(who, call, offer[0], -1)

    # -- ending it

    def use_at_once(self, minted: list[tuple[int, str]]) -> None:
        """What was just ended is asked for in the same moment, by its token and without."""
        for number, text in minted:
            g = self.model.grants[number]
            self.required(g["who"], g["call"])
            self.required(g["who"], g["call"], text, number)

    @rule(token=tokens, who=whos, own=st.sampled_from([True, False, False]))
    def revoke_grant(self, token: tuple[int, str], who: Who, own: bool) -> None:
        """One grant ends, at the wish of its own person from any session, of nobody else."""
        g = self.model.grants[token[0]]
        who = g["who"] if own else who
        grant_id = next(found for found, number in self.grant_ids.items() if number == token[0])
        self.gate.revoke(self.context(who), grant=grant_id)
        g["revoked"] = g["revoked"] or who[0] == g["who"][0]
        self.use_at_once([token])

    @rule(token=tokens)
    def revoke_session(self, token: tuple[int, str]) -> None:
        who = self.model.grants[token[0]]["who"]
        assert self.gate.revoke(self.context(who), session=True)
        self.model.epoch[who] += 1
        self.use_at_once([token])

    @rule(token=tokens, who=whos)
    def revoke_everything(self, token: tuple[int, str], who: Who) -> None:
        assert self.gate.revoke(self.context(who), everything=True)
        self.model.epoch[who[0]] += 1
        self.use_at_once([token])

    @rule(target=whos, who=whos)
    def rotated(self, who: Who) -> Any:
        """The session gets another id: what it had unlocked comes along, its tokens and challenges do not."""
        new = f"rotated {next(self.sessions)}"
        self.gate.rotated(self.context(who), f"{who[0]}/{new}")
        home = self.model.rotate(who, new)
        if who in self.model.login:
            self.model.login[home] = self.model.login[who]
        return home

    @rule(target=whos, token=tokens, ended=st.sampled_from(["nothing", "session", "everything"]))
    def rotate_while_stepping_up(self, token: tuple[int, str], ended: str) -> Any:
        """What was revoked before stays behind when a proof for something else gives the session another id."""
        g = self.model.grants[token[0]]
        who: Who = g["who"]
        if ended != "nothing":
            self.gate.revoke(self.context(who), **{ended: True})
            self.model.epoch[who if ended == "session" else who[0]] += 1
        number = self.start(who, ("payout.once", "org_9", 0))
        verified = self.answered(number, who, "password", "right", rotate=True) if isinstance(number, int) else None
        if verified is None:
            return multiple()
        self.required(verified[1], g["call"])
        self.required(verified[1], g["call"], token[1], token[0])
        return verified[1]

    @rule(actor=st.sampled_from(sorted(EMAIL)))
    @precondition(lambda self: self.model.fails)
    def unlock(self, actor: str) -> None:
        """Support proves itself and sets the counters to zero."""
        what = Resource("actor", actor)
        challenge = self.gate.start("stepup.support.unlock", SUPPORT, resource=what)
        token = self.gate.verify(challenge.id, "totp", "right", SUPPORT).token
        self.model.looked += 1
        self.gate.unlock(Actor(actor), SUPPORT, token=token)
        self.model.fails = {key: value for key, value in self.model.fails.items() if key[0] != actor}
        self.model.guesses = [guess for guess in self.model.guesses if guess[0] != actor]

    # -- after every step

    @invariant()
    def nothing_was_verified_that_was_not_counted(self) -> None:
        ran = sum(one.calls for one in self.scripted) + self.counts["email_code"]
        assert ran == self.model.looked, "the verifiers ran as often as attempts were counted"

    @invariant()
    def at_most_ten_are_open(self) -> None:
        for actor in EMAIL:
            where = self.gate.core.partition(Actor(actor)) if isinstance(self.gate, StepUp) else None
            where = where or self.gate.gate.core.partition(Actor(actor))
            (record,) = self.store.load(where, [THROTTLE])
            throttle = record.value if record is not None else Throttle()
            assert isinstance(throttle, Throttle)
            now = self.clock_now()
            assert sum(one.expires_at > now for one in throttle.open) == len(self.model.open_of(actor)) <= OPEN_MOST

    @invariant()
    def nothing_is_spent_more_often_than_allowed(self) -> None:
        for number, times in self.spent.items():
            assert times <= ACTIONS[self.model.grants[number]["call"][0]]["uses"]

    def teardown(self) -> None:
        for number in list(self.ids)[-20:]:
            self.look(number)


class AsyncGateMachine(GateMachine):
    """The same, for the async face."""

    def make_gate(self, store: MemoryStore, **parts: Any) -> Any:
        return Driven(AsyncStepUp(store=AsyncMemoryStore(store), offload=in_place, **parts))


def how_far(examples: int) -> settings:
    """The same steps every time in CI; ten times as many, and other ones, when asked to be thorough."""
    return settings(
        max_examples=examples * 10 if THOROUGH else examples,
        stateful_step_count=80 if THOROUGH else 50,
        derandomize=not THOROUGH,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


GateMachine.TestCase.settings = how_far(200)
AsyncGateMachine.TestCase.settings = how_far(80)


shows = pytest.mark.requirement("C-01", "C-05", "C-06", "C-07", "C-08", "D-01", "G-02", "G-13", "Y-08")
TestGate = shows(GateMachine.TestCase)
TestAsyncGate = shows(AsyncGateMachine.TestCase)


def test_the_model_is_short_and_independent() -> None:
    """A model that a person can check at one reading, and that borrows nothing from what it checks."""
    source = Path(reference.__file__).read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 150
    assert "import stepup" not in source
    assert "from stepup" not in source


def test_the_model_has_the_limits_of_the_gate_it_is_compared_with() -> None:
    """A limit that differs would show up late and look like something else."""
    assert [LIMITS.wait(n) for n in range(1, 9)] == [
        reference.WAITS[min(n, len(reference.WAITS) - 1)] for n in range(1, 9)
    ]
    assert (LIMITS.disable_after, LIMITS.guess_budget, LIMITS.open_challenges) == (DISABLE, reference.BUDGET, OPEN_MOST)
    assert {one.id for one in actions()} == set(ACTIONS)


def test_freshness_moves_with_the_session() -> None:
    """A session that gets another id is the same session: what was just proved in it was just proved."""
    machine = GateMachine()
    who = WHO[3]
    token: Any = machine.step_up(who, ("key.rotate", "org_7", 0))
    assert machine.model.grants[token[0]]["who"] == who
    machine.gate.rotated(machine.context(who), f"{who[0]}/rotated")
    decision = machine.gate.check(
        "member.remove", machine.context((who[0], "rotated")), **machine.call(("", "org_7", 0))
    )
    assert decision.satisfied_by == "step_up"
