"""Life-cycle signals: exactly what the table says ends, moves or stays, on both faces; and somebody who is disabled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from engine_bench import (
    ACTOR,
    CONTEXT,
    ORG,
    OTHER,
    PASSWORD,
    World,
    both_faces,
    code,
    context,
    outcome,
    real_world,
    world,
)

from stepup import Code, Context, Denied, Policy, Resource, Session, Signal, Verified
from stepup.decide.enrol import ADD
from stepup.decide.signal import ABOUT_A_SESSION, TABLE, Fate, SignalWord, signal_of
from stepup.errors import InvalidInput
from stepup.event import EventType
from stepup.verifiers import TOTP

pytestmark = both_faces
OLD = 86400
HERE, ELSEWHERE, MOVED = (context(name, age=OLD) for name in ("sess_1", "sess_2", "sess_new"))


@dataclass
class Opened:
    """A grant, a token and an open challenge in one session."""

    here: World
    who: Context

    def __post_init__(self) -> None:
        self.token = self.here.prove("org.delete", self.who).token
        self.here.prove("member.role", self.who)
        self.challenge = self.here.start("key.rotate", self.who)

    def granted(self, who: Context) -> bool:
        return self.here.gate.check("member.role", who, resource=ORG).allowed

    def fates(self) -> tuple[Fate, Fate, Fate]:
        """What has become of the grant, the token and the challenge."""
        stays, moves = self.granted(self.who), self.granted(MOVED)
        token = [
            self.here.gate.check("org.delete", who, resource=ORG, token=self.token).allowed for who in (self.who, MOVED)
        ]
        found = self.here.gate.verify(self.challenge.id, "password", "pw", self.who)
        answered = not hasattr(found, "code")
        return (
            Fate.STAYS if stays else Fate.MOVES if moves else Fate.ENDS,
            Fate.STAYS if token[0] else Fate.MOVES if token[1] else Fate.ENDS,
            Fate.STAYS if answered else Fate.ENDS,
        )


def tell(here: World, signal: Signal) -> bool:
    moved = "sess_new" if signal is Signal.SESSION_ROTATED else None
    return here.gate.signal(HERE, signal, moved_to=moved)


@pytest.mark.requirement("P-15", "G-02")
@pytest.mark.parametrize("signal", TABLE)
def test_a_signal_does_what_its_row_says(face: str, signal: Signal) -> None:
    """Each cell of the table, made and tried: in this session, in the person's others, and for somebody else."""
    here = world(face=face)
    row = TABLE[signal]
    device = here.prove("member.remove", context("sess_3"), remember=True).device_token
    one, two = Opened(here, HERE), Opened(here, ELSEWHERE)
    stranger = Opened(here, context(actor=OTHER, age=OLD))

    assert tell(here, signal)

    kept = here.gate.devices.recognise(context("sess_4", device_token=device)) is not None
    assert (Fate.STAYS if kept else Fate.ENDS) is row.devices
    assert one.fates() == (row.grants_here, row.tokens_here, row.challenges_here)
    assert two.fates() == (row.grants_elsewhere, row.tokens_elsewhere, row.challenges_elsewhere)
    assert stranger.fates() == (Fate.STAYS, Fate.STAYS, Fate.STAYS)
    refused = isinstance(outcome(lambda: here.start("member.role", ELSEWHERE)), Denied)
    assert refused is row.barred


@pytest.mark.parametrize("signal", TABLE)
def test_a_signal_leaves_one_event_that_says_which(face: str, signal: Signal) -> None:
    """The type says what ended, the reason why."""
    here = world(face=face)
    here.start("member.role", HERE)
    before = len(here.events())
    tell(here, signal)

    (told,) = here.events()[before:]
    expected = {
        Signal.SESSION_ROTATED: (EventType.SESSION_ROTATED, None),
        Signal.LOGGED_OUT: (EventType.SESSION_REVOKED, "logged_out"),
        Signal.DISABLED: (EventType.DISABLED, "disabled"),
    }.get(signal, (EventType.EVERYTHING_REVOKED, signal.value))
    assert (told.type, told.reason, told.result, told.ip) == (*expected, "ok", HERE.ip)


def test_a_session_can_be_named(face: str) -> None:
    """For whoever tells it from a job, without the request's context."""
    here = world(face=face)
    one, two = Opened(here, HERE), Opened(here, ELSEWHERE)
    assert here.gate.signal(ACTOR, "logged_out", session_id="sess_1")
    assert here.gate.signal(ACTOR, "session_rotated", session_id="sess_2", moved_to="sess_new")

    assert one.fates()[0] is not Fate.STAYS
    assert not two.granted(ELSEWHERE)
    assert two.granted(MOVED)


def test_a_session_in_which_nothing_was_opened_ends_without_a_trace(face: str) -> None:
    """Signing out costs nothing where there was nothing."""
    here = world(face=face)

    assert here.gate.signal(HERE, "logged_out") is False
    assert here.events() == []


def test_what_is_no_signal_is_refused_by_name(face: str) -> None:
    """A word too many, a session too few, an id that is the old one."""
    here = world(face=face)
    wrong: list[tuple[object, str, dict[str, str]]] = [
        (HERE, "logged-out", {}),
        (HERE, "PASSWORD_CHANGED", {}),
        (HERE, "", {}),
        (ACTOR, "logged_out", {}),
        (ACTOR, "session_rotated", {"moved_to": "x"}),
        (HERE, "session_rotated", {}),
        (HERE, "session_rotated", {"moved_to": "sess_1"}),
        (HERE, "risk_raised", {"moved_to": "x"}),
        (HERE, "session_rotated", {"moved_to": ""}),
        ("usr_2048", "risk_raised", {}),
    ]
    for who, word, more in wrong:
        found = outcome(lambda: here.gate.signal(who, word, **more))  # type: ignore[arg-type]  # noqa: B023
        assert isinstance(found, InvalidInput), (who, word, more)
    with pytest.raises(InvalidInput, match="moved_to is missing"):
        here.gate.signal(HERE, "session_rotated")
    assert here.events() == []
    assert [signal_of(one.value) for one in Signal] == list(Signal)
    assert {Signal.SESSION_ROTATED, Signal.LOGGED_OUT} == ABOUT_A_SESSION


@pytest.mark.parametrize("signal", sorted(set(Signal) - ABOUT_A_SESSION))
def test_on_behalf_of_somebody_it_has_to_be_said_whom_it_is_about(face: str, signal: Signal) -> None:
    """Whose password was it, while Olivia acts for Marcus? The wrong guess would end nothing where it matters."""
    here = world(face=face)
    acting = context(actor=replace(ACTOR, on_behalf_of=OTHER.id))
    mine, theirs = Opened(here, HERE), Opened(here, context(actor=OTHER, age=OLD))

    for who in (acting, acting.actor):
        assert isinstance(outcome(lambda: here.gate.signal(who, signal)), InvalidInput)  # noqa: B023
        assert isinstance(outcome(lambda: here.gate.enable(who)), InvalidInput)  # noqa: B023
    assert mine.granted(HERE)

    assert here.gate.signal(OTHER, signal)
    assert theirs.fates() == (Fate.ENDS, Fate.ENDS, Fate.ENDS)
    assert mine.fates() == (Fate.STAYS, Fate.STAYS, Fate.STAYS)


def test_a_session_in_which_somebody_acts_for_another_ends_like_any(face: str) -> None:
    """It is one session, whoever it is used for."""
    here = world(face=face)
    acting = context(actor=replace(ACTOR, on_behalf_of=OTHER.id), age=OLD)
    here.prove("member.role", acting)
    assert here.gate.check("member.role", acting, resource=ORG).allowed

    assert here.gate.signal(acting, "session_rotated", moved_to="sess_new")
    moved = replace(acting, session=Session("sess_new"))
    assert here.gate.check("member.role", moved, resource=ORG).allowed
    assert here.gate.signal(moved, "logged_out")
    assert not here.gate.check("member.role", moved, resource=ORG).allowed


# -- disabled -------------------------------------------------------------------------------


@pytest.mark.requirement("P-15")
def test_somebody_disabled_can_start_nothing_and_redeem_nothing(face: str) -> None:
    """With whatever they hold, in any session, until the explicit call; and what had ended stays so."""
    here = world(face=face)
    opened = Opened(here, HERE)
    offer = here.gate.check("org.delete", ELSEWHERE, resource=ORG).offer
    assert offer is not None
    here.gate.signal(ACTOR, Signal.DISABLED)

    for who in (HERE, ELSEWHERE, context("sess_9")):
        for call in (
            lambda: here.start("note.edit", who),  # noqa: B023
            lambda: here.gate.require("member.role", who, resource=ORG),  # noqa: B023
        ):
            refused = outcome(call)
            assert isinstance(refused, Denied)
            assert refused.code == Code.ACTION_BLOCKED
            assert "disabled" not in str(refused.decision.public())
    assert isinstance(outcome(lambda: here.gate.start_offer(offer, ELSEWHERE)), Denied)
    assert not here.allows("org.delete", HERE, opened.token)
    assert isinstance(outcome(lambda: here.gate.begin(opened.challenge.id, "password", HERE)), Denied)
    assert not here.gate.verify(opened.challenge.id, "password", "pw", HERE)
    assert not here.gate.check("member.role", HERE, resource=ORG).allowed

    assert here.gate.enable(ACTOR)
    assert not here.gate.enable(ACTOR)
    assert not here.allows("org.delete", HERE, opened.token)
    assert not here.allows("member.role", HERE)
    assert here.allows("org.delete", HERE, here.prove("org.delete", HERE).token)
    kinds = [one.type for one in here.events()]
    assert kinds.count(EventType.DISABLED) == kinds.count(EventType.ENABLED) == 1


def test_a_session_that_is_fresh_by_itself_asks_no_store(face: str) -> None:
    """So a disabled person passes levels 1 and 2 for as long as it is: the page says to end the session too."""
    here = world(face=face)
    here.gate.signal(ACTOR, "disabled")

    assert here.allows("note.edit", context(age=60))
    assert not here.allows("note.edit", HERE)


def test_somebody_disabled_enrols_nothing(face: str) -> None:
    """Neither the first factor, from a fresh session, nor another one that was waiting; nor is one removed."""
    here = real_world(face)
    who = context(age=5)
    here.prove(ADD, who, "password", PASSWORD, resource=Resource("factors", ACTOR.id), params={"method": "totp"})
    made = here.gate.factors.enrol_totp(who)
    here.gate.signal(who, "disabled")

    assert not here.gate.factors.confirm_totp(who, made.factor_id, code(made.secret, here.now))
    assert isinstance(outcome(lambda: here.gate.factors.enrol_totp(who)), Denied)
    assert [one.method for one in here.gate.factors.list(who) if one.method == "totp"] == []


def test_somebody_disabled_enrols_no_first_factor(face: str) -> None:
    """Which a fresh session would let them."""
    here = world(face=face, verifiers=[TOTP()], actions=())
    who = context(age=5)
    here.gate.signal(ACTOR, "disabled")
    assert isinstance(outcome(lambda: here.gate.factors.enrol_totp(who)), Denied)

    here.gate.enable(ACTOR)
    assert here.gate.factors.enrol_totp(who).secret


def test_a_change_told_with_a_proof_does_not_enable(face: str) -> None:
    """Acknowledging a changed password moves the epoch; the person stays disabled."""
    here = world(face=face)
    here.prove("member.role")
    authorization = here.gate.require("member.role", CONTEXT, resource=ORG)
    here.gate.signal(ACTOR, "disabled")
    here.gate.factors.changed(CONTEXT, "password", authorization)

    assert isinstance(outcome(lambda: here.start("member.role")), Denied)


def test_disabling_twice_and_forgetting(face: str) -> None:
    """It is a state, not a count; and somebody who was erased is nobody in particular."""
    here = world(face=face)
    for _ in range(2):
        here.gate.signal(ACTOR, "disabled")
    here.gate.enable(Context(ACTOR, Session("sess_1")))
    assert here.start("member.role").id
    here.gate.signal(ACTOR, "disabled")
    here.gate.forget(ACTOR)
    assert isinstance(here.gate.verify(here.start("member.role").id, "passkey", "touch", CONTEXT), Verified)


@pytest.mark.parametrize("signal", sorted(set(Signal) - {Signal.SESSION_ROTATED}))
def test_where_no_sign_in_is_enough_every_signal_holds_at_once(face: str, signal: Signal) -> None:
    """The other way, for whoever cannot end the sessions: without a session window the store is always asked."""
    asked = Policy(methods="any", grant_ttl=600, session_window=0, session_window_trusted=0)
    here = world(face=face, policies={1: asked, 2: asked})
    who = context(age=5)
    for action in ("note.edit", "member.remove"):
        assert not here.allows(action, who)
        here.prove(action, who)
        assert here.allows(action, who)

    tell(here, signal)

    for action in ("note.edit", "member.remove"):
        assert not here.allows(action, who)


@pytest.mark.parametrize("signal", ["password_changed", "risk_raised", "logged_out"])
def test_what_has_ended_does_not_move_to_a_new_session(face: str, signal: SignalWord) -> None:
    """Renewing a session takes along what stands in it, and revives nothing."""
    here = world(face=face)
    here.prove("member.remove", HERE)
    here.prove("member.role", HERE)
    here.gate.signal(ACTOR if signal != "logged_out" else HERE, signal)

    assert here.gate.signal(HERE, "session_rotated", moved_to="sess_new")

    for action in ("member.role", "member.remove", "note.edit"):
        assert not here.gate.check(action, MOVED, resource=ORG).allowed
    assert here.gate.grants(MOVED) == ()


def test_an_enrolment_is_confirmed_in_its_own_session(face: str) -> None:
    """Another session of the same person, with an epoch of its own, confirms nothing."""
    here = real_world(face)
    who, other = context("sess_1", age=5), context("sess_2", age=5)
    for one in (who, other):
        here.start("member.role", one)  # so that both have an epoch
    here.prove(ADD, who, "password", PASSWORD, resource=Resource("factors", ACTOR.id), params={"method": "totp"})
    made = here.gate.factors.enrol_totp(who)

    assert not here.gate.factors.confirm_totp(other, made.factor_id, code(made.secret, here.now))
    assert here.gate.factors.confirm_totp(who, made.factor_id, code(made.secret, here.now))


def test_what_was_ended_does_not_move_with_a_step_up_that_renews_the_session(face: str) -> None:
    """The proof opens what it was for in the new session; what a signal had ended before stays ended in both."""
    here = world(face=face)
    here.prove("member.role")
    assert here.allows("member.role")
    here.gate.signal(ACTOR, "password_changed")
    here.prove("batch.run", rotate=lambda: "sess_renewed")
    renewed = replace(CONTEXT, session=Session("sess_renewed"))

    assert here.allows("batch.run", renewed)
    assert not here.allows("member.role", renewed)
    assert not here.allows("member.role")
