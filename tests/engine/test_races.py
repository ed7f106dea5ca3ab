"""Sixty-four at once, as threads on the sync face and as tasks on the async one: counts, and nothing but counts.

The work is written once, as a coroutine. Threads start together behind a barrier and switch every few microseconds;
tasks are made to yield at every store call. Losing to others eight times (``StoreBusy``) is a refusal like any.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from engine_bench import (
    ACTOR,
    CONTEXT,
    ORG,
    PASSWORD,
    TOTP_SECRET,
    Asynced,
    World,
    code,
    context,
    enrolled_totp,
    real_world,
    recovery_codes,
    world,
)

from stepup import Action, AsyncStepUp, Challenge, Factor, Prompt, Rejected, Resource, StepUpError, Verified
from stepup._bridge import run_sync
from stepup.changes import Applied, Changes, Key, Lost, Partition, Record
from stepup.decide.enrol import ADD, REMOVE
from stepup.testing.scripted import ScriptedVerifier
from stepup.verifiers import TOTP, EmailCode, Password, RecoveryCode

MANY = 64
Work = Callable[[Any, int], Awaitable[object]]

as_threads_and_tasks = pytest.mark.parametrize("how", ["threads", "tasks"])
pytestmark = [as_threads_and_tasks, pytest.mark.requirement("R-07", "S-01", "S-02")]


@pytest.fixture(autouse=True)
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


class _Yielding(Asynced):
    """Lets every other task run at each store call."""

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        await asyncio.sleep(0)
        found = await super().load(partition, keys)
        await asyncio.sleep(0)
        return found

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        await asyncio.sleep(0)
        answer = await super().apply(partition, changes)
        await asyncio.sleep(0)
        return answer


class _AsCoroutines:
    """The sync face, each method a coroutine that never suspends."""

    def __init__(self, gate: Any) -> None:
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._gate, name)
        if name in {"factors", "devices"}:
            return _AsCoroutines(found)
        if not inspect.ismethod(found):
            return found

        async def called(*args: Any, **kwargs: Any) -> Any:
            return found(*args, **kwargs)

        return called


def race(how: str, here: World, work: Work, times: int = MANY) -> list[object]:
    """What came of *work*, done *times* times at once; errors raised on purpose among it."""

    async def one(gate: Any, n: int) -> object:
        try:
            return await work(gate, n)
        except StepUpError as error:
            return error

    if how == "tasks":

        async def all_of_them() -> list[object]:
            gate = _async_twin(here)
            return list(await asyncio.gather(*(one(gate, n) for n in range(times))))

        return asyncio.run(all_of_them())
    found: list[object] = [None] * times
    barrier = threading.Barrier(times)
    gate = _AsCoroutines(here.gate)

    def run(n: int) -> None:
        barrier.wait()
        found[n] = run_sync(one(gate, n))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _async_twin(here: World) -> AsyncStepUp:
    """An async gate over the same store, keys, clock and verifiers as the sync one."""
    made: Any = getattr(here, "made", None)
    return AsyncStepUp(store=_Yielding(here.store), clock=here.clock, **made)


def arena(**settings: Any) -> World:
    """A world whose async twin can be made."""
    given = {
        "actions": settings.pop("actions"),
        "verifiers": settings.pop("verifiers"),
        "secret": "an engine test secret, never a real one: 0123456789",
    }
    here = world(**given, **settings)
    here.made = given  # type: ignore[attr-defined]
    return here


def _scripted() -> World:
    return arena(
        actions=(Action("x", "X"), Action("c", "C", risk=4), Action("three", "Three", policy=_three())),
        verifiers=[ScriptedVerifier("passkey", strength=40, answer="touch")],
    )


def _three() -> Any:
    from stepup import Policy

    return Policy(uses=3)


def _won(found: list[object], kind: type) -> int:
    assert all(isinstance(one, (kind, Rejected, StepUpError, bool)) for one in found), found
    return sum(isinstance(one, kind) for one in found)


@pytest.mark.requirement("X-02", "C-07")
def test_wrong_answers_at_once_are_looked_at_five_times(how: str) -> None:
    """Sixty-four wrong answers to one challenge: the verifier sees five, and the right one is then refused."""
    here = _scripted()
    challenge = here.start("x")
    found = race(how, here, lambda gate, n: gate.verify(challenge.id, "passkey", f"wrong {n}", CONTEXT))

    assert _won(found, Verified) == 0
    assert here.methods["passkey"].calls == 5
    assert isinstance(here.gate.verify(challenge.id, "passkey", "touch", CONTEXT), Rejected)
    assert here.methods["passkey"].calls == 5


@pytest.mark.requirement("X-01", "C-05")
def test_right_answers_at_once_mint_one_grant(how: str) -> None:
    """Sixty-four right answers to one challenge: one grant."""
    for _ in range(3):
        here = _scripted()
        challenge = here.start("x")
        found = race(how, here, lambda gate, n: gate.verify(challenge.id, "passkey", "touch", CONTEXT))  # noqa: B023

        assert _won(found, Verified) == 1
        assert here.methods["passkey"].calls <= 5
        assert len(here.gate.grants(CONTEXT)) == 1


@pytest.mark.requirement("X-03")
def test_right_and_wrong_answers_together_stay_within_the_limit(how: str) -> None:
    """Whoever wins, the verifier saw at most five, and there is at most one grant."""
    for offset in range(4):
        here = _scripted()
        challenge = here.start("x")

        def work(gate: Any, n: int) -> Any:
            answer = "touch" if n % 4 == offset else "wrong"  # noqa: B023
            return gate.verify(challenge.id, "passkey", answer, CONTEXT)  # noqa: B023

        won = _won(race(how, here, work), Verified)
        assert won <= 1
        assert here.methods["passkey"].calls <= 5
        assert len(here.gate.grants(CONTEXT)) == won


@pytest.mark.requirement("X-01", "C-05")
def test_a_single_use_grant_is_spent_once(how: str) -> None:
    """Sixty-four calls with one token: one passes."""
    for _ in range(3):
        here = _scripted()
        token = here.prove("c").token
        found = race(how, here, lambda gate, n: gate.require("c", CONTEXT, resource=ORG, token=token))  # noqa: B023

        assert sum(not isinstance(one, StepUpError) for one in found) == 1


def test_a_counted_grant_is_spent_as_often_as_it_says(how: str) -> None:
    """Three uses: never a fourth, and what was not taken in the race can be taken afterwards."""
    here = _scripted()
    token = here.prove("three").token

    def work(gate: Any, n: int) -> Any:
        return gate.require("three", CONTEXT, resource=ORG, token=token if n % 2 else None)

    taken = sum(not isinstance(one, StepUpError) for one in race(how, here, work))
    assert 1 <= taken <= 3
    while here.allows("three", token=token):
        taken += 1
    assert taken == 3


def test_one_request_asked_again_at_once_is_one_use(how: str) -> None:
    """The same request id sixty-four times: every answer but a busy one is yes, and one use is gone."""
    here = _scripted()
    token = here.prove("c").token
    call: dict[str, Any] = {"resource": ORG, "token": token, "request_id": "req_1"}
    found = race(how, here, lambda gate, n: gate.require("c", CONTEXT, **call))

    assert all(not isinstance(one, StepUpError) for one in found)
    claims = [key for part in here.store.inner._records._parts.values() for key in part if key.kind == "claim"]
    assert len(claims) == 1
    assert not here.allows("c", token=token)


def _authenticator() -> World:
    return arena(
        actions=(Action("x", "X"),), verifiers=[TOTP(secret_of=lambda actor: TOTP_SECRET), Password(check=_never)]
    )


def _never(actor: Any, word: str) -> bool:
    return False


@pytest.mark.requirement("X-04", "T-01")
def test_one_authenticator_code_opens_one_of_two_challenges(how: str) -> None:
    """The same code on two challenges at once: one grant, and the code is used up."""
    for _ in range(3):
        here = _authenticator()
        both = [here.start("x", resource=Resource("r", str(n))) for n in range(2)]
        right = code(TOTP_SECRET, here.now)
        found = race(how, here, lambda gate, n: gate.verify(both[n % 2].id, "totp", right, CONTEXT), 8)  # noqa: B023

        assert _won(found, Verified) == 1


@pytest.mark.requirement("X-04", "L-03")
def test_one_recovery_code_is_used_once(how: str) -> None:
    """One code, eight challenges, sixty-four answers: one grant."""
    here = real_world(actions=_ENROLLING)
    codes = recovery_codes(here, CONTEXT, enrolled_totp(here, CONTEXT))
    outbox = here.outbox
    here.made = {  # type: ignore[attr-defined]
        "actions": _ENROLLING,
        "verifiers": [Password(check=_right), TOTP(), EmailCode(mailer=outbox), RecoveryCode()],
        "secret": "an engine test secret, never a real one: 0123456789",
    }
    challenges = [here.start("x", resource=Resource("r", str(n))) for n in range(8)]
    sent = len(outbox.messages)
    found = race(how, here, lambda gate, n: gate.verify(challenges[n % 8].id, "recovery_code", codes[0], CONTEXT))

    assert _won(found, Verified) == 1
    told = [mail.subject for mail in outbox.messages[sent:]]
    assert told.count("A recovery code was used on your account") == 1
    assert told.count("A used code was tried again on your account") == len(told) - 1 <= 1


_ENROLLING = (Action("x", "X"),)


def _right(actor: Any, word: str) -> bool:
    return word == PASSWORD


@pytest.mark.requirement("X-06")
def test_an_old_code_is_void_once_a_new_one_is_out(how: str) -> None:
    """Resending against answering with the old code: never both a grant and a second mail."""
    from stepup.mailers import Outbox

    for _ in range(10):
        outbox = Outbox()
        here = arena(
            actions=(Action("x", "X", methods="email_code"),),
            verifiers=[EmailCode(mailer=outbox)],
        )
        challenge = here.start("x")
        here.gate.begin(challenge.id, "email_code", CONTEXT)
        old = outbox.code()
        here.clock.advance(61)

        def work(gate: Any, n: int) -> Any:
            if n % 2:
                return gate.begin(challenge.id, "email_code", CONTEXT)  # noqa: B023
            return gate.verify(challenge.id, "email_code", old, CONTEXT)  # noqa: B023

        found = race(how, here, work, 8)
        won = sum(isinstance(one, Verified) for one in found)
        assert won + (len(outbox.messages) - 1) == 1, found
        assert all(isinstance(one, Verified | Rejected | Prompt | StepUpError) for one in found)


@pytest.mark.requirement("X-05")
def test_an_answer_and_a_cancel_do_not_both_win(how: str) -> None:
    """Either it was cancelled, or it minted."""
    for _ in range(10):
        here = _scripted()
        challenge = here.start("x")

        def work(gate: Any, n: int) -> Any:
            if n % 2:
                return gate.cancel(challenge.id, CONTEXT)  # noqa: B023
            return gate.verify(challenge.id, "passkey", "touch", CONTEXT)  # noqa: B023

        found = race(how, here, work, 8)
        assert sum(isinstance(one, Verified) for one in found) + sum(one is True for one in found) == 1


@pytest.mark.requirement("X-05", "G-02")
@pytest.mark.parametrize("ending", [{"everything": True}, {"session": True}])
def test_nothing_survives_a_revoke_that_has_returned(how: str, ending: dict[str, bool]) -> None:
    """Answers and redeems race with signing out; afterwards neither token, grant nor challenge opens anything."""
    for _ in range(5):
        here = _scripted()
        token = here.prove("three").token
        challenge = here.start("x")

        def work(gate: Any, n: int) -> Any:
            if n == 3:
                return gate.revoke(CONTEXT, **ending)
            if n % 2:
                return gate.require("three", CONTEXT, resource=ORG, token=token)  # noqa: B023
            return gate.verify(challenge.id, "passkey", "touch", CONTEXT)  # noqa: B023

        found = race(how, here, work, 8)
        assert found[3] is True
        minted = [one.token for one in found if isinstance(one, Verified)]
        for one in (token, *minted, None):
            assert not here.allows("three", token=one)
            assert not here.allows("x", token=one)
        assert not here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)


@pytest.mark.requirement("X-05")
def test_a_grant_is_spent_before_it_is_revoked_or_not_at_all(how: str) -> None:
    """Redeeming against revoking that very grant: at most one use, one revoke that says so, nothing left."""
    for _ in range(10):
        here = _scripted()
        done = here.prove("c")

        def work(gate: Any, n: int) -> Any:
            if n % 2:
                return gate.revoke(CONTEXT, grant=done.grant.id)  # noqa: B023
            return gate.require("c", CONTEXT, resource=ORG, token=done.token)  # noqa: B023

        found = race(how, here, work, 8)
        spent = sum(not isinstance(one, bool | StepUpError) for one in found)
        assert spent <= 1
        assert sum(one is True for one in found) == 1, found
        assert not here.allows("c", token=done.token)


def test_the_limit_of_open_challenges_holds(how: str) -> None:
    """Sixty-four starts at once: never more than ten stand open."""
    here = _scripted()

    def work(gate: Any, n: int) -> Any:
        return gate.start("x", CONTEXT, resource=Resource("r", str(n)))

    found = [one for one in race(how, here, work) if isinstance(one, Challenge)]
    assert 1 <= len(found) <= 10
    standing = [here.gate.challenge(one.id, CONTEXT) for one in found]
    assert all(one is not None and one.state.value == "open" for one in standing)
    more = 0
    while len(found) + more < 20 and not _refused(here, more):
        more += 1
    assert len(found) + more == 10


def _refused(here: World, n: int) -> bool:
    try:
        here.start("x", resource=Resource("more", str(n)))
    except StepUpError:
        return True
    return False


@pytest.mark.requirement("X-07")
def test_an_enrolment_is_confirmed_once(how: str) -> None:
    """Sixty-four right first codes: one factor."""
    here = arena(actions=(Action("x", "X"),), verifiers=[TOTP()])
    who = context("sess_n", age=10)
    made = here.gate.factors.enrol_totp(who)
    right = code(made.secret, here.now)
    found = race(how, here, lambda gate, n: gate.factors.confirm_totp(who, made.factor_id, right))

    assert _won(found, Factor) == 1
    assert len(here.gate.factors.list(who)) == 1


@pytest.mark.requirement("X-07")
def test_a_factor_that_is_removed_opens_nothing_afterwards(how: str) -> None:
    """Removing the authenticator while its code is being answered: what was minted before is dead after."""
    for _ in range(5):
        here = real_world(actions=_ENROLLING)
        here.made = {  # type: ignore[attr-defined]
            "actions": _ENROLLING,
            "verifiers": [Password(check=_right), TOTP(), EmailCode(mailer=here.outbox), RecoveryCode()],
            "secret": "an engine test secret, never a real one: 0123456789",
        }
        secret = enrolled_totp(here, CONTEXT)
        totp = next(factor.id for factor in here.gate.factors.list(CONTEXT) if factor.method == "totp")
        here.clock.advance(60)
        here.prove(REMOVE, CONTEXT, "totp", code(secret, here.now), resource=Resource("factor", totp))
        here.clock.advance(60)
        challenge = here.start("x")
        right = code(secret, here.now)

        def work(gate: Any, n: int) -> Any:
            if n == 1:
                return gate.factors.remove(CONTEXT, totp)  # noqa: B023
            return gate.verify(challenge.id, "totp", right, CONTEXT)  # noqa: B023

        found = race(how, here, work, 4)
        assert found[1] is True
        for one in found:
            if isinstance(one, Verified):
                assert not here.allows("x", token=one.token)
        assert not here.allows("x")


@pytest.mark.requirement("X-08")
def test_a_challenge_never_accepts_less_than_what_is_enrolled(how: str) -> None:
    """Starting while a stronger factor is being confirmed: a challenge that came after asks for the stronger one."""
    for _ in range(5):
        here = real_world(actions=_ENROLLING)
        here.made = {  # type: ignore[attr-defined]
            "actions": _ENROLLING,
            "verifiers": [Password(check=_right), TOTP(), EmailCode(mailer=here.outbox), RecoveryCode()],
            "secret": "an engine test secret, never a real one: 0123456789",
        }
        secret = enrolled_totp(here, CONTEXT)
        here.clock.advance(60)
        here.prove(
            ADD,
            CONTEXT,
            "totp",
            code(secret, here.now),
            resource=Resource("factors", ACTOR.id),
            params={"method": "totp"},
        )
        made = here.gate.factors.enrol_totp(CONTEXT)
        right = code(made.secret, here.now)

        def work(gate: Any, n: int) -> Any:
            if n == 1:
                return gate.factors.confirm_totp(CONTEXT, made.factor_id, right)  # noqa: B023
            return gate.start("x", CONTEXT, resource=Resource("r", str(n)))

        for one in race(how, here, work, 6):
            if isinstance(one, Challenge):
                found = here.gate.verify(one.id, "password", PASSWORD, CONTEXT)
                assert isinstance(found, Rejected)
