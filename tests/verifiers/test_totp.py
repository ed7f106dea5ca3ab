"""Authenticator codes: the RFCs' vectors, the window, strictly forward, and unreadable secrets."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verifier_values import accepted, at, bench_for, both_faces, later, rejected

from stepup._wrapped import sync_verifier
from stepup.challenge import FactorRef
from stepup.context import Actor
from stepup.errors import ConfigurationError, WrongColour
from stepup.factor import Factor, StoredFactor
from stepup.keys import KeyRing, Vault
from stepup.ports import STORED, Ceremony, Checked, Verdict
from stepup.testing.bench import ACTOR, NEVER_RIGHT, NOW, VAULT, Bench
from stepup.verifiers import TOTP, totp
from stepup.verifiers._secret import Parameters, code_at, decoded, encoded
from stepup.verifiers.totp import new_totp, totp_uri

KEY = b"12345678901234567890"
SEEDS = {"SHA1": KEY, "SHA256": (KEY * 2)[:32], "SHA512": (KEY * 4)[:64]}
RFC_4226 = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
RFC_6238 = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]
STEP = 1_000_000
REF = FactorRef("totp_1", "totp", 30)


def stored(key: bytes = KEY, factor_id: str = "totp_1", last: int = -1, **data: Any) -> StoredFactor:
    made, _, _ = new_totp(factor_id, VAULT, actor=ACTOR, secret=key, legacy_secrets=True)
    return replace(made, data={**made.data, "last_step": last, **data})


def at_step(step: int, factor: StoredFactor | None = None, face: str = "sync", **options: Any) -> Bench:
    """In the middle of *step*."""
    return bench_for(face, TOTP(**options), [REF], [factor or stored()], now=at(step * 30 + 15))


def code(step: int, key: bytes = KEY, parameters: Parameters | None = None) -> str:
    return code_at(key, step, parameters or Parameters())


# -- the RFCs' numbers, and pyotp's ----------------------------------------------------------


@pytest.mark.parametrize(("counter", "expected"), list(enumerate(RFC_4226)))
def test_rfc_4226_appendix_d(counter: int, expected: str) -> None:
    assert code(counter) == expected
    assert accepted(at_step(counter).check(None, expected))


@both_faces
@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
@pytest.mark.parametrize("row", RFC_6238, ids=lambda row: str(row[0]))
def test_rfc_6238_appendix_b(face: str, row: tuple[int, str, str, str], algorithm: str) -> None:
    seconds, expected = row[0], dict(zip(SEEDS, row[1:], strict=True))[algorithm]
    hooked = TOTP(secret_of=lambda actor: SEEDS[algorithm], digits=8, algorithm=algorithm)
    bench = bench_for(face, hooked, [FactorRef("totp", "totp", 30)], now=at(seconds))
    checked = bench.check(None, expected)
    assert accepted(checked)
    assert checked.advance is not None
    assert checked.advance.data == {"last_step": seconds // 30}
    assert rejected(bench.check(None, f"{(int(expected) + 1) % 10**8:08}"))
    kept = stored(SEEDS[algorithm], digits=8, algorithm=algorithm)
    assert accepted(bench_for(face, TOTP(), [REF], [kept], now=at(seconds)).check(None, expected))


@settings(max_examples=60)
@given(
    st.binary(min_size=16, max_size=64), st.integers(0, 2**36), st.sampled_from(["SHA1", "SHA256", "SHA512"]),
    st.sampled_from([6, 7, 8]), st.sampled_from([15, 30, 60]),
)  # fmt: skip
def test_pyotp_agrees(key: bytes, seconds: int, algorithm: str, digits: int, period: int) -> None:
    digest = {"SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}[algorithm]
    import hashlib

    oracle = pyotp.TOTP(encoded(key), digits=digits, digest=getattr(hashlib, digest), interval=period)
    assert code_at(key, seconds // period, Parameters(digits, period, algorithm)) == oracle.at(seconds)


# -- the window, and forward only -----------------------------------------------------------------


@both_faces
@pytest.mark.requirement("T-03")
@pytest.mark.parametrize(
    ("offset", "ahead", "passes"),
    [(-2, False, False), (-1, False, True), (0, False, True), (1, False, False), (2, False, False),
     (-2, True, False), (-1, True, True), (0, True, True), (1, True, True), (2, True, False)],
)  # fmt: skip
def test_this_step_and_the_one_before(face: str, offset: int, ahead: bool, passes: bool) -> None:
    checked = at_step(STEP, face=face, drift_ahead=ahead).check(None, code(STEP + offset))
    assert accepted(checked) is passes
    if passes:
        assert checked.advance is not None
        assert checked.advance.data["last_step"] == STEP + offset


@pytest.mark.requirement("T-03", "R-01")
@pytest.mark.parametrize(("ahead", "points"), [(False, 2), (True, 3)])
def test_a_try_costs_a_point_for_each_code_that_would_pass(ahead: bool, points: int) -> None:
    """A wider window is easier to guess, so the budget of the year pays for it."""
    bench = at_step(STEP, drift_ahead=ahead)
    right = [offset for offset in range(-5, 6) if accepted(bench.check(None, code(STEP + offset)))]
    assert TOTP(drift_ahead=ahead).points == points == len(right)


@pytest.mark.requirement("T-03")
@pytest.mark.parametrize(
    ("seconds", "passes"), [(-0.001, False), (0, True), (29.999, True), (30, True), (59.999999, True), (60, False)]
)
def test_a_code_lives_for_its_own_step_and_the_next(seconds: float, passes: bool) -> None:
    bench = at_step(STEP)
    moment = replace(bench.ceremony, now=at(STEP * 30) + (at(seconds) - at(0)))
    assert accepted(bench.check(None, code(STEP), moment)) is passes


@pytest.mark.requirement("T-07", "T-03")
@pytest.mark.parametrize("ahead", [False, True])
def test_nothing_moves_the_window(ahead: bool) -> None:
    """No resynchronisation: right codes of other steps are wrong, also in a row or two at once."""
    bench, given = at_step(STEP, drift_ahead=ahead), at_step(STEP).ceremony
    for offset in (*range(-60, -2), *range(2, 60)):
        pair = code(STEP + offset), code(STEP + offset + 1)
        if {code(STEP + near) for near in (-1, 0, 1)} & {*pair}:
            continue  # one in some 100 000 is the same six digits
        for response in (*pair, " ".join(pair), "".join(pair)):
            checked = bench.check(None, response, given)
            assert rejected(checked)
            assert checked.advance is None


@pytest.mark.requirement("T-07")
def test_codes_of_a_counter_open_nothing() -> None:
    """RFC 4226's, of the same secret: they say nothing of when they were made, so they are no fresh proof."""
    bench = at_step(STEP, drift_ahead=True)
    assert all(rejected(bench.check(None, one)) for one in RFC_4226)


@both_faces
@pytest.mark.requirement("T-01", "T-08")
def test_a_code_passes_once(face: str) -> None:
    bench = at_step(STEP, face=face)
    first = bench.check(None, code(STEP))
    assert accepted(first)
    again = bench.after(first)
    for seconds in (0, 10, 30):
        assert bench.check(None, code(STEP), later(again, seconds)) == Checked(Verdict.REPLAYED)
    assert rejected(bench.check(None, code(STEP), later(again, 60)))
    assert accepted(bench.check(None, code(STEP + 1), later(again, 30)))


@both_faces
@pytest.mark.requirement("T-02")
def test_an_earlier_code_does_not_pass_after_a_later_one(face: str) -> None:
    bench = at_step(STEP, face=face)
    after = bench.after(bench.check(None, code(STEP)))
    assert bench.check(None, code(STEP - 1), after) == Checked(Verdict.REPLAYED)
    ahead = at_step(STEP, stored(last=STEP + 5), face)
    for offset in (-1, 0):
        assert ahead.check(None, code(STEP + offset)).verdict is Verdict.REPLAYED


@pytest.mark.requirement("T-02")
@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-2, 2)), max_size=12))
def test_accepted_steps_only_ever_grow(tries: list[tuple[int, int]]) -> None:
    bench, now, last = at_step(STEP, drift_ahead=True), STEP, -1
    given = bench.ceremony
    for forward, offset in tries:
        now += forward
        given = replace(given, now=at(now * 30))
        checked = bench.check(None, code(now + offset), given)
        if accepted(checked):
            assert checked.advance is not None
            step = checked.advance.data["last_step"]
            assert isinstance(step, int)
            assert last < step == now + offset
            last, given = step, replace(given, stored={"totp_1": checked.advance})
        elif offset in {-1, 0, 1}:
            assert now + offset <= last


@pytest.mark.requirement("T-01")
def test_a_code_seen_by_any_factor_is_a_replay() -> None:
    twice = [stored(), stored(factor_id="totp_2")]
    bench = bench_for("sync", TOTP(), [REF, FactorRef("totp_2", "totp", 30)], twice, now=at(STEP * 30))
    first = bench.check(None, code(STEP))
    assert accepted(first)
    assert bench.check(None, code(STEP), bench.after(first)).verdict is Verdict.REPLAYED


@pytest.mark.requirement("T-01")
def test_two_steps_with_one_code_count_as_the_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totp, "code_at", lambda key, step, parameters: "111111")
    bench = at_step(STEP, drift_ahead=True)
    checked = bench.check(None, "111111")
    assert checked.advance is not None
    assert checked.advance.data["last_step"] == STEP + 1
    half = at_step(STEP, stored(last=STEP - 1))
    assert half.check(None, "111111").verdict is Verdict.REPLAYED


@pytest.mark.requirement("T-04")
def test_time_is_the_ceremonys_alone() -> None:
    bench = at_step(STEP)
    for response in ({"code": code(STEP + 9), "timestamp": (STEP + 9) * 30}, [code(STEP + 9), STEP + 9]):
        assert rejected(bench.check({"now": (STEP + 9) * 30}, response))
    assert rejected(bench.check({"now": (STEP + 9) * 30}, code(STEP + 9)))


def test_before_1970_nothing_breaks() -> None:
    assert rejected(bench_for("sync", TOTP(), [REF], [stored()], now=at(-90)).check(None, code(0)))


# -- which factor ------------------------------------------------------------------------------------


@both_faces
def test_the_factor_that_matched_is_named_and_moved(face: str) -> None:
    other = b"another secret, 20 b"
    pair = [stored(), stored(other, "totp_2")]
    bench = bench_for(face, TOTP(), [REF, FactorRef("totp_2", "totp", 30)], pair, now=at(STEP * 30))
    checked = bench.check(None, code(STEP, other))
    assert checked.proof is not None
    assert (checked.proof.factor_id, checked.proof.amr, checked.proof.strength) == ("totp_2", ("otp",), 30)
    assert checked.advance is not None
    assert checked.advance.data == {**pair[1].data, "last_step": STEP}
    assert pair[1].data["last_step"] == -1, "the record that was read has been changed"
    assert rejected(bench.check(None, code(STEP, other), replace(bench.ceremony, factors=(REF,))))


@pytest.mark.parametrize(
    "damage",
    [
        {"secret": "not sealed"}, {"secret": 7}, {"secret": ""}, {"last_step": "5"}, {"last_step": True},
        {"last_step": -2},
        {"digits": 5}, {"digits": "6"}, {"digits": True}, {"period": 0}, {"period": "30"},
        {"algorithm": "MD5"}, {"algorithm": 1},
        {"secret": VAULT.seal(KEY, where="somebody else's")}, {"secret": VAULT.seal(b"short",
        where="\0usr_2048\0totp_1")},
    ],
)  # fmt: skip
def test_a_damaged_factor_cannot_accept_and_does_not_raise(damage: Mapping[str, Any]) -> None:
    factor = stored()
    bench = at_step(STEP, replace(factor, data={**factor.data, **damage}))
    assert rejected(bench.check(None, code(STEP)))


@pytest.mark.parametrize("missing", ["secret", "last_step", "digits", "period", "algorithm"])
def test_an_incomplete_factor_cannot_accept(missing: str) -> None:
    factor = stored()
    data = {name: value for name, value in factor.data.items() if name != missing}
    assert rejected(at_step(STEP, replace(factor, data=data)).check(None, code(STEP)))


def test_a_sealed_secret_opens_for_its_person_factor_and_key_only() -> None:
    factor, refs = stored(), [REF, FactorRef("totp_2", "totp", 30)]
    copied = replace(factor, id="totp_2")
    now = at(STEP * 30)
    assert accepted(bench_for("sync", TOTP(), refs, [factor], now=now).check(None, code(STEP)))
    assert rejected(bench_for("sync", TOTP(), refs, [copied], now=now).check(None, code(STEP)))
    for other in (Actor("usr_1"), Actor(ACTOR.id, tenant="t_2")):
        assert rejected(bench_for("sync", TOTP(), refs, [factor], now=now, actor=other).check(None, code(STEP)))
    gone = Vault(KeyRing("another key ring altogether, 9f3b1c7d5e"))
    assert rejected(bench_for("sync", TOTP(), refs, [factor], now=now, vault=gone).check(None, code(STEP)))
    wrong = replace(factor, method="sms")
    assert rejected(bench_for("sync", TOTP(), refs, [wrong], now=now).check(None, code(STEP)))


@settings(max_examples=80)
@pytest.mark.requirement("T-06")
@given(st.one_of(st.sampled_from(NEVER_RIGHT), st.text(), st.binary(), st.integers(), st.lists(st.text())))
def test_bad_input_never_raises(given: object) -> None:
    assert rejected(at_step(STEP).check(None, given))


@both_faces
@pytest.mark.requirement("T-06")
@pytest.mark.parametrize("form", [" {}", "{} ", "{:.3} {:.0}", "-{}-"])
def test_separators_do_not_make_another_code(face: str, form: str) -> None:
    typed = form.replace("{:.3} {:.0}", f"{code(STEP)[:3]} {code(STEP)[3:]}").replace("{}", code(STEP))
    bench = at_step(STEP, face=face)
    checked = bench.check(None, typed)
    assert accepted(checked)
    assert bench.check(None, code(STEP), bench.after(checked)).verdict is Verdict.REPLAYED


def test_the_right_code_with_the_wrong_number_of_digits_is_refused() -> None:
    eight = stored(digits=8)
    assert accepted(at_step(STEP, eight).check(None, code(STEP, parameters=Parameters(8))))
    assert rejected(at_step(STEP, eight).check(None, code(STEP)))
    assert rejected(at_step(STEP).check(None, code(STEP, parameters=Parameters(8))))


# -- secrets the application keeps ----------------------------------------------------------------------


def hook(secret: object, face: str = "sync", kept: StoredFactor | None = None, **options: Any) -> Bench:
    def secret_of(actor: Actor) -> Any:
        return secret

    refs = [FactorRef("totp", "totp", 30)]
    return bench_for(face, TOTP(secret_of=secret_of, **options), refs, [kept] if kept else [], now=at(STEP * 30))


@both_faces
@pytest.mark.parametrize("secret", [encoded(KEY), encoded(KEY).lower(), KEY, "GEZD GNBV GY3T QOJQ-GEZD GNBV GY3T QOJQ"])
def test_a_secret_of_the_application(face: str, secret: str | bytes) -> None:
    bench = hook(secret, face)
    checked = bench.check(None, code(STEP))
    assert accepted(checked)
    assert checked.advance == StoredFactor("totp", "totp", {"last_step": STEP})
    assert checked.advance is not None
    assert checked.advance.data == {"last_step": STEP}
    assert bench.check(None, code(STEP), bench.after(checked)).verdict is Verdict.REPLAYED
    seen = hook(secret, face, StoredFactor("totp", "totp", {"last_step": STEP}))
    assert seen.check(None, code(STEP)).verdict is Verdict.REPLAYED
    (factor,) = bench.run(bench.verifier.enrolled(ACTOR))  # type: ignore[misc]
    assert isinstance(factor, Factor)
    assert (factor.id, factor.material, factor.usable) == ("totp", KEY, True)


@both_faces
@pytest.mark.parametrize(
    "secret",
    ["", "not base32!", "1", "A", "GEZDGNBV", 7, True, object(), [], b"", b"short", "ÄÄ", "x" * 4096, b"x" * 129],
)
def test_malformed_hook_output_cannot_accept(face: str, secret: object) -> None:
    bench = hook(secret, face)
    assert rejected(bench.check(None, code(STEP)))
    assert rejected(bench.check(None, "000000"))
    (factor,) = bench.run(bench.verifier.enrolled(ACTOR))  # type: ignore[misc]
    assert isinstance(factor, Factor)
    assert factor.usable is False, "unreadable still counts as enrolled"


def test_no_secret_means_no_factor() -> None:
    bench = hook(None)
    assert bench.run(bench.verifier.enrolled(ACTOR)) == ()
    assert rejected(bench.check(None, code(STEP)))
    stored_bench = at_step(STEP)
    assert stored_bench.run(stored_bench.verifier.enrolled(ACTOR)) is STORED


def test_a_damaged_step_record_cannot_accept() -> None:
    assert rejected(hook(KEY, kept=StoredFactor("totp", "totp", {})).check(None, code(STEP)))
    assert rejected(replace_refs(hook(KEY)).check(None, code(STEP)))


def replace_refs(bench: Bench) -> Bench:
    given: Ceremony = replace(bench.ceremony, factors=(REF,))
    return replace(bench, ceremony=given)


def test_async_hooks_are_for_the_async_face() -> None:
    async def secret_of(actor: Actor) -> str:
        return encoded(KEY)

    with pytest.raises(WrongColour, match="secret_of"):
        sync_verifier(TOTP(secret_of=secret_of))
    bench = bench_for("async", TOTP(secret_of=secret_of), [FactorRef("totp", "totp", 30)], now=at(STEP * 30))
    assert accepted(bench.check(None, code(STEP)))


# -- new and imported secrets ------------------------------------------------------------------------------


@pytest.mark.requirement("T-05")
def test_new_secrets_have_160_bits() -> None:
    made = [TOTP(issuer="Northstar").new("totp_9", VAULT, ACTOR) for _ in range(50)]
    keys = {decoded(secret) for _, secret, _ in made}
    assert len(keys) == 50
    assert all(key is not None and len(key) == 20 for key in keys)
    factor, secret, uri = made[0]
    key = decoded(secret)
    assert key is not None
    assert secret not in repr(factor)
    assert all(secret not in str(value) for value in factor.data.values())
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == (
        "otpauth",
        "totp",
        "/Northstar:olivia@northstar.example",
    )
    assert parse_qs(parts.query) == {"secret": [secret], "issuer": ["Northstar"]}
    parsed = pyotp.parse_uri(uri)
    assert isinstance(parsed, pyotp.TOTP)
    bench = bench_for("sync", TOTP(), [FactorRef("totp_9", "totp", 30)], [factor])
    assert accepted(bench.check(None, parsed.at(NOW)))


@pytest.mark.requirement("T-05")
@pytest.mark.parametrize(
    ("size", "legacy", "allowed"),
    [(9, True, False), (10, True, True), (15, True, True), (10, False, False), (15, False, False), (16, False, True),
     (128, False, True), (129, False, False), (129, True, False)],
)  # fmt: skip
def test_short_secrets_are_refused(size: int, legacy: bool, allowed: bool) -> None:
    key = bytes(range(size))
    verifier = TOTP(legacy_secrets=legacy)
    if allowed:
        factor, secret, uri = verifier.new("totp_1", VAULT, ACTOR, secret=encoded(key))
        assert secret in uri
        assert accepted(at_step(STEP, factor, legacy_secrets=legacy).check(None, code(STEP, key)))
        assert accepted(hook(key, legacy_secrets=legacy).check(None, code(STEP, key)))
        return
    with pytest.raises(ConfigurationError) as raised:
        verifier.new("totp_1", VAULT, ACTOR, secret=encoded(key))
    assert encoded(key) not in str(raised.value)
    assert rejected(hook(key, legacy_secrets=legacy).check(None, code(STEP, key)))


def test_a_legacy_factor_stops_when_the_option_goes() -> None:
    legacy = stored(b"0123456789")
    assert accepted(at_step(STEP, legacy, legacy_secrets=True).check(None, code(STEP, b"0123456789")))
    assert rejected(at_step(STEP, legacy).check(None, code(STEP, b"0123456789")))


@pytest.mark.parametrize("secret", ["", "not base32!", "\u2160" * 32, "=" * 8])
def test_malformed_imports_are_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="base32"):
        new_totp("totp_1", VAULT, actor=ACTOR, secret=secret)


def test_the_uri_carries_what_differs_from_the_default() -> None:
    uri = totp_uri(encoded(KEY), "a: b/c?d&é", issuer="Nörth & Star", parameters=Parameters(8, 60, "SHA512"))
    parts = urlsplit(uri)
    assert unquote(parts.path) == "/Nörth & Star:a: b/c?d&é"
    assert parse_qs(parts.query) == {
        "secret": [base64.b32encode(KEY).decode()], "issuer": ["Nörth & Star"],
        "algorithm": ["SHA512"], "digits": ["8"], "period": ["60"],
    }  # fmt: skip
    assert "issuer" not in totp_uri(encoded(KEY), "a")


@pytest.mark.parametrize(
    "options",
    [{"digits": 5}, {"digits": 9}, {"digits": "6"}, {"digits": True}, {"period": 14}, {"period": 61}, {"period": 30.0},
     {"algorithm": "MD5"}, {"algorithm": "sha1"}, {"issuer": "a:b"}, {"issuer": 1}, {"secret_of": "x"}],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="TOTP"):
        TOTP(**options)
