"""What ends authority ends it at once: tokens, session grants and open challenges alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from engine_bench import (
    ACTOR,
    CONTEXT,
    ORG,
    OTHER,
    OTHER_SECRET,
    PASSWORD,
    SECRET,
    Counting,
    World,
    both_faces,
    code,
    context,
    enrolled_totp,
    outcome,
    real_world,
    scripted,
    world,
)

from stepup import Action, Challenge, Code, Denied, Policy, Rejected, Resource, Verified
from stepup.decide.enrol import ADD, REMOVE
from stepup.event import EventType
from stepup.stores.memory import MemoryStore

OPENED = ("org.delete", "member.role", "member.remove", "batch.run", "once.shelf")
STALE = context(age=86400)


class Opened:
    """One grant per kind (single use, many uses, counted, on the shelf) and one open challenge, in one session."""

    def __init__(self, here: World, method: str = "passkey", answer: str = "touch") -> None:
        self.here = here
        self.method, self.answer = method, answer
        self.tokens = {name: here.prove(name, STALE, method, answer).token for name in OPENED}
        self.challenge = here.start("member.role", STALE, resource=Resource("organization", "open"))

    def stands(self) -> bool:
        return all(self.here.gate.check(n, STALE, resource=ORG, token=t).allowed for n, t in self.tokens.items())

    def survivors(self) -> list[str]:
        """What still opens anything; each refused thing is tried in every form."""
        found = [name for name, token in self.tokens.items() if self.here.allows(name, STALE, token)]
        found += [f"{name} by session" for name in OPENED if self.here.allows(name, STALE)]
        found += [f"{grant.binding.action} listed" for grant in self.here.gate.grants(STALE)]
        if self.here.gate.verify(self.challenge.id, self.method, self.answer, STALE):
            found.append("challenge")
        return found


ENDINGS: dict[str, Callable[[World], object]] = {
    "logout": lambda here: here.gate.revoke(STALE, session=True),
    "everything": lambda here: here.gate.revoke(context("sess_9"), everything=True),
    "forget": lambda here: here.gate.forget(ACTOR),
    "rotated": lambda here: here.gate.rotated(STALE, "sess_new"),
}


@both_faces
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.requirement("G-02", "P-15")
def test_an_ending_ends_everything_at_once(face: str, ending: str) -> None:
    """Tokens of every kind, session grants, freshness and the open challenge: none is left a moment later."""
    here = world(face=face)
    opened = Opened(here)
    assert opened.stands()

    ENDINGS[ending](here)

    assert opened.survivors() == []
    assert not here.allows("note.edit", STALE)
    assert here.methods["passkey"].calls == len(OPENED)


@pytest.mark.parametrize("ending", [name for name in ENDINGS if name != "rotated"])
def test_an_ending_ends_it_for_good(ending: str) -> None:
    """Proving something else afterwards, with or without a rotation, revives nothing of what was ended."""
    for rotate in (None, lambda: "sess_2"):
        here = world()
        opened = Opened(here)
        ENDINGS[ending](here)
        fresh = here.start("note.edit", STALE)
        done = here.gate.verify(fresh.id, "passkey", "touch", STALE, rotate=rotate)
        assert isinstance(done, Verified)

        for who in (STALE, context("sess_2", age=86400)):
            left = [name for name, token in opened.tokens.items() if here.allows(name, who, token)]
            left += [name for name in ("member.role", "batch.run", "once.shelf") if here.allows(name, who)]
            assert left == [], (ending, rotate)


def test_signing_out_ends_one_session_only() -> None:
    """The other session of the same person, and another person, keep theirs."""
    here = world()
    others = [context("sess_2"), context(actor=OTHER)]
    tokens = [here.prove("member.role", who).token for who in others]
    here.prove("member.role")
    here.gate.revoke(CONTEXT, session=True)

    assert not here.allows("member.role")
    for who, token in zip(others, tokens, strict=True):
        assert here.allows("member.role", who, token)
        assert here.allows("member.role", who)


@both_faces
@pytest.mark.requirement("G-02")
@pytest.mark.parametrize("action", OPENED)
def test_one_grant_can_be_ended(face: str, action: str) -> None:
    """It alone: in all its forms, from any of the person's sessions, once."""
    here = world(face=face)
    done, other = here.prove(action, STALE), here.prove("batch.run", STALE)

    assert here.gate.revoke(STALE, grant=done.grant.id)
    assert not here.gate.revoke(STALE, grant=done.grant.id)
    assert not here.allows(action, STALE, done.token)
    assert done.grant.id not in {grant.id for grant in here.gate.grants(STALE)}
    assert here.allows("batch.run", STALE, other.token)
    if action not in {"member.remove", "batch.run"}:  # at 2 the step-up itself is still fresh; batch.run has another
        assert not here.allows(action, STALE)


def test_nobody_else_can_end_a_grant() -> None:
    """Another person, or the same id in another tenant, ends nothing and learns nothing."""
    here = world()
    done = here.prove("member.role")

    for who in (context(actor=OTHER), context(actor=replace(ACTOR, tenant="acme"))):
        assert not here.gate.revoke(who, grant=done.grant.id)
        assert here.gate.revoke(who, everything=True)
    assert here.allows("member.role", token=done.token)


def test_a_grant_ended_from_another_session_is_ended_everywhere() -> None:
    """The account page of one browser locks what another has unlocked, at every level, in every form."""
    no_window = [
        Action(f"level.{level}", "No window", risk=level, policy=Policy(methods="any", uses=uses))
        for level, uses in ((1, None), (2, None), (3, None), (4, 1))
    ]
    for action in no_window:
        here = world(actions=no_window)
        done = here.prove(action.id, STALE)
        assert here.gate.revoke(context("sess_2", age=86400), grant=done.grant.id)
        assert not here.allows(action.id, STALE, done.token), action.id
        assert not here.allows(action.id, STALE), action.id


@both_faces
@pytest.mark.requirement("G-02", "P-09")
def test_a_change_of_factors_ends_what_was_opened_before(face: str) -> None:
    """Adding, confirming and removing an authenticator, and new recovery codes, end every grant and challenge."""
    here = real_world(face, actions=ENROL_ACTIONS)
    secret = enrolled_totp(here, STALE)

    def fresh() -> Opened:
        here.clock.advance(60)
        return Opened(here, "password", PASSWORD)

    def prove(action: str, resource: Resource, params: dict[str, str] | None) -> None:
        here.clock.advance(60)
        here.prove(action, STALE, "totp", code(secret, here.now), resource=resource, params=params)

    factors = Resource("factors", ACTOR.id)
    opened = fresh()
    prove(ADD, factors, {"method": "totp"})
    made = here.gate.factors.enrol_totp(STALE)
    assert opened.stands()
    here.gate.factors.confirm_totp(STALE, made.factor_id, code(made.secret, here.now))
    assert opened.survivors() == []

    opened = fresh()
    prove(ADD, factors, {"method": "recovery_code"})
    here.gate.factors.new_recovery_codes(STALE)
    assert opened.survivors() == []

    opened = fresh()
    prove(REMOVE, Resource("factor", made.factor_id), None)
    assert here.gate.factors.remove(STALE, made.factor_id)
    assert opened.survivors() == []


ENROL_ACTIONS = tuple(
    Action(name, name, policy=Policy(methods="password", uses=uses, token_required=token))
    for name, uses, token in (
        ("org.delete", 1, True),
        ("member.role", None, False),
        ("member.remove", None, False),
        ("batch.run", 3, False),
        ("once.shelf", 1, False),
    )
)


# -- rotation -----------------------------------------------------------------------


@both_faces
@pytest.mark.requirement("G-01")
def test_a_rotation_at_the_last_proof_binds_the_grant_to_the_new_session(face: str) -> None:
    """The old session's tokens and challenges die; its live grants move; the new token works in the new one only."""
    here = world(face=face)
    old_token = here.prove("member.role").token
    half = here.start("batch.run")
    done = here.prove("org.delete", rotate=lambda: "sess_new")
    new = context("sess_new")

    assert not here.allows("org.delete", token=done.token)
    assert here.allows("org.delete", new, done.token)
    assert not here.allows("member.role", token=old_token)
    assert not here.allows("member.role", new, old_token)
    assert not here.allows("member.role")
    assert here.allows("member.role", new)
    assert isinstance(here.gate.verify(half.id, "passkey", "touch", CONTEXT), Rejected)
    assert isinstance(here.gate.verify(half.id, "passkey", "touch", new), Rejected)


@both_faces
@pytest.mark.requirement("G-01")
def test_a_later_rotation_moves_session_grants_and_kills_tokens(face: str) -> None:
    """What was spent stays spent, what was counted stays counted."""
    here = world(face=face)
    token = here.prove("batch.run").token
    assert here.allows("batch.run", token=token)
    here.prove("once.shelf")
    assert here.allows("once.shelf")
    here.gate.rotated(CONTEXT, "sess_new")
    new = context("sess_new")

    assert not here.allows("batch.run", token=token)
    assert not here.allows("batch.run", new, token)
    assert not here.allows("batch.run")
    left = [here.allows("batch.run", new) for _ in range(3)]
    assert left == [True, True, False]
    assert not here.allows("once.shelf", new)


def test_rotate_is_called_once_and_only_for_the_last_right_answer() -> None:
    """Not for a wrong answer, not for a part, not for a method that is not allowed."""
    here = world()
    called: list[str] = []

    def rotate() -> str:
        called.append("rotated")
        return "sess_new"

    challenge = here.start("key.rotate")
    here.gate.verify(challenge.id, "passkey", "wrong", CONTEXT, rotate=rotate)
    here.gate.verify(challenge.id, "nonsense", "pw", CONTEXT, rotate=rotate)
    here.gate.verify(challenge.id, "password", "pw", CONTEXT, rotate=rotate)
    assert called == []
    done = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT, rotate=rotate)
    assert isinstance(done, Verified)
    assert called == ["rotated"]
    assert here.allows("key.rotate", context("sess_new"), done.token)


@pytest.mark.parametrize("answer", [None, "", "sess_1", b"sess_2", 7, True, [], "x" * 1025, RuntimeError("no session")])
def test_a_rotation_that_fails_mints_nothing(answer: object) -> None:
    """No new id, the old one, junk or an exception: no grant, no token, and the event says why."""
    here = world()

    def rotate() -> str:
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    challenge = here.start("member.role")
    found = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT, rotate=rotate)
    assert isinstance(found, Rejected)
    assert found.code is Code.VERIFICATION_FAILED
    assert here.reasons()[-1] == "rotate_failed"
    assert not here.allows("member.role")
    assert here.gate.grants(CONTEXT) == ()


@pytest.mark.requirement("G-01")
def test_two_parts_at_once_cannot_skip_the_rotation() -> None:
    """The other part is proved while this one is being judged: the grant is then not bound to the old session."""
    methods = scripted()
    here = world(verifiers=list(methods.values()))
    challenge = here.start("key.rotate")
    inner = methods["password"].check

    def check(state: object, response: object, ceremony: object) -> object:
        here.gate.verify(challenge.id, "passkey", "touch", CONTEXT, rotate=lambda: "sess_new")
        return inner(state, response, ceremony)  # type: ignore[arg-type]

    methods["password"].check = check  # type: ignore[method-assign,assignment]
    found = here.gate.verify(challenge.id, "password", "pw", CONTEXT, rotate=lambda: "sess_new")

    assert not (isinstance(found, Verified) and here.allows("key.rotate", CONTEXT, found.token))
    assert not here.allows("key.rotate")


# -- what a lost store and lost keys do -------------------------------------------------


@both_faces
@pytest.mark.requirement("Y-11")
def test_a_store_that_forgot_refuses_what_it_had_minted(face: str) -> None:
    """Same secret, new memory: the fence has changed, so no old token counts, whatever stands in the new store."""
    here = world(face=face)
    opened = Opened(here)
    there = world(face=face, store=Counting(MemoryStore()), clock=here.clock)
    there.prove("member.role", STALE)  # so that epochs of the same versions exist there too

    for name, token in opened.tokens.items():
        assert not there.allows(name, STALE, token), name
    assert there.gate.verify(opened.challenge.id, "passkey", "touch", STALE) == Rejected(Code.CHALLENGE_NOT_FOUND)


@both_faces
def test_a_new_key_in_front_closes_nothing(face: str) -> None:
    """Tokens, challenges, session grants and authenticators made under the old key go on under [new, old]."""
    here = real_world(face)
    secret = enrolled_totp(here, STALE)
    here.clock.advance(60)
    token = here.prove("member.role", STALE, "totp", code(secret, here.now)).token
    challenge = here.start("member.remove", STALE)
    there = real_world(face, secret=[OTHER_SECRET, SECRET], store=here.store, clock=here.clock)

    assert there.allows("member.role", STALE, token)
    assert there.allows("member.role", STALE)
    here.clock.advance(60)
    assert there.gate.verify(challenge.id, "totp", code(secret, here.now), STALE)
    here.clock.advance(60)
    newer = there.prove("org.delete", STALE, "totp", code(secret, here.now)).token
    assert not here.allows("org.delete", STALE, newer)
    assert there.allows("org.delete", STALE, newer)


@both_faces
def test_dropping_the_old_key_closes_what_it_opened_and_spares_the_factors(face: str) -> None:
    """With a ring of their own for factors, authenticators survive; tokens, grants and challenges do not."""
    keep = "a third engine test secret, never real: 5647382910"
    here = real_world(face, factor_secret=keep)
    secret = enrolled_totp(here, STALE)
    here.clock.advance(60)
    token = here.prove("member.role", STALE, "totp", code(secret, here.now)).token
    challenge = here.start("member.remove", STALE)
    there = real_world(face, secret=OTHER_SECRET, factor_secret=keep, store=here.store, clock=here.clock)

    assert not there.allows("member.role", STALE, token)
    assert not there.allows("member.role", STALE)
    assert isinstance(there.gate.verify(challenge.id, "password", PASSWORD, STALE), Rejected)
    here.clock.advance(60)
    there.prove("org.delete", STALE, "totp", code(secret, here.now))


@pytest.mark.requirement("Y-09")
def test_a_token_from_the_future_is_refused() -> None:
    """Another node's clock is 31 seconds ahead: refused here; 30 seconds are allowed for."""
    for ahead, passes in ((30, True), (31, False)):
        store = Counting()
        here, there = world(store=store), world(store=store)
        there.clock.advance(ahead)
        token = there.prove("member.role").token
        assert here.allows("member.role", token=token) is passes


def test_forgetting_leaves_nothing_and_starts_over() -> None:
    """Factors, counters and events go; the same id can start anew; old tokens stay dead."""
    here = real_world()
    enrolled_totp(here, STALE)
    token = here.prove("by.any", STALE, "password", PASSWORD).token
    here.gate.forget(ACTOR)

    assert [event.type for event in here.events()] == [EventType.FORGOTTEN]
    assert [factor.method for factor in here.gate.factors.list(STALE)] == ["password", "email_code"]
    assert not here.allows("by.any", STALE, token)
    here.prove("by.any", STALE, "password", PASSWORD)
    assert not here.allows("by.any", STALE, token, resource=Resource("organization", "other"))
    kinds = {key.kind for part in here.store.inner._records._parts.values() for key in part}
    assert "factor" not in kinds


def test_a_revoked_challenge_says_no_more_than_closed() -> None:
    """And starting again works."""
    here = world()
    challenge = here.start("member.role")
    here.gate.revoke(CONTEXT, everything=True)

    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT) == Rejected(Code.CHALLENGE_CLOSED)
    assert isinstance(outcome(lambda: here.gate.begin(challenge.id, "passkey", CONTEXT)), Denied)
    assert here.methods["passkey"].calls == 0
    again = here.start("member.role")
    assert isinstance(again, Challenge)
    assert here.gate.verify(again.id, "passkey", "touch", CONTEXT)
