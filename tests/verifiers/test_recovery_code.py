"""Recovery codes: enough bits, only digests kept, once each, for one person and one set, as strong as their factor."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verifier_values import accepted, bench_for, both_faces, rejected

from stepup.challenge import FactorRef
from stepup.context import Actor
from stepup.errors import ConfigurationError
from stepup.factor import StoredFactor
from stepup.keys import KeyRing, Vault
from stepup.ports import STORED
from stepup.testing.bench import ACTOR, NEVER_RIGHT, NOW, VAULT, Bench
from stepup.verifiers import RecoveryCode
from stepup.verifiers.recovery_code import ALPHABET, LENGTH, codes_left, new_codes

REF = FactorRef("recovery_1", "recovery_code", 30, stands_for="totp")
SET, CODES = new_codes("recovery_1", VAULT, actor=ACTOR)


def bench(face: str = "sync", stored: StoredFactor = SET, **more: Any) -> Bench:
    return bench_for(face, RecoveryCode(), [REF], [stored], **more)


@pytest.mark.requirement("L-01", "L-02")
def test_codes_have_120_bits_and_no_look_alikes() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 32
    assert not set(ALPHABET) & set("lo01")
    assert ALPHABET.lower() == ALPHABET
    assert LENGTH * math.log2(len(ALPHABET)) == 120
    made = [code for _ in range(200) for code in new_codes("r", VAULT, actor=ACTOR)[1]]
    assert len(set(made)) == len(made) == 2000
    assert all(re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){5}", code) for code in made)
    seen = Counter("".join(made).replace("-", ""))
    expected = 2000 * LENGTH / 32
    assert set(seen) == set(ALPHABET)
    assert sum((n - expected) ** 2 / expected for n in seen.values()) < 120, (
        "31 degrees; chance passes this once in 1e11"
    )


@pytest.mark.requirement("L-01", "L-02", "Z-08")
def test_only_keyed_digests_are_stored() -> None:
    kept = repr(SET.data)
    for code in CODES:
        assert code not in kept
        assert code.replace("-", "") not in kept
    digests = SET.data["codes"]
    assert isinstance(digests, tuple)
    assert all(re.fullmatch(r"[0-9a-f]{16}\.[0-9a-f]{64}", digest) for digest in digests)
    assert repr(SET) == repr(replace(SET, data={})), "no digest in a repr either"


@both_faces
@pytest.mark.requirement("L-01", "L-03")
@pytest.mark.parametrize("index", [0, 4, 9])
def test_each_code_passes_once(face: str, index: int) -> None:
    tried = bench(face)
    first = tried.check(None, CODES[index])
    assert accepted(first)
    assert first.advance is not None
    assert codes_left(first.advance) == 9
    after = tried.after(first)
    assert rejected(tried.check(None, CODES[index], after))
    for other in range(10):
        assert accepted(tried.check(None, CODES[other], after)) is (other != index)
    assert codes_left(SET) == 10, "the record that was read has been changed"


def test_all_can_be_used_up() -> None:
    tried, given = bench(), bench().ceremony
    for code in CODES:
        checked = tried.check(None, code, given)
        assert accepted(checked)
        assert checked.advance is not None
        given = replace(given, stored={REF.id: checked.advance})
    assert codes_left(given.stored[REF.id]) == 0
    assert all(rejected(tried.check(None, code, given)) for code in CODES)


@both_faces
def test_the_proof_stands_for_its_factor(face: str) -> None:
    checked = bench(face).check(None, CODES[0])
    assert checked.proof is not None
    proof = checked.proof
    assert (proof.method, proof.stands_for, proof.strength) == ("recovery_code", "totp", 30)
    assert (proof.at, proof.amr, proof.factor_id) == (NOW, ("otp",), "recovery_1")
    weaker = replace(REF, strength=10, stands_for=None)
    again = bench_for(face, RecoveryCode(), [weaker], [SET]).check(None, CODES[0])
    assert again.proof is not None
    assert (again.proof.strength, again.proof.stands_for) == (10, None)


@both_faces
@pytest.mark.requirement("L-05")
def test_codes_are_one_persons_and_one_sets(face: str) -> None:
    for other in (Actor("usr_1"), Actor(ACTOR.id, tenant="t_2")):
        assert rejected(bench(face, actor=other).check(None, CODES[0]))
    tried, moved = bench(face), replace(SET, id="recovery_2")
    ref = replace(REF, id="recovery_2")
    assert rejected(bench_for(face, RecoveryCode(), [ref], [moved]).check(None, CODES[0]))
    assert rejected(bench_for(face, RecoveryCode(), [ref], [SET]).check(None, CODES[0]))
    swapped = replace(tried.ceremony, stored={"recovery_1": moved, "recovery_2": SET}, factors=(ref,))
    assert rejected(tried.check(None, CODES[0], swapped))
    assert rejected(bench_for(face, RecoveryCode(), [], [SET]).check(None, CODES[0]))
    assert rejected(bench(face, replace(SET, method="totp")).check(None, CODES[0]))
    assert accepted(bench(face).check(None, CODES[0])), "and it is still good where it belongs"


def test_keys_rotate_under_codes() -> None:
    old, new = "an old secret of enough bytes, 3f9a1c77", "the new secret of enough bytes, b02d44e1"
    stored, codes = new_codes("recovery_1", Vault(KeyRing(old)), actor=ACTOR)
    assert accepted(bench(stored=stored, vault=Vault(KeyRing(new, old))).check(None, codes[3]))
    assert rejected(bench(stored=stored, vault=Vault(KeyRing(new))).check(None, codes[3]))


@pytest.mark.requirement("Z-07")
@pytest.mark.parametrize("index", [0, 9, None])
def test_every_digest_is_compared_wherever_the_code_stands(index: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = list[str]()

    def matches(self: Vault, stored: str, purpose: str, value: bytes) -> bool:
        compared.append(stored)
        return original(self, stored, purpose, value)

    original = Vault.matches
    monkeypatch.setattr(Vault, "matches", matches)
    code = "a" * LENGTH if index is None else CODES[index]
    assert accepted(bench().check(None, code)) is (index is not None)
    assert SET.data["codes"] == tuple(compared)


@pytest.mark.requirement("T-06")
@pytest.mark.parametrize("form", ["{}", " {} ", "{}-", "--{}"])
def test_separators_do_not_matter_and_case_does(form: str) -> None:
    assert accepted(bench().check(None, form.format(CODES[0])))
    assert accepted(bench().check(None, form.format(CODES[0].replace("-", " "))))
    assert accepted(bench().check(None, form.format(CODES[0].replace("-", ""))))
    assert rejected(bench().check(None, form.format(CODES[0].upper())))


@settings(max_examples=80)
@given(
    st.one_of(
        st.sampled_from(NEVER_RIGHT), st.text(), st.text(ALPHABET + "- ", max_size=40), st.binary(), st.integers()
    )
)
def test_bad_input_never_raises(given: object) -> None:
    assert rejected(bench().check(None, given))


@pytest.mark.parametrize("codes", [(), "", "abc", 7, ("",), ("x",), (".",), ("kid.hex",), ("é.é",)])
def test_a_damaged_set_cannot_accept(codes: Any) -> None:
    assert rejected(bench(stored=StoredFactor(REF.id, "recovery_code", {"codes": codes})).check(None, CODES[0]))
    assert rejected(bench(stored=StoredFactor(REF.id, "recovery_code", {})).check(None, CODES[0]))


@pytest.mark.parametrize("count", [0, -1, 51, "10", 10.0, True, None])
def test_what_cannot_be_right_is_refused_at_construction(count: Any) -> None:
    with pytest.raises(ConfigurationError, match="RecoveryCode"):
        RecoveryCode(count)
    with pytest.raises(ConfigurationError, match="RecoveryCode"):
        new_codes("r", VAULT, count, actor=ACTOR)


def test_a_new_set_has_the_verifiers_count() -> None:
    stored, codes = RecoveryCode(4).new("recovery_9", VAULT, ACTOR)
    assert (stored.id, stored.method, codes_left(stored), len(codes)) == ("recovery_9", "recovery_code", 4, 4)
    tried = bench()
    assert tried.run(tried.verifier.enrolled(ACTOR)) is STORED
