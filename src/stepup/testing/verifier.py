"""``VerifierContract``: the tests that prove a verifier, for whoever writes one.

Subclass it in a test module, override ``verifier`` and ``right_response``, and let pytest collect it::

    class TestMyVerifier(VerifierContract):
        @pytest.fixture
        def verifier(self) -> object:
            return MyVerifier(...)

        def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
            return "the answer that must be accepted"

A verifier whose factors the store keeps overrides ``stored`` too. Every test runs on both faces; a verifier
with async methods or hooks must be refused by the sync one, and is then proved on the async one alone.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from stepup._bridge import offloading_call
from stepup._wrapped import async_verifier, sync_verifier
from stepup.challenge import FactorRef
from stepup.context import Proof
from stepup.errors import WrongColour
from stepup.factor import Factor, StoredFactor
from stepup.ports import AsyncVerifier, Begun, Ceremony, Checked, State, Stored, Verdict

from .bench import ACTOR, NEVER_RIGHT, Bench, ceremony


class VerifierContract:
    """Proves a verifier. Override ``verifier`` and ``right_response``; see the module's docstring.

    Attributes:
        single_use: whether a right response is good once. Set it to False for what the person knows by
            heart and gives again, such as a password.
        never_right: responses that must not be accepted; extend it with the verifier's own near misses.
    """

    single_use: bool = True
    never_right: Sequence[object] = NEVER_RIGHT

    @pytest.fixture
    def verifier(self) -> object:
        """The verifier to prove: sync, async or portable."""
        raise NotImplementedError("Override the verifier fixture.")

    def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
        """The response that must be accepted after *begun*, whose ``deliver`` has been called."""
        raise NotImplementedError("Override right_response().")

    def stored(self) -> Sequence[StoredFactor]:
        """The records behind its factors, sealed by ``VAULT`` for ``ACTOR``; none for application-owned ones."""
        return ()

    def refs(self, verifier: AsyncVerifier, enrolled: Sequence[Factor] | Stored) -> Sequence[FactorRef]:
        """The factors that count in the tests: those enrolled, or those stored."""
        if isinstance(enrolled, Stored):
            return [FactorRef(one.id, one.method, verifier.strength) for one in self.stored()]
        return [
            FactorRef(f.id, f.method, verifier.strength if f.strength is None else f.strength, stands_for=f.stands_for)
            for f in enrolled
        ]

    @pytest.fixture(params=["sync", "async"])
    def bench(self, request: pytest.FixtureRequest, verifier: object) -> Bench:
        """One face and a ceremony."""
        face: str = request.param
        try:
            bound = sync_verifier(verifier) if face == "sync" else async_verifier(verifier, offloading_call())
        except WrongColour:
            if face == "async":
                raise
            pytest.skip("the sync face refuses it, as it must: proved on the async face")
        bare = Bench(face, bound, ceremony(()))
        enrolled = bare.run(bound.enrolled(ACTOR))
        return Bench(face, bound, ceremony(self.refs(bound, enrolled), self.stored()))

    def _answered(self, bench: Bench) -> tuple[Begun, object]:
        begun = bench.begin()
        if begun.deliver is not None:
            result = begun.deliver()
            if asyncio.iscoroutine(result):
                asyncio.run(result)
        return begun, self.right_response(begun, bench.ceremony)

    def _state(self, bench: Bench, begun: Begun) -> State | None:
        return begun.state if bench.verifier.prepares else None

    # -- what it says of itself ---------------------------------------------------

    def test_attributes_are_sane(self, bench: Bench) -> None:
        """Its attributes have the types and ranges of the port."""
        verifier = bench.verifier
        assert isinstance(verifier.method, str)
        assert 0 < len(verifier.method) <= 64
        assert isinstance(verifier.strength, int)
        assert verifier.strength >= 0
        assert isinstance(verifier.amr, tuple)
        assert all(type(value) is str and value != "" for value in verifier.amr)
        assert type(verifier.points) is int
        assert verifier.points >= 0
        assert type(verifier.prepares) is bool
        assert type(verifier.phishing_resistant) is bool

    def test_enrolled_describes_factors(self, bench: Bench) -> None:
        """``enrolled`` answers ``STORED``, or factors of this method with distinct ids and no fingerprint."""
        enrolled = bench.run(bench.verifier.enrolled(ACTOR))
        if isinstance(enrolled, Stored):
            assert self.stored(), "override stored(): the store keeps the factors of this verifier"
            return
        assert len({factor.id for factor in enrolled}) == len(enrolled) > 0
        for factor in enrolled:
            assert factor.method == bench.verifier.method
            assert factor.fingerprint is None, "a verifier gives material; the fingerprint is the engine's"
            assert factor.strength is None or factor.strength <= bench.verifier.strength

    # -- begin ----------------------------------------------------------------------

    def test_begin_leaves_json_and_no_secret(self, bench: Bench) -> None:
        """The state survives JSON, and neither it nor the prompt shows the answer."""
        begun, right = self._answered(bench)
        assert begun.prompt.method == bench.verifier.method
        assert json.loads(json.dumps(dict(begun.state))) == dict(begun.state)
        for secret in _secrets(right):
            assert all(secret not in str(value) for value in begun.state.values())
            assert secret not in repr(begun)

    # -- the right answer -------------------------------------------------------------

    def test_right_response_is_accepted(self, bench: Bench) -> None:
        """The right answer is accepted, with a proof of this method, now, no stronger than its factor."""
        begun, right = self._answered(bench)
        before = copy.deepcopy(dict(begun.state))
        checked = bench.check(self._state(bench, begun), right)
        assert checked.verdict is Verdict.ACCEPTED
        assert isinstance(checked.proof, Proof)
        _sane_proof(bench, checked.proof)
        assert all(name.isascii() and 0 < len(name) <= 192 for name in checked.claims)
        if checked.advance is not None:
            assert checked.advance.method == bench.verifier.method
            assert checked.advance.id == checked.proof.factor_id
        assert dict(begun.state) == before, "check() changed the state it was given"

    def test_nothing_shows_the_response(self, bench: Bench) -> None:
        """No repr and no claim holds the answer."""
        begun, right = self._answered(bench)
        checked = bench.check(self._state(bench, begun), right)
        for secret in _secrets(right):
            assert secret not in repr(checked)
            assert secret not in repr(bench.verifier)
            assert secret not in repr(checked.claims)

    def test_replay_does_not_pass(self, bench: Bench) -> None:
        """The same answer again is refused, or collides on a claim (unless ``single_use`` is off)."""
        begun, right = self._answered(bench)
        first = bench.check(self._state(bench, begun), right)
        second = bench.check(self._state(bench, begun), right, bench.after(first))
        if self.single_use:
            assert second.verdict is not Verdict.ACCEPTED or set(first.claims) & set(second.claims)
        else:
            assert second.verdict is Verdict.ACCEPTED

    def test_nothing_passes_without_a_factor(self, bench: Bench) -> None:
        """The right answer is refused where no factor counts."""
        begun, right = self._answered(bench)
        checked = bench.check(self._state(bench, begun), right, replace(bench.ceremony, factors=()))
        _refused(checked, right)

    # -- preparation --------------------------------------------------------------------

    def test_preparation_is_needed_and_newest_only(self, bench: Bench) -> None:
        """Without its own preparation, or with another or a damaged one, the right answer is refused."""
        begun, right = self._answered(bench)
        if not bench.verifier.prepares:
            assert bench.check(None, right).verdict is Verdict.ACCEPTED
            return
        _refused(bench.check(None, right), right)
        other = replace(bench.ceremony.challenge, id="stepup_contract_2")
        _refused(bench.check(begun.state, right, replace(bench.ceremony, challenge=other)), right)
        for damaged in _damaged(begun.state):
            _refused(bench.check(damaged, right), damaged)

    # -- every other answer -----------------------------------------------------------------

    def test_bad_responses_are_refused_without_raising(self, bench: Bench) -> None:
        """Every other answer is a refusal, never an exception, and changes nothing."""
        begun, right = self._answered(bench)
        state = self._state(bench, begun)
        for response in (*self.never_right, *_near(right)):
            before = repr(response)
            _refused(bench.check(state, response), response)
            assert repr(response) == before, "check() changed the response"
        assert bench.check(state, right).verdict is Verdict.ACCEPTED, "a bad response changed the verifier"


def _sane_proof(bench: Bench, proof: Proof) -> None:
    refs = {ref.id: ref for ref in bench.ceremony.factors}
    assert proof.method == bench.verifier.method
    assert proof.at == bench.ceremony.now
    assert set(proof.amr) <= set(bench.verifier.amr)
    assert proof.factor_id in refs
    assert 0 <= proof.strength <= refs[proof.factor_id].strength, "stronger than the factor it was made with"
    assert proof.stands_for == refs[proof.factor_id].stands_for


def _refused(checked: object, given: object) -> None:
    assert isinstance(checked, Checked), given
    assert checked.verdict is Verdict.REJECTED or checked.verdict is Verdict.REPLAYED, given
    assert checked.proof is None
    assert checked.advance is None
    assert checked.material is None
    assert checked.claims == ()


def _near(right: object) -> list[object]:
    """What is almost *right*, and must not be accepted for it."""
    wrapped: list[object] = [[right], {"response": right}, (right, right)]
    if not isinstance(right, str):
        return wrapped
    return [
        *wrapped,
        right.encode(),
        right[:-1],
        right + right,
        right + "\n",
        "\u00a0" + right,
        right + "7",
        right + "\0",
    ]


def _secrets(right: object) -> list[str]:
    if not isinstance(right, str) or len(right) < 4:
        return []
    return list({right, right.replace(" ", "").replace("-", "")})


def _damaged(state: State) -> list[Mapping[str, str | int | bool]]:
    """States that no ``begin`` left."""
    wrong: tuple[str | int | bool, ...] = ("", "0.0", "\u00e9.\u00e9", 0, -1, True)
    replaced = [dict.fromkeys(state, value) for value in wrong]
    return [{}, *replaced, *({name: value for name, value in state.items() if name != gone} for gone in state)]
