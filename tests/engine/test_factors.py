"""Enrolment: every change of what proves a person is itself proved, by what is held already."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_bench import (
    ACTOR,
    CONTEXT,
    OTHER,
    PASSWORD,
    REAL_ACTIONS,
    TOTP_SECRET,
    World,
    both_faces,
    code,
    context,
    enrolled_totp,
    outcome,
    real_world,
    recovery_codes,
    world,
)

from stepup import (
    Action,
    Actor,
    Authorization,
    Code,
    Context,
    Denied,
    Factor,
    Policy,
    Proof,
    Rejected,
    Resource,
    Risk,
    StepUpError,
    StepUpRequired,
)
from stepup.decide.enrol import ADD, REMOVE, UNLOCK
from stepup.errors import ConfigurationError, InvalidInput
from stepup.event import EventType
from stepup.testing.scripted import ScriptedVerifier
from stepup.verifiers import TOTP, EmailCode, Password

NOBODY = Actor("usr_8192")
"""Somebody who has no password and no address."""

FRESH = context("sess_n", actor=NOBODY, age=10)


def _bare(face: str = "sync", **settings: Any) -> World:
    """A gate whose people may have nothing at all."""
    verifiers = [Password(check=lambda actor, word: False, has_password=lambda actor: False), TOTP()]
    return world(
        face=face, verifiers=verifiers, actions=(Action("x", "X"), Action("c", "C", risk=Risk.CRITICAL)), **settings
    )


# -- the first factor ---------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("age", [300, 3600, None, -5])
def test_the_first_factor_needs_a_fresh_session(face: str, age: float | None) -> None:
    """Five minutes at most, and a login that is known; otherwise: sign in again."""
    here = _bare(face, login_url="/login")
    refused = outcome(lambda: here.gate.factors.enrol_totp(context("sess_n", actor=NOBODY, age=age)))

    assert isinstance(refused, Denied)
    assert refused.code == Code.LOGIN_REQUIRED
    assert refused.login_url == "/login"
    here.gate.factors.enrol_totp(context("sess_n", actor=NOBODY, age=299))


@both_faces
def test_the_first_factor_waits_a_day_and_then_is_the_strongest(face: str) -> None:
    """Enrolled under nothing but a login, it is quarantined; nothing else opens meanwhile."""
    here = _bare(face)
    made = here.gate.factors.enrol_totp(FRESH, label="Phone")
    done = here.gate.factors.confirm_totp(FRESH, made.factor_id, code(made.secret, here.now))

    assert isinstance(done, Factor)
    assert (done.label, done.quarantined_until) == ("Phone", here.now + timedelta(hours=24))
    refused = outcome(lambda: here.start("x", FRESH))
    assert isinstance(refused, Denied)
    assert refused.code == Code.NO_USABLE_METHOD
    here.clock.advance(timedelta(hours=24))
    here.prove("x", FRESH, "totp", code(made.secret, here.now))


def test_a_login_as_strong_as_the_new_factor_spares_the_wait() -> None:
    """A session opened moments ago with an authenticator vouches for the first stored one, a password does not."""
    for name, waits in (("totp", False), ("password", True), ("unheard_of", True)):
        here = _bare()
        at = here.now - timedelta(seconds=5)
        who = context("sess_n", actor=NOBODY, age=5, proofs=[Proof(name, at, strength=50)])
        made = here.gate.factors.enrol_totp(who)
        done = here.gate.factors.confirm_totp(who, made.factor_id, code(made.secret, here.now))
        assert isinstance(done, Factor)
        assert (done.quarantined_until is not None) is waits, name


@pytest.mark.requirement("P-09")
def test_a_quarantined_factor_is_not_a_first_factor_again() -> None:
    """While it waits, nobody can add another from a fresh session: the person does hold something."""
    here = _bare()
    made = here.gate.factors.enrol_totp(FRESH)
    here.gate.factors.confirm_totp(FRESH, made.factor_id, code(made.secret, here.now))

    assert isinstance(outcome(lambda: here.gate.factors.enrol_totp(FRESH)), Denied)


# -- every other one ------------------------------------------------------------------


@both_faces
@pytest.mark.requirement("P-01", "P-09", "P-02")
def test_a_second_factor_needs_the_strongest_held(face: str) -> None:
    """Not a fresh session, not the weaker one: the authenticator, for exactly this method."""
    here = real_world(face)
    fresh = context(age=1)
    needed = outcome(lambda: here.gate.factors.enrol_totp(fresh))
    assert isinstance(needed, StepUpRequired)
    assert needed.action == ADD
    assert needed.methods == ("password",)
    secret = enrolled_totp(here, CONTEXT)

    needed = outcome(lambda: here.gate.factors.enrol_totp(context(at=here.now, age=1)))
    assert isinstance(needed, StepUpRequired)
    assert needed.methods == ("totp",)
    here.clock.advance(60)
    factors = Resource("factors", ACTOR.id)
    here.prove(ADD, CONTEXT, "totp", code(secret, here.now), resource=factors, params={"method": "recovery_code"})
    assert isinstance(outcome(lambda: here.gate.factors.enrol_totp(CONTEXT)), StepUpRequired)
    here.clock.advance(60)
    here.prove(ADD, CONTEXT, "totp", code(secret, here.now), resource=factors, params={"method": "totp"})
    made = here.gate.factors.enrol_totp(CONTEXT)
    done = here.gate.factors.confirm_totp(CONTEXT, made.factor_id, code(made.secret, here.now))
    assert isinstance(done, Factor)
    assert done.quarantined_until is None


def test_a_factor_added_under_a_weaker_proof_waits() -> None:
    """An authenticator added with a password does not count for a day, and then is asked for."""
    here = real_world()
    factors = Resource("factors", ACTOR.id)
    here.prove(ADD, CONTEXT, "password", PASSWORD, resource=factors, params={"method": "totp"})
    made = here.gate.factors.enrol_totp(CONTEXT)
    done = here.gate.factors.confirm_totp(CONTEXT, made.factor_id, code(made.secret, here.now))

    assert isinstance(done, Factor)
    assert done.quarantined_until == here.now + timedelta(hours=24)
    assert here.start("member.role").allowed == ("password",)
    here.clock.advance(timedelta(hours=24))
    assert here.start("member.role").allowed == ("totp",)


@both_faces
@pytest.mark.requirement("C-09")
def test_an_enrolment_is_confirmed_in_time_by_the_session_that_made_it(face: str) -> None:
    """Another session, another person, another id, ten minutes later, or a newer one: not found."""
    here = _bare(face)
    first = here.gate.factors.enrol_totp(FRESH)
    second = here.gate.factors.enrol_totp(FRESH)

    def confirm(who: Context, made: Any) -> object:
        return here.gate.factors.confirm_totp(who, made.factor_id, code(made.secret, here.now))

    not_found = Rejected(Code.CHALLENGE_NOT_FOUND)
    assert confirm(FRESH, first) == not_found
    assert confirm(context("sess_x", actor=NOBODY), second) == not_found
    assert confirm(context(None, actor=NOBODY), second) == not_found
    assert confirm(context("sess_n", actor=replace(NOBODY, tenant="acme")), second) == not_found
    assert confirm(context("sess_n", actor=OTHER), second) == not_found
    assert here.gate.factors.confirm_totp(FRESH, "totp_0", code(second.secret, here.now)) == not_found
    here.clock.advance(599)
    assert isinstance(confirm(FRESH, second), Factor)
    assert confirm(FRESH, second) == not_found
    late = here.gate.factors
    here.clock.advance(timedelta(hours=25))
    assert late.list(FRESH)


def test_an_enrolment_ends_after_ten_minutes() -> None:
    """At its end it is not found, and the factor does not count."""
    here = _bare()
    made = here.gate.factors.enrol_totp(FRESH)
    here.clock.advance(600)

    found = here.gate.factors.confirm_totp(FRESH, made.factor_id, code(made.secret, here.now))
    assert found == Rejected(Code.CHALLENGE_NOT_FOUND)
    assert here.gate.factors.list(FRESH) == ()


@both_faces
def test_five_wrong_codes_end_an_enrolment(face: str) -> None:
    """Counted before they are looked at; the right one is then refused."""
    here = _bare(face)
    made = here.gate.factors.enrol_totp(FRESH)
    right = code(made.secret, here.now)
    wrong = f"{(int(right) + 1) % 1_000_000:06}"

    left = [here.gate.factors.confirm_totp(FRESH, made.factor_id, wrong) for _ in range(5)]
    assert left == [Rejected(Code.VERIFICATION_FAILED, n) for n in (4, 3, 2, 1, 0)]
    assert here.gate.factors.confirm_totp(FRESH, made.factor_id, right) == Rejected(Code.CHALLENGE_NOT_FOUND)
    assert here.gate.factors.list(FRESH) == ()


def test_the_code_that_confirmed_is_used_up() -> None:
    """The first code of a new authenticator opens nothing afterwards."""
    here = _bare()
    at = here.now - timedelta(seconds=5)
    who = context("sess_n", actor=NOBODY, age=5, proofs=[Proof("totp", at)])
    made = here.gate.factors.enrol_totp(who)
    right = code(made.secret, here.now)
    assert isinstance(here.gate.factors.confirm_totp(who, made.factor_id, right), Factor)

    challenge = here.start("x", who)
    assert isinstance(here.gate.verify(challenge.id, "totp", right, who), Rejected)


def test_a_pending_factor_opens_nothing() -> None:
    """A secret nobody has answered with is neither listed nor accepted."""
    here = real_world()
    here.prove(ADD, CONTEXT, "password", PASSWORD, resource=Resource("factors", ACTOR.id), params={"method": "totp"})
    made = here.gate.factors.enrol_totp(CONTEXT)

    assert "totp" not in {factor.method for factor in here.gate.factors.list(CONTEXT)}
    challenge = here.start("by.any")
    found = here.gate.verify(challenge.id, "totp", code(made.secret, here.now), CONTEXT)
    assert isinstance(found, Rejected)
    assert found.code is Code.METHOD_NOT_ALLOWED


@both_faces
@pytest.mark.requirement("T-07")
def test_codes_of_other_steps_count_as_wrong_ones(face: str) -> None:
    """A clock that is off is never followed: right codes of later steps, in a row, end the challenge."""
    here = real_world(face)
    secret = enrolled_totp(here, CONTEXT)
    challenge = here.start("member.role")
    left: list[int | None] = []
    for steps in range(3, 8):
        ahead = code(secret, here.now + timedelta(seconds=30 * steps))
        found = here.gate.verify(challenge.id, "totp", ahead, CONTEXT)
        assert isinstance(found, Rejected)
        left.append(found.attempts_left)
    assert left == [4, 3, 2, 1, 0]
    assert here.gate.verify(challenge.id, "totp", code(secret, here.now), CONTEXT) == Rejected(Code.CHALLENGE_CLOSED)


# -- recovery codes, removal -------------------------------------------------------------


@both_faces
@pytest.mark.requirement("L-04")
def test_recovery_codes_stand_for_a_factor_and_go_with_it(face: str) -> None:
    """None without an authenticator; a new set replaces the old; removing the authenticator destroys them."""
    here = real_world(face)
    bare = outcome(lambda: world(face=face).gate.factors.new_recovery_codes(CONTEXT))
    assert isinstance(bare, ConfigurationError)  # a mistake of the developer, not something the person lacks
    refused = outcome(lambda: here.gate.factors.new_recovery_codes(CONTEXT))
    assert isinstance(refused, Denied)
    assert refused.code == Code.NO_USABLE_METHOD
    secret = enrolled_totp(here, CONTEXT)
    old = recovery_codes(here, CONTEXT, secret)
    new = recovery_codes(here, CONTEXT, secret)
    assert not set(old) & set(new)

    challenge = here.start("member.role")
    assert isinstance(here.gate.verify(challenge.id, "recovery_code", old[0], CONTEXT), Rejected)
    assert here.gate.verify(challenge.id, "recovery_code", new[0], CONTEXT)
    totp = next(factor.id for factor in here.gate.factors.list(CONTEXT) if factor.method == "totp")
    here.clock.advance(60)
    here.prove(REMOVE, CONTEXT, "totp", code(secret, here.now), resource=Resource("factor", totp))
    assert here.gate.factors.remove(CONTEXT, totp)
    assert {factor.method for factor in here.gate.factors.list(CONTEXT)} == {"password", "email_code"}
    challenge = here.start("by.any")
    found = here.gate.verify(challenge.id, "recovery_code", new[1], CONTEXT)
    assert isinstance(found, Rejected)


@pytest.mark.requirement("L-05")
def test_nobody_elses_recovery_code_is_good() -> None:
    """Another person's code is refused, and is still theirs."""
    here = real_world()
    marcus = context("sess_m", actor=OTHER)
    hers = recovery_codes(here, CONTEXT, enrolled_totp(here, CONTEXT))
    his = recovery_codes(here, marcus, enrolled_totp(here, marcus))
    challenge = here.start("member.role")

    assert isinstance(here.gate.verify(challenge.id, "recovery_code", his[0], CONTEXT), Rejected)
    here.prove("member.role", marcus, "recovery_code", his[0])
    assert here.gate.verify(challenge.id, "recovery_code", hers[0], CONTEXT)


@both_faces
@pytest.mark.requirement("P-09", "P-01")
def test_removing_a_factor_needs_a_step_up_for_that_factor(face: str) -> None:
    """Not a fresh session, not a step-up for another factor; another person's factor is not there at all."""
    here = real_world(face)
    secret = enrolled_totp(here, CONTEXT)
    totp = next(factor.id for factor in here.gate.factors.list(CONTEXT) if factor.method == "totp")

    assert isinstance(outcome(lambda: here.gate.factors.remove(context(at=here.now, age=1), totp)), StepUpRequired)
    here.clock.advance(60)
    here.prove(REMOVE, CONTEXT, "totp", code(secret, here.now), resource=Resource("factor", "another"))
    assert isinstance(outcome(lambda: here.gate.factors.remove(CONTEXT, totp)), StepUpRequired)
    for who in (context(actor=OTHER), context(actor=replace(ACTOR, tenant="acme"))):
        assert here.gate.factors.remove(who, totp) is False
    assert here.gate.factors.remove(CONTEXT, "password") is False
    assert totp in {factor.id for factor in here.gate.factors.list(CONTEXT)}


# -- what the application owns ---------------------------------------------------------------


class _Directory:
    """What the application keeps of its people."""

    def __init__(self) -> None:
        from argon2 import PasswordHasher

        self.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.email: str | None = "olivia@northstar.example"
        self.hash: str | None = self.hasher.hash(PASSWORD)
        self.secret: str | None = None

    def world(self, face: str = "sync") -> World:
        from stepup.mailers import Outbox

        outbox = Outbox()
        verifiers = [
            Password(hash_of=lambda actor: self.hash, hasher=self.hasher),
            EmailCode(mailer=outbox, address_of=lambda actor: self.email),
            TOTP(secret_of=lambda actor: self.secret),
        ]
        return world(face=face, verifiers=verifiers, outbox=outbox, actions=(*REAL_ACTIONS[:-1], CHANGE))


CHANGE = Action("account.change", "Change sign-in", policy=Policy(methods="any"))


@both_faces
@pytest.mark.requirement("C-12")
def test_a_code_counts_for_the_address_it_was_sent_to(face: str) -> None:
    """The address changes between start and begin, or begin and verify: refused, and nothing is sent to the new one."""
    directory = _Directory()
    here = directory.world(face)
    challenge = here.start("by.mail")
    here.gate.begin(challenge.id, "email_code", CONTEXT)
    mailed = here.outbox.code()
    directory.email = "mallory@evil.example"

    found = here.gate.verify(challenge.id, "email_code", mailed, CONTEXT)
    assert isinstance(found, Rejected)
    assert found.code is Code.METHOD_NOT_ALLOWED
    here.clock.advance(61)
    refused = outcome(lambda: here.gate.begin(challenge.id, "email_code", CONTEXT))
    assert isinstance(refused, Denied)
    assert len(here.outbox.messages) == 1
    assert "factor_changed" in here.reasons()


@both_faces
def test_a_change_that_nobody_proved_is_quarantined(face: str) -> None:
    """A new address, password hash or secret does not count for a day; the old proof of it counts for nothing."""
    for what in ("email", "hash", "secret"):
        directory = _Directory()
        directory.secret = TOTP_SECRET
        here = directory.world(face)
        here.start("by.any", resource=None)  # seen once
        changed = {
            "email": "mallory@evil.example",
            "hash": directory.hasher.hash("mallory's"),
            "secret": "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU",
        }[what]
        setattr(directory, what, changed)
        name = {"email": "email_code", "hash": "password", "secret": "totp"}[what]

        challenge = here.start("by.any")
        assert name not in challenge.allowed
        assert len(challenge.allowed) == 2
        here.clock.advance(timedelta(hours=24) - timedelta(seconds=1))
        assert name not in here.start("by.any").allowed
        here.clock.advance(1)
        assert name in here.start("by.any").allowed


@both_faces
def test_a_change_made_under_a_step_up_counts_at_once(face: str) -> None:
    """``changed`` with an authorization as strong as the factor; a weaker one leaves it waiting."""
    for strength, counts in (("totp", True), ("email_code", False)):
        directory = _Directory()
        directory.secret = TOTP_SECRET
        here = directory.world(face)
        challenge = here.start("account.change")
        if strength == "totp":
            answer = code(TOTP_SECRET, here.now)
        else:
            here.gate.begin(challenge.id, "email_code", CONTEXT)
            answer = here.outbox.code()
        assert here.gate.verify(challenge.id, strength, answer, CONTEXT)
        passed = here.gate.require("account.change", CONTEXT, resource=Resource("organization", "org_7"))
        token = here.prove("member.remove", CONTEXT, "password", PASSWORD).token if strength != "totp" else None
        directory.hash = directory.hasher.hash("a new password")
        here.gate.factors.changed(CONTEXT, "password", passed)

        assert ("password" in here.start("by.any").allowed) is counts, strength
        if token is not None:
            assert not here.allows("member.remove", context(age=86400), token)
        assert EventType.FACTOR_CHANGED in {event.type for event in here.events()}


def test_an_address_can_be_changed_under_a_step_up_where_it_stands_in_the_actor() -> None:
    """Without ``address_of``, the new address comes with the context; the authorization is still this person's."""
    here = real_world()
    here.prove("by.any", method="password", answer=PASSWORD)
    authorization = here.gate.require("by.any", CONTEXT, resource=Resource("organization", "org_7"))
    new = context(actor=replace(ACTOR, email="olivia@new.example"))
    here.gate.factors.changed(new, "email_code", authorization)

    assert here.start("by.mail", new).allowed == ("email_code",)


def test_changed_takes_only_a_fresh_authorization_of_this_person() -> None:
    """Somebody else's, a forged value, an old one, another tenant's, an unknown method: refused."""
    here = real_world()
    here.prove("by.any", method="password", answer=PASSWORD)
    mine = here.gate.require("by.any", CONTEXT, resource=Resource("organization", "org_7"))
    marcus = context("sess_m", actor=OTHER)
    here.prove("by.any", marcus, "password", PASSWORD)
    his = here.gate.require("by.any", marcus, resource=Resource("organization", "org_7"))

    junk: tuple[Any, ...] = (his, None, True, "yes", {}, here.gate.check("by.any", CONTEXT))
    for bad in junk:
        assert isinstance(outcome(lambda bad=bad: here.gate.factors.changed(CONTEXT, "password", bad)), InvalidInput)
    other = context(actor=replace(ACTOR, tenant="acme"))
    assert isinstance(outcome(lambda: here.gate.factors.changed(other, "password", mine)), InvalidInput)
    assert isinstance(outcome(lambda: here.gate.factors.changed(CONTEXT, "retina", mine)), InvalidInput)
    here.clock.advance(300)
    assert isinstance(outcome(lambda: here.gate.factors.changed(CONTEXT, "password", mine)), InvalidInput)
    assert isinstance(mine, Authorization)


def test_a_rehash_during_the_check_is_no_change() -> None:
    """A right password whose hash is brought up to date goes on counting."""
    from argon2 import PasswordHasher

    old, new = (PasswordHasher(time_cost=cost, memory_cost=8, parallelism=1) for cost in (1, 2))
    kept = {"hash": old.hash(PASSWORD)}
    verifier = Password(
        hash_of=lambda actor: kept["hash"], rehash=lambda actor, made: kept.update(hash=made), hasher=new
    )
    here = world(verifiers=[verifier], actions=(Action("x", "X"),))
    before = kept["hash"]

    here.prove("x", method="password", answer=PASSWORD)
    assert kept["hash"] != before
    here.prove("x", method="password", answer=PASSWORD)


@both_faces
def test_a_step_reported_by_the_login_is_used_up(face: str) -> None:
    """The code that signed somebody in opens nothing a moment later; a report never goes back."""
    directory = _Directory()
    directory.secret = TOTP_SECRET
    here = directory.world(face)
    step = int(here.now.timestamp()) // 30
    assert here.gate.factors.report_totp_step(ACTOR, step)
    assert not here.gate.factors.report_totp_step(ACTOR, step)
    assert not here.gate.factors.report_totp_step(ACTOR, step - 1)

    challenge = here.start("org.delete")
    assert challenge.allowed == ("totp",)
    used = here.gate.verify(challenge.id, "totp", code(TOTP_SECRET, here.now), CONTEXT)
    assert isinstance(used, Rejected)
    assert "replayed" in here.reasons()
    here.clock.advance(30)
    assert here.gate.verify(challenge.id, "totp", code(TOTP_SECRET, here.now), CONTEXT)


# -- counters, locks, the budget --------------------------------------------------------------


def _guess(here: World, action: str, name: str, who: Context = CONTEXT, times: int = 1, pause: float = 3601) -> int:
    """Answer wrongly *times* times, waiting out every lock; how often the verifier was let see one."""
    seen = 0
    for n in range(times):
        challenge = outcome(lambda n=n: here.start(action, who, resource=Resource("guess", str(n))))
        if isinstance(challenge, StepUpError):
            break
        found = here.gate.verify(challenge.id, name, "wrong", who)
        seen += isinstance(found, Rejected) and found.code is Code.VERIFICATION_FAILED
        here.clock.advance(pause)
    return seen


@pytest.mark.requirement("R-01", "R-02")
def test_a_hundred_failures_disable_a_factor() -> None:
    """Spread over days, then the right answer: refused. The other method still works; unlocking brings it back."""
    actions = (Action("k", "K", methods="passkey"), Action("p", "P", methods="password"))
    here = world(actions=actions)
    assert _guess(here, "k", "passkey", times=105) == 100
    refused = outcome(lambda: here.start("k"))

    assert isinstance(refused, Denied)
    assert refused.code == Code.LOCKED_OUT
    assert here.methods["passkey"].calls == 100
    here.prove("p", method="password", answer="pw")
    assert isinstance(outcome(lambda: here.start("k")), Denied)
    here.clock.advance(timedelta(days=400))
    assert isinstance(outcome(lambda: here.start("k")), Denied)


@pytest.mark.requirement("R-02")
def test_success_forgives_only_the_factor_that_succeeded() -> None:
    """Four wrong touches stay four, whatever the password does; a right touch forgives them."""
    actions = (Action("k", "K", methods="passkey"), Action("p", "P", methods="password"))
    here = world(actions=actions)

    def wrong(times: int) -> None:
        _guess(here, "k", "passkey", times=times, pause=0)

    wrong(4)
    here.prove("p", method="password", answer="pw")
    wrong(1)
    assert isinstance(outcome(lambda: here.start("k")), Denied)
    here.clock.advance(5)
    here.prove("k")
    wrong(4)
    here.start("k")


@pytest.mark.requirement("R-03")
def test_the_wait_grows() -> None:
    """5, 15, 30, 60, 120 seconds after the fifth failure and on, then 15 minutes, doubling to an hour."""
    here = world(actions=(Action("k", "K", methods="passkey"),))
    waits = []
    for _ in range(13):
        challenge = here.start("k")
        here.gate.verify(challenge.id, "passkey", "wrong", CONTEXT)
        refused = outcome(lambda: here.start("k"))
        if isinstance(refused, Denied):
            assert refused.retry_at is not None
            waits.append(int((refused.retry_at - here.now).total_seconds()))
            here.clock.set(refused.retry_at)

    assert waits == [5, 15, 30, 60, 120, 900, 1800, 3600, 3600]


@pytest.mark.requirement("R-04", "R-05")
def test_counters_follow_the_person_and_not_the_network() -> None:
    """A new address for every guess changes nothing; a trusted device is not locked out by a guesser elsewhere."""
    here = world(actions=(Action("k", "K", methods="passkey"),))
    seen = 0
    for n in range(50):
        who = context(f"sess_{n}", device=f"fp_{n}", ip=f"198.51.100.{n}")
        seen += _guess(here, "k", "passkey", who, pause=0)
    assert seen == 5
    assert isinstance(outcome(lambda: here.start("k")), Denied)

    here.prove("k", context("sess_home", device="fp_home", trusted=True))
    assert isinstance(outcome(lambda: here.start("k")), Denied)
    here.start("k", context(actor=OTHER))
    here.start("k", context(actor=replace(ACTOR, tenant="acme")))


def test_a_year_of_guessing_codes_is_bounded() -> None:
    """45 wrong authenticator codes, spread over a year: the next is not looked at. A year later it is."""
    directory = _Directory()
    directory.secret = TOTP_SECRET
    here = directory.world()
    guesses = 0
    while guesses < 200:
        challenge = outcome(lambda n=guesses: here.start("org.delete", resource=Resource("guess", str(n))))
        if isinstance(challenge, StepUpError):
            break
        found = here.gate.verify(challenge.id, "totp", "000000", CONTEXT)
        assert isinstance(found, Rejected), "one in 500 000"
        guesses += found.code is Code.VERIFICATION_FAILED
        here.clock.advance(timedelta(days=3))

    assert guesses == 45
    here.prove("by.any", method="password", answer=PASSWORD)
    here.clock.advance(timedelta(days=366))
    assert here.start("org.delete").allowed == ("totp",)


def test_success_forgives_only_the_guesses_of_its_own_challenge() -> None:
    """Guesses in challenges that were given up stay spent."""
    from stepup.changes import THROTTLE
    from stepup.throttle import Throttle
    from stepup.tries import spent

    directory = _Directory()
    directory.secret = TOTP_SECRET
    here = directory.world()

    def points() -> int:
        (record,) = here.store.inner.load(here.gate.core.partition(ACTOR), [THROTTLE])
        assert record is not None
        assert isinstance(record.value, Throttle)
        return spent(record.value, here.now)

    for n in range(2):
        challenge = here.start("org.delete", resource=Resource("guess", str(n)))
        here.gate.verify(challenge.id, "totp", "000000", CONTEXT)
    assert points() == 4
    here.clock.advance(30)
    last = here.start("org.delete")
    here.gate.verify(last.id, "totp", "000000", CONTEXT)
    assert points() == 6
    here.clock.advance(30)
    assert here.gate.verify(last.id, "totp", code(TOTP_SECRET, here.now), CONTEXT)
    assert points() == 4


@both_faces
def test_unlocking_is_guarded_and_never_for_oneself(face: str) -> None:
    """Support proves itself for this person; without that, or for oneself, nothing is unlocked."""
    here = world(face=face, actions=(Action("k", "K", methods="passkey"),))
    _guess(here, "k", "passkey", times=5, pause=0)
    support = context("sess_s", actor=Actor("usr_support"))

    assert isinstance(outcome(lambda: here.gate.unlock(ACTOR, support)), StepUpRequired)
    assert isinstance(outcome(lambda: here.gate.unlock(support.actor, support)), InvalidInput)
    needed = outcome(lambda: here.gate.unlock(ACTOR, support))
    assert isinstance(needed, StepUpRequired)
    assert needed.action == UNLOCK
    challenge = here.gate.start_offer(needed.offer, support)
    assert here.gate.verify(challenge.id, "passkey", "touch", support)
    assert isinstance(outcome(lambda: here.gate.unlock(OTHER, support)), StepUpRequired)
    assert isinstance(outcome(lambda: here.start("k")), Denied)
    here.gate.unlock(ACTOR, support)
    here.start("k")
    assert [event.detail["by"] for event in here.events() if event.type is EventType.UNLOCKED] == ["usr_support"]


@pytest.mark.requirement("G-14")
def test_unlocking_somebody_of_another_tenant_needs_a_proof_for_them() -> None:
    """The same id in another tenant is another person, for support as well."""
    here = world()
    support = context("sess_s", actor=Actor("usr_support"))
    needed = outcome(lambda: here.gate.unlock(replace(ACTOR, tenant="acme"), support))
    assert isinstance(needed, StepUpRequired)
    challenge = here.gate.start_offer(needed.offer, support)
    assert here.gate.verify(challenge.id, "passkey", "touch", support)

    here.gate.unlock(replace(ACTOR, tenant="acme"), support)
    for tenant in ("", "other"):
        refused = outcome(lambda tenant=tenant: here.gate.unlock(replace(ACTOR, tenant=tenant), support))
        assert isinstance(refused, StepUpRequired), tenant


@pytest.mark.requirement("G-14", "R-04")
def test_two_tenants_share_nothing() -> None:
    """Same id: separate counters, challenges, grants, factors and events."""
    here = world(actions=(Action("k", "K", methods="passkey"),))
    acme, zenith = (context(actor=replace(ACTOR, tenant=name)) for name in ("acme", "zenith"))
    _guess(here, "k", "passkey", acme, times=5, pause=0)
    assert isinstance(outcome(lambda: here.start("k", acme)), Denied)

    done = here.prove("k", zenith)
    assert not here.allows("k", acme, done.token)
    assert here.gate.grants(acme) == ()
    assert not here.gate.revoke(acme, grant=done.grant.id)
    assert here.gate.events(zenith.actor).items != here.gate.events(acme.actor).items


def test_a_scripted_factor_is_listed_without_its_material() -> None:
    """What the application hands over as material never comes out again."""
    verifier = ScriptedVerifier("password", factors=[Factor("p", "password", material=b"the password hash itself")])
    here = world(verifiers=[verifier], actions=(Action("x", "X"),))
    (factor,) = here.gate.factors.list(CONTEXT)

    assert factor.material is None
    assert factor.fingerprint is not None
    assert "hash itself" not in repr(factor)
