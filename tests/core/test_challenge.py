"""The challenge's state machine: every pair of state and input, and every moment that matters."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from core_values import BINDING, NOW, proof, seconds
from hypothesis import given
from hypothesis import strategies as st

from stepup.challenge import (
    TRANSITIONS,
    Challenge,
    FactorRef,
    Input,
    Preparation,
    State,
    advance,
    lifetime,
    observed,
    prepare,
    prove,
    reject,
    reserve,
    unprepare,
)

CHALLENGE = Challenge(
    id="stepup_1",
    binding=BINDING,
    level=4,
    rules="rules",
    allowed=("passkey", "totp", "password"),
    factors=(FactorRef("totp:1", "totp", 30), FactorRef("password:1", "password", 20)),
    strongest=30,
    epochs=(1, 1),
    fence=1,
    created_at=NOW,
    expires_at=NOW + seconds(300),
    max_attempts=5,
)
OPEN_IDS = frozenset({"stepup_1", "stepup_2"})


def in_state(state: State) -> Challenge:
    return replace(CHALLENGE, state=state)


# -- the table ----------------------------------------------------------------------------

EXPECTED = {
    Input.BEGIN: State.OPEN,
    Input.ATTEMPT: State.OPEN,
    Input.REJECT: State.OPEN,
    Input.EXHAUST: State.FAILED,
    Input.PROVE_PART: State.OPEN,
    Input.PROVE: State.VERIFIED,
    Input.APPROVE: State.OPEN,
    Input.DENY: State.DENIED,
    Input.CANCEL: State.CANCELLED,
    Input.EXPIRE: State.EXPIRED,
    Input.SUPERSEDE: State.SUPERSEDED,
}
"""What each input does to an open challenge, written down a second time. Every other state is final."""


@pytest.mark.requirement("C-01", "C-07", "C-09")
@pytest.mark.parametrize(("state", "given_input"), list(itertools.product(State, Input)))
def test_every_pair(state: State, given_input: Input) -> None:
    """Each of the 77 pairs does what the table says, and absence means refuse: nothing leaves a final state."""
    expected = EXPECTED[given_input] if state is State.OPEN else None

    after = advance(in_state(state), given_input)

    assert TRANSITIONS.get((state, given_input)) is expected
    assert (None if after is None else after.state) is expected
    if after is not None:
        assert replace(after, state=state) == in_state(state)


def test_the_table_has_no_other_pairs() -> None:
    """There are eleven transitions, all from the open state, and every state but the open one is reached."""
    assert len(TRANSITIONS) == 11
    assert {state for state, _ in TRANSITIONS} == {State.OPEN}
    assert set(TRANSITIONS.values()) == set(State)
    assert set(EXPECTED) == set(Input)


@pytest.mark.requirement("C-01")
@given(st.lists(st.sampled_from(list(Input)), max_size=12))
def test_any_sequence_of_inputs(inputs: list[Input]) -> None:
    """Whatever happens in whatever order: after the first final state nothing moves any more."""
    challenge, ended = CHALLENGE, False
    for one in inputs:
        after = advance(challenge, one)
        assert (after is None) is ended
        challenge = after or challenge
        ended = challenge.state is not State.OPEN


# -- what the clock and the list of open challenges say ---------------------------------------


@pytest.mark.requirement("C-06")
@pytest.mark.parametrize(
    ("at", "state"),
    [(-1, State.OPEN), (0, State.OPEN), (299, State.OPEN), (299.999999, State.OPEN), (300, State.EXPIRED),
     (301, State.EXPIRED), (10**6, State.EXPIRED)],
)  # fmt: skip
def test_expiry_to_the_second(at: float, state: State) -> None:
    """Good until just before its end, expired at its end and after."""
    assert observed(CHALLENGE, OPEN_IDS, NOW + seconds(at)).state is state


@pytest.mark.parametrize("open_ids", [frozenset[str](), frozenset({"stepup_2"})])
def test_not_being_listed_is_being_superseded(open_ids: frozenset[str]) -> None:
    """A newer challenge for the same binding took the slot, so this one is over."""
    assert observed(CHALLENGE, open_ids, NOW).state is State.SUPERSEDED
    assert observed(CHALLENGE, open_ids, NOW + seconds(300)).state is State.SUPERSEDED


@pytest.mark.parametrize("state", [state for state in State if state is not State.OPEN])
def test_a_final_state_stays_whatever_the_clock_says(state: State) -> None:
    """A verified challenge does not become expired, and nothing becomes open again."""
    for open_ids, at in itertools.product((OPEN_IDS, frozenset[str]()), (0, 300, 10**6)):
        assert observed(in_state(state), open_ids, NOW + seconds(at)) is in_state(state) or (
            observed(in_state(state), open_ids, NOW + seconds(at)) == in_state(state)
        )


# -- attempts ---------------------------------------------------------------------------------


@pytest.mark.requirement("C-07")
def test_five_answers_and_no_sixth() -> None:
    """Each answer is counted before it is looked at; the fifth wrong one ends it, and no sixth is taken."""
    challenge = CHALLENGE
    for number in range(1, 6):
        assert challenge.attempts_left == 6 - number
        reserved = reserve(challenge)
        assert reserved is not None
        assert (reserved.attempts, reserved.state) == (number, State.OPEN)
        rejected = reject(reserved)
        assert rejected is not None
        assert rejected.state is (State.FAILED if number == 5 else State.OPEN)
        challenge = rejected

    assert challenge.attempts_left == 0
    assert reserve(challenge) is None
    assert reject(challenge) is None
    assert prove(challenge, proof(), complete=True) is None


@pytest.mark.requirement("C-07", "X-02")
def test_no_answer_beyond_the_limit_is_reserved_even_while_open() -> None:
    """Five answers under way at once: a sixth is refused though none of them was judged yet."""
    challenge = replace(CHALLENGE, attempts=5)

    assert challenge.state is State.OPEN
    assert reserve(challenge) is None
    assert replace(CHALLENGE, attempts=7).attempts_left == 0


def test_the_fifth_answer_may_be_the_right_one() -> None:
    """The last reserved answer still proves."""
    challenge = prove(replace(CHALLENGE, attempts=5), proof(), complete=True, grant_id="grant_1")

    assert challenge is not None
    assert (challenge.state, challenge.grant_id) == (State.VERIFIED, "grant_1")


@pytest.mark.requirement("C-09")
@pytest.mark.parametrize("state", [state for state in State if state is not State.OPEN])
def test_nothing_happens_to_a_challenge_that_is_over(state: State) -> None:
    """No answer is counted, judged, proved or prepared."""
    challenge = in_state(state)

    assert reserve(challenge) is None
    assert reject(challenge) is None
    assert prove(challenge, proof(), complete=True) is None
    assert prove(challenge, proof(), complete=False) is None
    assert prepare(challenge, "email_code", Preparation(at=NOW), sent=True) is None


# -- proofs -------------------------------------------------------------------------------------


def test_parts_add_up() -> None:
    """A part leaves it open with its proof kept; the last part closes it, with all of them."""
    part = prove(CHALLENGE, proof("password", strength=20), complete=False)
    assert part is not None
    assert (part.state, part.grant_id) == (State.OPEN, None)
    done = prove(part, proof("totp"), complete=True, grant_id="grant_1")

    assert done is not None
    assert (done.state, done.grant_id) == (State.VERIFIED, "grant_1")
    assert [one.method for one in done.proofs] == ["password", "totp"]


@pytest.mark.requirement("C-07")
def test_a_right_part_costs_no_answer_and_gives_none_back() -> None:
    """Proving one part, as often as one likes, neither uses up the answers nor forgives a wrong one."""
    challenge = replace(CHALLENGE, attempts=3)
    for _ in range(9):
        reserved = reserve(challenge)
        assert reserved is not None
        part = prove(reserved, proof("password"), complete=False)
        assert part is not None
        challenge = part

    assert challenge.attempts == 3
    none_reserved = prove(CHALLENGE, proof(), complete=False)
    assert none_reserved is not None
    assert none_reserved.attempts == 0


@pytest.mark.requirement("G-11")
def test_proving_a_method_again_replaces_its_proof() -> None:
    """Two codes from one authenticator are one factor, so they never add up to two."""
    once = prove(CHALLENGE, proof("totp", age=30), complete=False)
    assert once is not None
    twice = prove(once, proof("totp"), complete=False)

    assert twice is not None
    assert twice.proofs == (proof("totp"),)


# -- preparations ----------------------------------------------------------------------------------


@pytest.mark.requirement("C-08", "E-03")
def test_the_newest_code_replaces_the_older_and_the_count_stays() -> None:
    """Sending again takes the old code away, gives the new one another number, and forgives no wrong answer."""
    tried = replace(CHALLENGE, attempts=4)
    first = prepare(tried, "email_code", Preparation(at=NOW, state={"digest": "one"}), sent=True)
    assert first is not None
    second = prepare(first, "email_code", Preparation(at=NOW + seconds(60), state={"digest": "two"}), sent=True)

    assert second is not None
    assert second.attempts == 4
    assert second.sends == 2
    assert second.prepared["email_code"].state == {"digest": "two"}
    assert second.prepared["email_code"].serial > first.prepared["email_code"].serial


def test_methods_are_prepared_apart() -> None:
    """Preparing a passkey neither drops nor counts as a mailed code."""
    mailed = prepare(CHALLENGE, "email_code", Preparation(at=NOW), sent=True)
    assert mailed is not None
    both = prepare(mailed, "passkey", Preparation(at=NOW), sent=False)

    assert both is not None
    assert set(both.prepared) == {"email_code", "passkey"}
    assert both.sends == 1
    assert CHALLENGE.prepared == {}


@pytest.mark.requirement("Y-06")
def test_a_failed_delivery_is_as_if_nothing_was_sent() -> None:
    """The preparation and its count go; a number used once is never used again."""
    mailed = prepare(CHALLENGE, "email_code", Preparation(at=NOW), sent=True)
    assert mailed is not None

    undone = unprepare(mailed, "email_code")
    again = prepare(undone, "email_code", Preparation(at=NOW), sent=True)

    assert (undone.prepared, undone.sends) == ({}, 0)
    assert again is not None
    assert again.prepared["email_code"].serial > mailed.prepared["email_code"].serial


@pytest.mark.requirement("Z-08", "E-03")
def test_a_challenge_shows_neither_params_nor_preparations() -> None:
    """Printing one shows no digest of a code and no transaction data."""
    prepared = prepare(
        replace(CHALLENGE, params='{"iban":"GB33BUKB2020"}'),
        "email_code",
        Preparation(at=NOW, state={"digest": "secretdigest"}),
        sent=True,
    )

    for text in (repr(prepared), repr(prepared.prepared if prepared else None)):
        assert "secretdigest" not in text
        assert "GB33BUKB2020" not in text


@given(st.integers(0, 86400))
def test_lifetimes_are_seconds(length: int) -> None:
    """A lifetime ends so many seconds after its beginning."""
    assert lifetime(NOW, length) - NOW == timedelta(seconds=length)
