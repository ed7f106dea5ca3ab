"""Every shipped verifier keeps the contract, hooks of either colour; and the contract catches those that do not."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from passkey_values import ORIGIN, enrolled, passkeys
from verifier_values import CHEAP, bench_for

from stepup.challenge import Challenge, FactorRef
from stepup.context import Actor, Proof
from stepup.factor import Factor, StoredFactor
from stepup.keys import Vault
from stepup.mailers import AsyncOutbox, Outbox
from stepup.ports import REJECTED, AsyncVerifier, Begun, Ceremony, Checked, Prompt, State, Stored, Verdict
from stepup.requirement import Strength
from stepup.testing import SoftPasskey
from stepup.testing.bench import ACTOR, NOW, VAULT, Bench, ceremony
from stepup.testing.scripted import ScriptedVerifier
from stepup.testing.verifier import VerifierContract
from stepup.verifiers import TOTP, EmailCode, Password, RecoveryCode
from stepup.verifiers._secret import Parameters, code_at
from stepup.verifiers.recovery_code import new_codes
from stepup.verifiers.totp import new_totp

PHRASE = "correct horse battery staple"
HASH = CHEAP.hash(PHRASE)
KEY = b"12345678901234567890"
CODE = code_at(KEY, int(NOW.timestamp()) // 30, Parameters())


class TestPasswordCheck(VerifierContract):
    single_use = False

    @pytest.fixture
    def verifier(self) -> object:
        return Password(check=lambda actor, password: password == PHRASE)

    def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
        return PHRASE


class TestPasswordAsyncCheck(TestPasswordCheck):
    @pytest.fixture
    def verifier(self) -> object:
        async def check(actor: Actor, password: str) -> bool:
            await asyncio.sleep(0)
            return password == PHRASE

        return Password(check=check)


class TestPasswordHash(TestPasswordCheck):
    @pytest.fixture
    def verifier(self) -> object:
        return Password(hash_of=lambda actor: HASH, hasher=CHEAP)


class TestStoredTOTP(VerifierContract):
    @pytest.fixture
    def verifier(self) -> object:
        return TOTP()

    def stored(self) -> Sequence[StoredFactor]:
        return [new_totp("totp_1", VAULT, actor=ACTOR, secret=KEY)[0], new_totp("totp_2", VAULT, actor=ACTOR)[0]]

    def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
        return CODE


class TestHookedTOTP(VerifierContract):
    @pytest.fixture
    def verifier(self) -> object:
        return TOTP(secret_of=lambda actor: KEY)

    def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
        return f"{CODE[:3]} {CODE[3:]}"


class TestEmailCode(VerifierContract):
    @pytest.fixture
    def verifier(self) -> object:
        self.outbox: Outbox | AsyncOutbox = Outbox()
        return EmailCode(mailer=self.outbox)

    def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
        return self.outbox.code()


class TestAsyncEmailCode(TestEmailCode):
    @pytest.fixture
    def verifier(self) -> object:
        self.outbox = AsyncOutbox()
        return EmailCode(mailer=self.outbox)


class TestRecoveryCode(VerifierContract):
    @pytest.fixture
    def verifier(self) -> object:
        self.set, self.codes = new_codes("recovery_1", VAULT, actor=ACTOR)
        return RecoveryCode()

    def stored(self) -> Sequence[StoredFactor]:
        return [self.set]

    def refs(self, verifier: AsyncVerifier, enrolled: Sequence[Factor] | Stored) -> Sequence[FactorRef]:
        return [FactorRef("recovery_1", "recovery_code", Strength.TOTP, stands_for="totp")]

    def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
        return self.codes[7]


class TestPasskey(VerifierContract):
    @pytest.fixture
    def verifier(self) -> object:
        made = passkeys()
        self.device = SoftPasskey(ORIGIN)
        self.records = [enrolled(made, self.device).factor, enrolled(made, SoftPasskey(ORIGIN), "passkey_2").factor]
        return made

    def stored(self) -> Sequence[StoredFactor]:
        return self.records

    def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
        return self.device.get(begun.prompt.options)


class TestCountingPasskey(TestPasskey):
    @pytest.fixture
    def verifier(self) -> object:
        made = passkeys(user_verification="preferred", counter="refuse")
        self.device = SoftPasskey(ORIGIN, algorithm="EdDSA", synced=False, count=7)
        self.records = [enrolled(made, self.device).factor]
        return made


class TestScripted(VerifierContract):
    @pytest.fixture
    def verifier(self) -> object:
        return ScriptedVerifier("my_method", answer="open sesame", prepares=True, claim="mine.1")

    def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
        return "open sesame"


# -- what is broken is caught ------------------------------------------------------------------

RIGHT = "open sesame"


class Good:
    """A small verifier that keeps the contract; the broken ones below change one thing each."""

    method = "mine"
    strength: int = 20
    amr: Any = ("user",)
    phishing_resistant = False
    points: Any = 0
    prepares = True

    def enrolled(self, actor: Actor, /) -> Any:
        return (Factor("mine", "mine"),)

    def begin(self, challenge: Challenge, context: Ceremony, /) -> Any:
        digest = context.vault.digest("mine", challenge.id.encode())
        return Begun(Prompt("mine"), {"for": digest})

    def check(self, state: State | None, response: object, context: Ceremony, /) -> Any:
        stated = None if state is None else state.get("for")
        if not isinstance(stated, str) or not context.factors or response != RIGHT:
            return REJECTED
        if not context.vault.matches(stated, "mine", context.challenge.id.encode()):
            return REJECTED
        return Checked(Verdict.ACCEPTED, self.proof(context), claims=("mine.1",))

    def proof(self, context: Ceremony) -> Proof:
        return Proof("mine", context.now, ("user",), factor_id="mine", strength=20)


class GoodContract(VerifierContract):
    """The contract, for the verifiers of this section."""

    def right_response(self, begun: Begun, ceremony: Ceremony) -> object:
        return RIGHT


def proving(**changes: Any) -> Callable[[Good], None]:
    """A flaw: proofs with these values."""

    def flaw(verifier: Good) -> None:
        original = verifier.proof
        verifier.proof = lambda context: replace(original(context), **changes)  # type: ignore[method-assign]

    return flaw


def checking(change: Callable[[Callable[..., Checked], State | None, Any, Ceremony], Any]) -> Callable[[Good], None]:
    """A flaw: ``check`` as *change* makes it of the right one."""

    def flaw(verifier: Good) -> None:
        original = verifier.check
        verifier.check = lambda state, response, context: change(original, state, response, context)  # type: ignore[method-assign]

    return flaw


def having(**changes: Any) -> Callable[[Good], None]:
    """A flaw: attributes or methods replaced."""

    def flaw(verifier: Good) -> None:
        for name, value in changes.items():
            setattr(verifier, name, value)

    return flaw


def tampering(check: Callable[..., Checked], state: State | None, response: Any, context: Ceremony) -> Checked:
    if isinstance(response, list):
        response.clear()
    return check(state, response, context)


def forgetting(check: Callable[..., Checked], state: State | None, response: Any, context: Ceremony) -> Checked:
    if state is not None:
        state.clear()  # type: ignore[attr-defined]
    return Checked(Verdict.ACCEPTED, Good().proof(context), claims=("x",)) if response == RIGHT else REJECTED


def unbound(check: Callable[..., Checked], state: State | None, response: Any, context: Ceremony) -> Checked:
    return check(
        None if state is None else {"for": context.vault.digest("mine", context.challenge.id.encode())},
        response,
        context,
    )


FLAWS: dict[str, tuple[Callable[[Good], None], str]] = {
    "raises on bytes": (checking(lambda c, s, r, x: c(s, r.encode() and r, x)), "test_bad_responses"),
    "accepts bytes": (checking(lambda c, s, r, x: c(s, RIGHT if r == RIGHT.encode() else r, x)), "test_bad_responses"),
    "accepts a list": (
        checking(lambda c, s, r, x: c(s, r[0] if isinstance(r, list) and r else r, x)),
        "test_bad_responses",
    ),
    "cuts long input": (
        checking(lambda c, s, r, x: c(s, r[: len(RIGHT)] if isinstance(r, str) else r, x)),
        "test_bad_responses",
    ),
    "strips input": (
        checking(lambda c, s, r, x: c(s, r.strip() if isinstance(r, str) else r, x)),
        "test_bad_responses",
    ),
    "accepts a prefix": (
        checking(lambda c, s, r, x: c(s, RIGHT if isinstance(r, str) and len(r) > 9 and RIGHT.startswith(r) else r, x)),
        "test_bad_responses",
    ),
    "accepts nothing at all": (checking(lambda c, s, r, x: c(s, r or RIGHT, x)), "test_bad_responses"),
    "changes the response": (checking(tampering), "test_bad_responses"),
    "answers a bool": (checking(lambda c, s, r, x: c(s, r, x).verdict is Verdict.ACCEPTED), "test_right_response"),
    "gives a proof with a refusal": (
        checking(lambda c, s, r, x: replace(c(s, r, x), proof=Good().proof(x))),
        "test_bad_responses",
    ),
    "gives no proof": (checking(lambda c, s, r, x: replace(c(s, r, x), proof=None)), "test_right_response"),
    "changes its state": (checking(forgetting), "test_right_response"),
    "can be replayed": (checking(lambda c, s, r, x: replace(c(s, r, x), claims=())), "test_replay"),
    "shows the answer in a claim": (
        checking(lambda c, s, r, x: c(s, r, x) if r != RIGHT else replace(c(s, r, x), claims=(RIGHT,))),
        "test_nothing_shows",
    ),
    "claims a name no store takes": (
        checking(lambda c, s, r, x: c(s, r, x) if r != RIGHT else replace(c(s, r, x), claims=("é",))),
        "test_right_response",
    ),
    "needs no preparation after all": (
        checking(lambda c, s, r, x: c(s or Good().begin(x.challenge, x).state, r, x)),
        "test_preparation",
    ),
    "answers another challenge": (checking(unbound), "test_preparation"),
    "needs no factor": (
        checking(lambda c, s, r, x: c(s, r, replace(x, factors=x.factors or x.challenge.factors))),
        "test_nothing_passes",
    ),
    "proves another method": (proving(method="passkey"), "test_right_response"),
    "proves in the past": (proving(at=NOW - timedelta(seconds=1)), "test_right_response"),
    "proves too strongly": (proving(strength=50), "test_right_response"),
    "names no factor": (proving(factor_id=None), "test_right_response"),
    "names another factor": (proving(factor_id="passkey_1"), "test_right_response"),
    "claims more amr than it says": (proving(amr=("user", "mfa")), "test_right_response"),
    "stands for something": (proving(stands_for="passkey"), "test_right_response"),
    "has a list of amr": (having(amr=["user"]), "test_attributes"),
    "has boolean points": (having(points=True), "test_attributes"),
    "has no name": (having(method=""), "test_attributes"),
    "prepares, perhaps": (having(prepares=1), "test_attributes"),
    "sets a fingerprint": (having(enrolled=lambda actor: (Factor("mine", "mine", fingerprint="x"),)), "test_enrolled"),
    "overstates a factor": (having(enrolled=lambda actor: (Factor("mine", "mine", strength=50),)), "test_enrolled"),
    "has a factor twice": (having(enrolled=lambda actor: (Factor("mine", "mine"),) * 2), "test_enrolled"),
    "keeps the answer in its state": (
        having(begin=lambda challenge, context: Begun(Prompt("mine"), {"for": RIGHT})),
        "test_begin",
    ),
    "shows the answer in its prompt": (
        having(begin=lambda challenge, context: Begun(Prompt("mine", sent_to=RIGHT))),
        "test_begin",
    ),
    "has a state that is no JSON": (
        having(begin=lambda challenge, context: Begun(Prompt("mine"), {"for": b"x"})),  # type: ignore[dict-item]
        "test_begin",
    ),
    "prompts for another method": (having(begin=lambda challenge, context: Begun(Prompt("totp"))), "test_begin"),
}


def failing(verifier: Good) -> set[str]:
    """The contract's tests that *verifier* does not pass on the sync face."""
    contract, failed = GoodContract(), set[str]()
    for name in (name for name in dir(contract) if name.startswith("test_")):
        bare = bench_for("sync", verifier, [])
        try:
            refs = contract.refs(bare.verifier, bare.run(bare.verifier.enrolled(ACTOR)))
            getattr(contract, name)(Bench("sync", bare.verifier, ceremony(refs)))
        except Exception:
            failed.add(name)
    return failed


def test_the_good_one_passes() -> None:
    assert failing(Good()) == set()


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_broken_verifier_is_caught(flaw: str) -> None:
    broken = Good()
    breaking, expected = FLAWS[flaw]
    breaking(broken)
    failed = failing(broken)
    assert any(name.startswith(expected) for name in failed), failed


def test_the_fixtures_must_be_overridden() -> None:
    contract = VerifierContract()
    with pytest.raises(NotImplementedError, match="right_response"):
        contract.right_response(Begun(Prompt("x")), ceremony(()))
    with pytest.raises(AssertionError, match=r"stored\(\)"):
        contract.test_enrolled_describes_factors(bench_for("sync", TOTP(), []))


# -- ScriptedVerifier ---------------------------------------------------------------------------------


def test_scripted_counts_and_obeys() -> None:
    scripted = ScriptedVerifier(answer=1)
    bench = bench_for("sync", scripted, [FactorRef("scripted", "scripted", 20)])
    assert [bench.check(None, given).verdict is Verdict.ACCEPTED for given in (1, True, 1.0, "1")] == [
        True,
        False,
        False,
        False,
    ]
    scripted.rejecting = True
    assert bench.check(None, 1) is REJECTED
    scripted.raising = ConnectionError("down")
    with pytest.raises(ConnectionError):
        bench.check(None, 1)
    bench.begin()
    assert (scripted.calls, scripted.begun, scripted.delivered) == (6, 1, 0)
    assert repr(scripted) == "ScriptedVerifier('scripted', calls=6)"


def test_scripted_counts_every_thread() -> None:
    scripted = ScriptedVerifier()
    bench = bench_for("async", scripted, [FactorRef("scripted", "scripted", 20)])

    async def many() -> list[Checked]:
        return await asyncio.gather(*(bench.verifier.check(None, "right", bench.ceremony) for _ in range(200)))

    checked = asyncio.run(many())
    assert all(one.verdict is Verdict.ACCEPTED for one in checked)
    assert scripted.calls == 200


def test_a_bound_copy_leaves_the_original_alone() -> None:
    outbox = Outbox()
    verifier = EmailCode(mailer=outbox)
    before = copy.copy(vars(verifier))
    bench_for("async", verifier, [])
    bench_for("sync", verifier, [])
    assert vars(verifier) == before
    assert isinstance(bench_for("sync", verifier, []).ceremony.vault, Vault)
