"""``terminal.confirm`` with a terminal that answers by itself: every way a ceremony can go, and what is said."""

from __future__ import annotations

import getpass
import os
import secrets
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stepup import (
    Action,
    Actor,
    AsyncStepUp,
    Authorization,
    Denied,
    Event,
    Item,
    Limits,
    Policy,
    Resource,
    Risk,
    StepUp,
    all_of,
    any_of,
    terminal,
)
from stepup.ceremony import Begun, Ceremony, Prompt
from stepup.challenge import Challenge
from stepup.changes import Key, Record
from stepup.errors import (
    Code,
    DeliveryFailed,
    InvalidInput,
    NotInteractive,
    StoreUnavailable,
    UnknownAction,
    WrongColour,
)
from stepup.mailers import Outbox
from stepup.policy import BINDS
from stepup.ports import Portable, Verifier
from stepup.requirement import Requirement, Strength
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.terminal._words import printable
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.verifiers import EmailCode

ACTOR = Actor("ops-1", email="olivia@northstar.example")
PROD = Resource("database", "prod", label="the real one")


class Scripted:
    """A terminal that answers from a list: text, a function asked then, or an exception to raise."""

    def __init__(self, *answers: str | BaseException | type[BaseException] | Callable[[], str]) -> None:
        self.answers = list(answers)
        self.said: list[str] = []
        self.asked: list[str] = []

    def say(self, text: str, /) -> None:
        self.said.append(text)

    def ask(self, question: str, /) -> str:
        return self._next(f"ask {question}")

    def secret(self, question: str, /) -> str:
        return self._next(f"secret {question}")

    def _next(self, question: str) -> str:
        self.asked.append(question)
        assert self.answers, f"nothing left to answer {question!r} with"
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException | type):
            raise answer
        return answer if isinstance(answer, str) else answer()

    @property
    def text(self) -> str:
        return "\n".join(self.said)


def gate_with(
    *verifiers: Verifier | Portable,
    methods: Requirement | None = None,
    policy: Policy | None = None,
    actions: Sequence[Action] = (),
    clock: FrozenClock | None = None,
    limits: Limits | None = None,
    store: MemoryStore | None = None,
    enrol_url: str | None = None,
    login_url: str | None = None,
) -> StepUp:
    action = Action(
        "db.wipe", "Wipe a database", risk=Risk.CRITICAL, methods=methods, policy=policy, impersonation="prove"
    )
    return StepUp(
        actions=[action, *actions],
        verifiers=verifiers,
        store=store or MemoryStore(),
        secret=secrets.token_bytes(32),
        clock=clock or FrozenClock(),
        limits=limits,
        enrol_url=enrol_url,
        login_url=login_url,
    )


def confirm(
    gate: StepUp,
    screen: terminal.Terminal | None,
    action: str = "db.wipe",
    *,
    resource: Resource | None = PROD,
    params: dict[str, object] | None = None,
    organization: str | None = None,
    reason: str | None = None,
    actor: Actor = ACTOR,
) -> Authorization:
    return terminal.confirm(
        gate,
        action,
        actor=actor,
        resource=resource,
        params=params,
        organization=organization,
        reason=reason,
        terminal=screen,
    )


def happened(gate: StepUp) -> list[str]:
    """The kinds of event that stand in the person's audit, oldest first."""
    return [str(item.type) for item in reversed(gate.events(ACTOR).items) if isinstance(item, Event)]


def password(answer: str = "right") -> ScriptedVerifier:
    return ScriptedVerifier("password", answer=answer)


def totp() -> ScriptedVerifier:
    return ScriptedVerifier("totp", strength=Strength.TOTP, answer="123456")


# -- what is shown ------------------------------------------------------------------


def test_the_person_sees_what_is_bound() -> None:
    """Label, risk, resource, organization, requester, device, reason and params all come from the challenge."""
    screen = Scripted("right")

    passed = confirm(
        gate_with(password()),
        screen,
        params={"tables": "all", "rows": 12},
        organization="org_7",
        reason="ticket 4711",
        actor=replace(ACTOR, on_behalf_of="usr_1"),
    )

    assert passed.action == "db.wipe"
    assert passed.decision.satisfied_by == "token"
    for line in (
        "Please confirm: Wipe a database",
        "  Action        db.wipe",
        "  Risk          critical",
        "  Resource      database prod (the real one)",
        "  Organization  org_7",
        "  Requested by  ops-1 on behalf of usr_1",
        "  Reason        ticket 4711",
        "    tables: all",
        "    rows: 12",
        "Answer by 18:08:00 UTC, in 5 min. Ctrl-C cancels.",
    ):
        assert line in screen.text.splitlines()
    assert "(terminal)" in screen.text
    assert screen.asked == ["secret Password (not shown; Enter to cancel): "]


@pytest.mark.requirement("D-04")
def test_nothing_from_outside_can_draw_on_the_terminal() -> None:
    """Escape sequences, line breaks and reversed text in params, reasons and ids arrive as replacement characters."""
    screen = Scripted("right")
    evil = "ok\x1b[2K\r\nResource      database staging\u202e\u2028\x9b31m"

    confirm(
        gate_with(password()), screen, params={evil: evil}, reason=evil, resource=Resource("database", "p\u202erod")
    )

    assert not [one for one in screen.text if one != "\n" and (not one.isprintable() or one in "\u2028\u202e")]
    assert "  Resource      database staging" not in screen.text.splitlines()
    assert "p\N{REPLACEMENT CHARACTER}rod" in screen.text


@pytest.mark.requirement("D-04")
@pytest.mark.parametrize("one", "\0\a\b\t\n\v\r\x1b\x7f\x85\x9b\u200e\u2028\u2029\u202e\u2066\ufeff\ue000")
def test_each_character_that_draws_is_replaced(one: str) -> None:
    """Controls, escapes, line and paragraph separators, direction marks and private characters are not printed."""
    assert printable(f"a{one}b c") == "a\N{REPLACEMENT CHARACTER}b c"


@pytest.mark.requirement("D-04")
@pytest.mark.parametrize("filler", [" ", "x", "\N{CJK UNIFIED IDEOGRAPH-4E00}"])
def test_a_long_value_cannot_pass_for_a_line(filler: str) -> None:
    """However a value is padded, what it shows in the first columns of a line is marked as its continuation."""
    screen = Scripted("right")

    confirm(gate_with(password()), screen, params={"note": filler * 300 + "Resource: database staging"})

    lines = screen.text.splitlines()
    rest = lines[lines.index("  Parameters") + 1 : lines.index("", lines.index("  Parameters"))]
    assert len(rest) > 5
    assert rest[0].startswith("    note: ")
    assert all(line.startswith("    | ") for line in rest[1:])
    assert max(map(len, rest)) <= 70


# -- the ways through ----------------------------------------------------------------


def test_nothing_is_asked_where_nothing_is_needed() -> None:
    """A proof that the action lets count for the next run is found again, without a terminal."""
    kept = Action("db.read", "Read a database", risk=Risk.HIGH, binds=BINDS - {"session"})
    gate = gate_with(password(), actions=[kept])
    confirm(gate, Scripted("right"), "db.read")

    again = confirm(gate, None, "db.read")

    assert again.decision.satisfied_by == "grant"


def test_a_grant_is_not_found_by_the_next_run() -> None:
    """A script has no session, so what one run proved does not open the next."""
    gate = gate_with(password(), actions=[Action("db.read", "Read a database", risk=Risk.HIGH)])
    confirm(gate, Scripted("right"), "db.read")
    screen = Scripted("")

    with pytest.raises(terminal.Cancelled):
        confirm(gate, screen, "db.read")

    assert len(screen.asked) == 1


def test_a_factor_that_is_left_over_is_asked_for_alone() -> None:
    """After the first of two proofs only the other one is asked for, without a choice."""
    gate = gate_with(password(), totp(), methods=all_of("password", "totp"))
    screen = Scripted("", "123456", "right")

    passed = confirm(gate, screen)

    assert [proof.method for proof in passed.proofs] == ["totp", "password"]
    assert [question.split()[0] for question in screen.asked] == ["ask", "secret", "secret"]
    assert "That was right. Still needed: password." in screen.said


def test_the_choice_is_taken_by_number_or_name() -> None:
    """Anything but a number on the list, a name on it, or nothing is asked again."""
    gate = gate_with(password(), totp(), methods=any_of("password", "totp"))

    confirm(gate, screen := Scripted("0", "3", "passkey", " PASSWORD ", "right"))

    assert screen.said.count("Please answer with a number from 1 to 2, or q.") == 3


# -- leaving --------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["", EOFError, KeyboardInterrupt])
def test_leaving_closes_the_challenge(answer: str | type[BaseException]) -> None:
    """Whoever leaves is told that nothing was done; the challenge is cancelled and the error says so."""
    gate, screen = gate_with(password()), Scripted(answer)

    with pytest.raises(terminal.Cancelled) as caught:
        confirm(gate, screen)

    assert caught.value.code == "cancelled"
    assert caught.value.code is Code.CANCELLED
    assert screen.said[-1] == "Cancelled. Nothing was done."
    assert happened(gate) == ["challenge_started", "challenge_cancelled"]


@pytest.mark.parametrize("word", ["q", "Q", " quit "])
def test_q_at_the_choice_leaves(word: str) -> None:
    """The choice itself names the way out."""
    gate = gate_with(password(), totp(), methods=any_of("password", "totp"))

    with pytest.raises(terminal.Cancelled):
        confirm(gate, screen := Scripted(word))

    assert "q to cancel" in screen.asked[0]


def test_whatever_the_terminal_raises_closes_the_challenge() -> None:
    """An error of the application's own terminal is passed on, and nothing stays open behind it."""
    gate = gate_with(password())

    with pytest.raises(RuntimeError, match="broken screen"):
        confirm(gate, Scripted(RuntimeError("broken screen")))

    assert happened(gate) == ["challenge_started", "challenge_cancelled"]


class Failing(MemoryStore):
    """A store that can be taken down."""

    down = False

    def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        if self.down:
            raise StoreUnavailable("down")
        return super().load(partition, keys)


def test_a_store_that_fails_meanwhile_does_not_hide_the_answer() -> None:
    """Where not even cancelling is possible, the person's no still stands."""
    store = Failing()
    gate = gate_with(password(), store=store)

    def fail() -> str:
        store.down = True
        return ""

    with pytest.raises(terminal.Cancelled):
        confirm(gate, Scripted(fail))


# -- being refused --------------------------------------------------------------------


def test_wrong_answers_end_it() -> None:
    """Each wrong answer says how many are left; after the last, the request is closed and nothing was opened."""
    gate, screen = gate_with(password()), Scripted(*["wrong"] * 5)

    with pytest.raises(Denied) as caught:
        confirm(gate, screen)

    assert caught.value.code == Code.VERIFICATION_FAILED
    assert [line for line in screen.said if "left" in line] == [
        f"That was not accepted; {left} left." for left in ("4 tries", "3 tries", "2 tries", "1 try")
    ]
    assert screen.said[-1] == "Too many answers were wrong, so this request is closed."


def test_a_short_wait_is_told_and_waited_for() -> None:
    """A delay that ends before the challenge does is only told; afterwards the same challenge goes on."""
    clock = FrozenClock()
    gate = gate_with(password(), clock=clock, limits=Limits(delay_after=1))

    def after() -> str:
        clock.advance(6)
        return "right"

    confirm(gate, screen := Scripted("wrong", "right", after))

    assert "Locked after too many failures. Try again at 18:03:05 UTC, in 5 s." in screen.said


def test_a_locked_method_leaves_the_others() -> None:
    """A method that stays locked for longer than the challenge lasts is taken off the list, with the reason."""
    gate = gate_with(password(), totp(), methods=any_of("password", "totp"), limits=Limits(lock_after=1), policy=None)

    passed = confirm(gate, screen := Scripted("totp", "000000", "totp", "000000", "right"))

    assert [proof.method for proof in passed.proofs] == ["password"]
    assert any(line.startswith("Code from your authenticator app: Locked after") for line in screen.said)
    assert [question.split()[0] for question in screen.asked] == ["ask", "secret", "ask", "secret", "secret"]


def test_the_last_locked_method_ends_it() -> None:
    """Where nothing else is left, the person is told once, with the time, and the error carries it."""
    gate = gate_with(password(), limits=Limits(lock_after=1))

    with pytest.raises(Denied) as caught:
        confirm(gate, screen := Scripted("wrong", "wrong"))

    assert caught.value.code == Code.LOCKED_OUT
    assert caught.value.retry_at is not None
    assert screen.said.count("Locked after too many failures. Try again at 18:18:00 UTC, in 15 min.") == 1


def test_a_disabled_method_sends_to_support() -> None:
    """Where waiting does not help, the sentence says who can."""
    gate = gate_with(password(), limits=Limits(disable_after=1))

    with pytest.raises(Denied):
        confirm(gate, screen := Scripted("wrong", "wrong"))

    assert screen.said[-1] == "Locked after too many failures. Somebody from support can unlock it."


def test_an_expired_challenge_ends_it() -> None:
    """An answer after the time is over opens nothing and says so."""
    clock = FrozenClock()

    def late() -> str:
        clock.advance(301)
        return "right"

    with pytest.raises(Denied) as caught:
        confirm(gate_with(password(), clock=clock), screen := Scripted(late))

    assert caught.value.code == Code.CHALLENGE_EXPIRED
    assert screen.said[-1] == "The time to answer is over. Run the command again."


def test_a_person_without_a_method_is_told_where_to_enrol() -> None:
    """Nothing enrolled means refused, with the address, and no challenge is opened."""
    gate = gate_with(ScriptedVerifier("password", factors=[]), enrol_url="https://northstar.example/security")

    with pytest.raises(Denied) as caught:
        confirm(gate, screen := Scripted())

    assert caught.value.code == Code.NO_USABLE_METHOD
    assert "Enrol one at https://northstar.example/security" in screen.text
    assert "challenge_started" not in happened(gate)


def test_only_signing_in_helps_and_a_script_cannot() -> None:
    """Where only a recent login opens it, the person is sent to where they sign in."""
    policy = Policy(methods=any_of("fresh_session"), session_window=300)
    gate = gate_with(password(), policy=policy, login_url="https://northstar.example/login")

    with pytest.raises(Denied) as caught:
        confirm(gate, screen := Scripted())

    assert caught.value.code == Code.LOGIN_REQUIRED
    assert "Sign in at https://northstar.example/login" in screen.text


def test_a_denied_script_without_a_terminal_gets_the_denial() -> None:
    """Nobody is there to be told, so the caller is."""
    with pytest.raises(Denied):
        confirm(gate_with(ScriptedVerifier("password", factors=[])), None)


@pytest.mark.parametrize("methods", [any_of("passkey"), all_of("passkey", "password")])
def test_what_a_terminal_cannot_ask_for_is_said(methods: Requirement) -> None:
    """A passkey needs a browser: refused with where to do it, at once or as soon as only the passkey is left."""
    passkey = ScriptedVerifier("passkey", strength=Strength.PASSKEY)

    with pytest.raises(Denied) as caught:
        confirm(gate := gate_with(passkey, password(), methods=methods), screen := Scripted("right"))

    assert caught.value.code == Code.NO_USABLE_METHOD
    assert screen.said[-1] == "This needs a method that cannot be answered at a terminal. Do it in the browser."
    assert passkey.calls == 0
    opened = methods != any_of("passkey")
    assert ("challenge_started" in happened(gate)) is opened
    assert ("challenge_cancelled" in happened(gate)) is opened


# -- methods that send ------------------------------------------------------------------


def test_a_new_code_can_be_asked_for() -> None:
    """r sends a new code once that is allowed; before, the same one is still on its way."""
    clock, outbox = FrozenClock(), Outbox()
    gate = gate_with(EmailCode(outbox), clock=clock)
    first: list[str] = []

    def too_soon() -> str:
        first.append(outbox.code())
        return "r"

    def later() -> str:
        clock.advance(60)
        return " R "

    confirm(gate, screen := Scripted(too_soon, later, lambda: outbox.code()))

    assert len(outbox.messages) == 2
    assert first != [outbox.code()]
    assert (
        screen.said.count(
            "A code is on its way to o\N{BULLET}\N{BULLET}\N{BULLET}@northstar.example "
            "(a new one can be sent at 18:04:00 UTC, in 60 s)."
        )
        == 2
    )
    assert outbox.code() not in screen.text


def test_a_wrong_code_sends_no_new_one() -> None:
    """However long the person takes, only r sends again: the code in the mailbox stays good."""
    clock, outbox = FrozenClock(), Outbox()
    gate = gate_with(EmailCode(outbox), clock=clock)

    def slowly_wrong() -> str:
        clock.advance(61)
        return "not a code"

    confirm(gate, Scripted(slowly_wrong, lambda: outbox.code()))

    assert len(outbox.messages) == 1


def test_too_many_codes_leave_the_last_one_good() -> None:
    """When no more are sent, the person is told until when, and the newest code still opens."""
    clock, outbox = FrozenClock(), Outbox()
    gate = gate_with(EmailCode(outbox), clock=clock)

    def again() -> str:
        clock.advance(60)
        return "r"

    confirm(gate, screen := Scripted(again, again, again, lambda: outbox.code()))

    assert len(outbox.messages) == 3
    assert "Too many requests in a short time. Try again at 18:13:00 UTC, in 7 min." in screen.said


def test_mail_that_fails_leaves_the_other_method() -> None:
    """A code that cannot be sent is said, and the rest is offered."""
    outbox = Outbox()
    outbox.fail_next()
    gate = gate_with(EmailCode(outbox), password(), methods=any_of("email_code", "password"))

    passed = confirm(gate, screen := Scripted("email_code", "right"))

    assert [proof.method for proof in passed.proofs] == ["password"]
    assert "Mailed code: The code could not be sent." in screen.said


def test_mail_that_fails_alone_ends_it() -> None:
    """Where there is nothing but the mail, the error goes to whoever runs the script, and nothing stays open."""
    outbox = Outbox()
    outbox.fail_next()
    gate = gate_with(EmailCode(outbox))

    with pytest.raises(DeliveryFailed):
        confirm(gate, screen := Scripted())

    assert screen.said[-1] == "The code could not be sent."
    assert happened(gate)[-1] == "challenge_cancelled"


def test_a_method_that_prepares_may_send_nothing() -> None:
    """Nothing is said of a code where none is on its way, and a call need not have a resource."""
    gate = gate_with(ScriptedVerifier("app", prepares=True, answer="yes"))

    confirm(gate, screen := Scripted("yes"), resource=None)

    assert "on its way" not in screen.text
    assert "Resource" not in screen.text


class InTheBrowser(ScriptedVerifier):
    """Prepares something that only a client can use."""

    def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:
        return Begun(Prompt(self.method, options={"publicKey": {}}), {"begun": challenge.id})


def test_a_method_with_options_is_not_asked_for() -> None:
    """What needs a client is closed as soon as it says so."""
    gate = gate_with(InTheBrowser("smart_card", prepares=True))

    with pytest.raises(Denied):
        confirm(gate, screen := Scripted())

    assert "cannot be answered at a terminal" in screen.said[-1]
    assert screen.asked == []


# -- misuse -------------------------------------------------------------------------------


def test_without_a_person_no_challenge_is_opened() -> None:
    """Under a test runner standard input is no terminal: refused before anything is opened, with what to do."""
    gate = gate_with(password())

    with pytest.raises(NotInteractive, match=r"standard input is not one\. Run the script at a terminal"):
        confirm(gate, None)

    assert happened(gate) == []


def test_a_closed_input_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program whose input was closed has nobody to ask."""
    with open(os.devnull) as closed:  # noqa: PTH123 -- it is there to be closed
        pass
    for nothing in (None, closed):
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(NotInteractive):
            terminal.Console()


def console() -> terminal.Console:
    """One that was made while there was a terminal."""
    return object.__new__(terminal.Console)


def test_a_terminal_that_shows_what_is_typed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where echo cannot be turned off, nothing secret is asked for."""

    def echoing(question: str) -> str:
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        return "shown"

    monkeypatch.setattr(getpass, "getpass", echoing)
    with pytest.raises(NotInteractive, match="cannot hide what is typed"):
        console().secret("Password: ")


def test_a_terminal_that_is_gone_is_a_closed_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Writing to and reading from a terminal that hung up mean what Ctrl-D means."""
    monkeypatch.setattr("stepup.terminal._console._OUTPUT", str(tmp_path / "gone" / "tty"))
    for use in (console().say, console().ask):
        with pytest.raises(EOFError):
            use("anybody there?")


def test_an_async_gate_is_refused() -> None:
    """The wrong face, and what is no gate at all, are refused with what to use."""
    gate = AsyncStepUp(
        actions=[Action("db.wipe", "Wipe", risk=Risk.CRITICAL)],
        verifiers=[],
        store=AsyncMemoryStore(),
        secret=secrets.token_bytes(32),
    )

    with pytest.raises(WrongColour, match="make a StepUp"):
        terminal.confirm(gate, "db.wipe", actor=ACTOR)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="must be a StepUp"):
        terminal.confirm("gate", "db.wipe", actor=ACTOR)  # type: ignore[arg-type]


def test_an_unknown_action_is_refused() -> None:
    """A slip of the pen in the action's id asks nobody anything."""
    with pytest.raises(UnknownAction):
        confirm(gate_with(password()), Scripted(), "db.wype")


def test_this_machine_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Host and user make the device; another user makes another, and one who has no name still has a device."""
    monkeypatch.setenv("LOGNAME", "olivia")
    first = terminal.this_machine()
    assert first == terminal.this_machine()
    assert first.label is not None
    assert first.label.startswith("olivia at ")

    monkeypatch.setenv("LOGNAME", "zoe")
    assert terminal.this_machine() != first

    def nameless() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert str(terminal.this_machine().label).startswith("somebody at ")


def test_terminal_is_not_loaded_with_stepup() -> None:
    """Scripts import it; a web application never pays for it."""
    code = "import stepup, sys; assert 'stepup.terminal' not in sys.modules; from stepup import terminal"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


# -- several calls -----------------------------------------------------------------------------


def test_a_bundle_is_shown_whole_and_confirmed_once() -> None:
    """Every item is told; all pass together, and not a second time without proof."""
    gate = StepUp(
        actions=[Action("db.wipe", "Wipe database", risk=Risk.CRITICAL)],
        verifiers=[ScriptedVerifier("password", answer="right")],
        store=MemoryStore(),
        secret="a secret of the terminal tests, never a real one: 0123456789",
        clock=FrozenClock(),
    )
    items = [Item("db.wipe", Resource("database", name), {"keep": "0"}) for name in ("staging", "test")]
    screen = Scripted("right")

    passed = terminal.confirm_bundle(gate, items, actor=ACTOR, terminal=screen)

    assert [one.action for one in passed] == ["db.wipe", "db.wipe"]
    said = "\n".join(screen.said)
    assert "Please confirm: Wipe database (2)" in said
    assert "These 2, each once" in said
    assert "Wipe database: database staging; keep: 0" in said
    assert "Wipe database: database test; keep: 0" in said
    with pytest.raises(terminal.Cancelled):
        terminal.confirm_bundle(gate, items, actor=ACTOR, terminal=Scripted(EOFError))
    with pytest.raises(InvalidInput):
        terminal.confirm_bundle(gate, [], actor=ACTOR, terminal=screen)


def test_an_action_can_keep_scripts_out() -> None:
    """What a terminal asks for is a script's; the person is told why not, and what helps."""
    gate = StepUp(
        actions=[Action("db.wipe", "Wipe database", risk=Risk.CRITICAL, surfaces={"script": "refuse"})],
        verifiers=[ScriptedVerifier("password", answer="right")],
        store=MemoryStore(),
        secret="a secret of the terminal tests, never a real one: 0123456789",
        clock=FrozenClock(),
    )
    screen = Scripted()

    with pytest.raises(Denied) as denied:
        terminal.confirm(gate, "db.wipe", actor=ACTOR, resource=PROD, terminal=screen)

    assert denied.value.code == Code.ACTION_BLOCKED
    assert screen.said == [f"This is blocked now, whatever is proved. {denied.value.remedy}"]
    assert screen.asked == []
