"""Passwords: exactly as received, only ``True`` accepts, only Argon2 is compared."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type
from hypothesis import given
from hypothesis import strategies as st
from verifier_values import CHEAP, accepted, bench_for, both_faces, rejected

from stepup._wrapped import sync_verifier
from stepup.challenge import FactorRef
from stepup.context import Actor
from stepup.errors import ConfigurationError, Unavailable, WrongColour
from stepup.factor import Factor
from stepup.testing.bench import ACTOR, NEVER_RIGHT, NOW, Bench
from stepup.verifiers import Password
from stepup.verifiers.password import MAX_PASSWORD

REFS = [FactorRef("password", "password", 20)]
RIGHT = "correct horse battery staple"
HASH = CHEAP.hash(RIGHT, salt=b"a salt of the tests")


class Backend:
    """An application's own check, which remembers what it was given."""

    def __init__(self, answer: object = None) -> None:
        self.seen: list[object] = []
        self.answer = answer

    def check(self, actor: Actor, password: str) -> Any:
        self.seen.append(password)
        return password == RIGHT if self.answer is None else self.answer


def hashed(stored: object, face: str = "sync", **more: Any) -> Bench:
    def hash_of(actor: Actor) -> Any:
        assert actor is ACTOR
        return stored

    return bench_for(face, Password(hash_of=hash_of, hasher=more.pop("hasher", CHEAP), **more), REFS)


# -- the application's own check ---------------------------------------------------------


@both_faces
def test_the_applications_answer_decides(face: str) -> None:
    backend = Backend()
    bench = bench_for(face, Password(check=backend.check), REFS)
    checked = bench.check(None, RIGHT)
    assert accepted(checked)
    assert checked.proof is not None
    assert (checked.proof.method, checked.proof.at, checked.proof.amr) == ("password", NOW, ("pwd",))
    assert (checked.proof.strength, checked.proof.factor_id, checked.material) == (20, "password", None)
    assert rejected(bench.check(None, "wrong"))
    assert backend.seen == [RIGHT, "wrong"]


@both_faces
@pytest.mark.parametrize("answer", [False, 0, 1, "yes", b"1", [1], object(), RIGHT, NotImplemented, 1.0, ACTOR])
def test_only_true_itself_accepts(face: str, answer: object) -> None:
    assert rejected(bench_for(face, Password(check=Backend(answer).check), REFS).check(None, RIGHT))


def test_a_coroutine_is_no_yes_on_the_sync_face() -> None:
    async def answer() -> bool:
        return True

    def check(actor: Actor, password: str) -> Any:
        return answer()

    with pytest.raises(WrongColour, match="awaitable"):
        bench_for("sync", Password(check=check), REFS).check(None, RIGHT)

    async def honest(actor: Actor, password: str) -> bool:
        return password == RIGHT

    with pytest.raises(WrongColour, match=r"Password\(check=\.\.\.\)"):
        sync_verifier(Password(check=honest))
    on_async = bench_for("async", Password(check=honest), REFS)
    assert accepted(on_async.check(None, RIGHT))
    assert rejected(on_async.check(None, "wrong"))
    assert accepted(bench_for("async", Password(check=check), REFS).check(None, RIGHT))


@both_faces
def test_what_the_backend_raises_is_raised(face: str) -> None:
    def check(actor: Actor, password: str) -> bool:
        raise ConnectionError("directory down")

    with pytest.raises(ConnectionError):
        bench_for(face, Password(check=check), REFS).check(None, RIGHT)


@pytest.mark.requirement("W-01")
@pytest.mark.parametrize(
    "password",
    [" lead", "trail ", "\t", " ", "a\0b", "\0", "Ünïcode", "U\u0308", "\u00dc", "MiXeD", "x" * 72, "x" * 73,
     "x" * MAX_PASSWORD, "\N{PILE OF POO}" * 40, "line\nbreak", "\r\n", "\u200b", "123 456"],
)  # fmt: skip
def test_the_password_arrives_as_it_was_given(password: str) -> None:
    backend = Backend(answer=True)
    assert accepted(bench_for("sync", Password(check=backend.check), REFS).check(None, password))
    assert backend.seen == [password]
    assert accepted(hashed(CHEAP.hash(password)).check(None, password))


@pytest.mark.requirement("W-01")
@pytest.mark.parametrize(
    ("stored", "given"),
    [("x" * 73, "x" * 72), ("x" * 72, "x" * 73), ("a\0b", "a"), ("a", "a\0b"), (" a", "a"), ("a ", "a"), ("a", "A"),
     ("U\u0308", "\u00dc"), ("x" * MAX_PASSWORD, "x" * (MAX_PASSWORD - 1))],
)  # fmt: skip
def test_nothing_is_cut_folded_or_stripped(stored: str, given: str) -> None:
    bench = hashed(CHEAP.hash(stored))
    assert rejected(bench.check(None, given))
    assert accepted(bench.check(None, stored))


@pytest.mark.requirement("W-03")
@pytest.mark.parametrize(
    "given", ["", None, b"", b"correct horse battery staple", "x" * (MAX_PASSWORD + 1), "\ud800", 1, []]
)
def test_what_is_no_password_never_reaches_the_backend(given: object) -> None:
    backend = Backend(answer=True)
    assert rejected(bench_for("sync", Password(check=backend.check), REFS).check(None, given))

    def hash_of(actor: Actor) -> str:
        raise AssertionError("asked for a hash")

    assert rejected(bench_for("sync", Password(hash_of=hash_of), REFS).check(None, given))
    assert backend.seen == []


@given(
    st.one_of(
        st.sampled_from(NEVER_RIGHT), st.text(), st.binary(), st.integers(), st.dictionaries(st.text(), st.text())
    )
)
def test_bad_input_never_raises(given: object) -> None:
    assert rejected(hashed(HASH).check(None, given))


def test_a_password_that_does_not_count_is_not_even_tried() -> None:
    backend = Backend(answer=True)
    assert rejected(bench_for("sync", Password(check=backend.check), []).check(None, RIGHT))
    assert backend.seen == []


# -- hashes -----------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("kind", [Type.ID, Type.I, Type.D])
def test_an_argon2_hash_is_checked(face: str, kind: Type) -> None:
    bench = hashed(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=kind).hash(RIGHT), face)
    assert accepted(bench.check(None, RIGHT))
    assert rejected(bench.check(None, RIGHT + " "))


@both_faces
@pytest.mark.requirement("W-02")
@pytest.mark.parametrize(
    "stored",
    [
        RIGHT, "", "$", hashlib.md5(RIGHT.encode()).hexdigest(), hashlib.sha256(RIGHT.encode()).hexdigest(),
        "$2b$12$abcdefghijklmnopqrstuuK4cC3bSfn0Gxq5oVbXqzAQ0rUOXQvOe", "$argon2id$", "$argon2x$v=19$m=8,t=1,p=1$YQ$YQ",
        "$argon2id$v=19$m=8,t=1$c2FsdHNhbHQ$aGFzaA", "pbkdf2:sha256:600000$x$y", "ü" + HASH,
        HASH.replace("$m=8", "$m=x"),
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", " " + HASH, b"plain", 7, True,
    ],
)  # fmt: skip
def test_other_hashes_make_the_factor_unusable(face: str, stored: object) -> None:
    bench = hashed(stored, face)
    assert rejected(bench.check(None, RIGHT))
    assert rejected(bench.check(None, str(stored)))
    (factor,) = bench.run(bench.verifier.enrolled(ACTOR))  # type: ignore[misc]
    assert isinstance(factor, Factor)
    assert factor.usable is False, "it is enrolled, so that breaking it does not open something weaker"


@pytest.mark.requirement("W-02")
@pytest.mark.parametrize("end", range(1, len(HASH)))
def test_a_hash_cut_short_matches_nothing(end: int) -> None:
    assert rejected(hashed(HASH[:end]).check(None, RIGHT))


@both_faces
@pytest.mark.requirement("W-02")
def test_a_check_that_could_not_run_is_no_wrong_password(face: str) -> None:
    with pytest.raises(Unavailable, match="could not be checked") as raised:
        hashed("$argon2id$v=19$m=1,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", face).check(None, RIGHT)
    assert RIGHT not in str(raised.value)


@pytest.mark.requirement("Z-05")
@both_faces
@pytest.mark.parametrize("stored", [None, "md5 or so"])
def test_where_there_is_no_hash_the_same_work_is_done(face: str, stored: str | None) -> None:
    class Counting(PasswordHasher):
        verified: list[str]

        def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002 -- argon2's own name
            self.verified.append(str(hash))
            return super().verify(hash, password)

    hasher = Counting(time_cost=1, memory_cost=16, parallelism=1, hash_len=24, salt_len=12)
    hasher.verified = []
    assert rejected(hashed(stored, face, hasher=hasher).check(None, RIGHT))
    (dummy,) = hasher.verified
    assert not hasher.check_needs_rehash(dummy), "another cost than a real hash"
    bench = bench_for(face, Password(hash_of=lambda actor: hasher.hash(RIGHT), hasher=hasher), [])
    assert rejected(bench.check(None, RIGHT)), "the factor does not count"
    assert len(hasher.verified) == 2


@both_faces
def test_the_work_leaves_the_event_loops_thread(face: str) -> None:
    here, seen = threading.get_ident(), list[int]()

    class Watching(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002 -- argon2's own name
            seen.append(threading.get_ident())
            return super().verify(hash, password)

    bench = hashed(HASH, face, hasher=Watching(time_cost=1, memory_cost=8, parallelism=1))
    assert accepted(bench.check(None, RIGHT))
    assert (seen == [here]) == (face == "sync")


@both_faces
def test_outdated_parameters_are_renewed_after_success_only(face: str) -> None:
    written: list[tuple[Actor, str]] = []

    def rehash(actor: Actor, new: str) -> None:
        written.append((actor, new))

    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    bench = hashed(HASH, face, rehash=rehash, hasher=stronger)
    assert rejected(bench.check(None, "wrong"))
    assert written == []
    checked = bench.check(None, RIGHT)
    assert accepted(checked)
    ((actor, new),) = written
    assert actor is ACTOR
    assert checked.material == new.encode()
    assert stronger.verify(new, RIGHT)
    assert not stronger.check_needs_rehash(new)
    fresh = hashed(new, face, rehash=rehash, hasher=stronger).check(None, RIGHT)
    assert accepted(fresh)
    assert fresh.material is None
    assert len(written) == 1


def test_a_rehash_that_was_not_written_changes_no_material() -> None:
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    checked = hashed(HASH, rehash=lambda actor, new: False, hasher=stronger).check(None, RIGHT)
    assert accepted(checked)
    assert checked.material is None
    assert hashed(HASH, hasher=stronger).check(None, RIGHT).material is None


# -- enrolled -----------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(
    ("verifier", "expected"),
    [
        (Password(check=Backend().check), 1),
        (Password(check=Backend().check, has_password=lambda actor: True), 1),
        (Password(check=Backend().check, has_password=lambda actor: False), 0),
        (Password(check=Backend().check, has_password=lambda actor: None), 0),
        (Password(hash_of=lambda actor: HASH), 1),
        (Password(hash_of=lambda actor: None), 0),
    ],
)
def test_people_without_a_password_have_no_factor(face: str, verifier: Password, expected: int) -> None:
    bench = bench_for(face, verifier, [])
    factors = bench.run(bench.verifier.enrolled(ACTOR))
    assert isinstance(factors, tuple)
    assert [(f.id, f.method, f.usable) for f in factors] == [("password", "password", True)] * expected


def test_the_material_is_the_hash() -> None:
    (factor,) = asyncio.run(hashed(HASH, "async").verifier.enrolled(ACTOR))  # type: ignore[misc]
    assert isinstance(factor, Factor)
    assert factor.material == HASH.encode()
    assert HASH not in repr(factor)


@both_faces
@pytest.mark.requirement("P-09")
@pytest.mark.parametrize(
    ("version", "material"),
    [(7, b"7"), ("2026-06-11", b"2026-06-11"), (NOW, str(NOW).encode()), (None, b"None"), ("\ud800", b"\xed\xa0\x80")],
)
def test_the_version_is_the_material_of_a_password_that_is_only_checked(
    face: str, version: object, material: bytes
) -> None:
    """Whatever it is, it changes with the password; without it nothing is known of a reset."""
    asked: list[Actor] = []

    def version_of(actor: Actor) -> object:
        asked.append(actor)
        return version

    bench = bench_for(face, Password(check=Backend().check, version_of=version_of), REFS)
    (factor,) = bench.run(bench.verifier.enrolled(ACTOR))  # type: ignore[misc]
    assert isinstance(factor, Factor)
    assert (factor.id, factor.usable, factor.material) == ("password", True, material)
    assert asked == [ACTOR]
    plain = bench_for(face, Password(check=Backend().check), REFS)
    (without,) = plain.run(plain.verifier.enrolled(ACTOR))  # type: ignore[misc]
    assert isinstance(without, Factor)
    assert without.material is None


def test_the_version_may_be_awaited_and_is_not_asked_where_there_is_no_password() -> None:
    async def version_of(actor: Actor) -> int:
        return 3

    def never(actor: Actor) -> int:
        raise AssertionError("asked for a version")

    bench = bench_for("async", Password(check=Backend().check, version_of=version_of), REFS)
    (factor,) = bench.run(bench.verifier.enrolled(ACTOR))  # type: ignore[misc]
    assert isinstance(factor, Factor)
    assert factor.material == b"3"
    with pytest.raises(WrongColour, match=r"Password\(version_of=\.\.\.\)"):
        sync_verifier(Password(check=Backend().check, version_of=version_of))
    none = bench_for("sync", Password(check=Backend().check, has_password=lambda actor: False, version_of=never), REFS)
    assert none.run(none.verifier.enrolled(ACTOR)) == ()


# -- construction ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"check": Backend().check, "hash_of": lambda actor: None}, {"check": "users.check"}, {"hash_of": 1},
        {"check": Backend().check, "rehash": print}, {"check": Backend().check, "hasher": CHEAP},
        {"hash_of": lambda actor: None, "has_password": lambda actor: True},
        {"hash_of": lambda actor: None, "version_of": lambda actor: 1},
        {"check": Backend().check, "version_of": "users.version"},
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_at_construction(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Password"):
        Password(**arguments)


def test_a_verifier_without_a_gate_says_so() -> None:
    verifier = Password(check=Backend().check)
    with pytest.raises(ConfigurationError, match="without a gate"):
        asyncio.run(verifier.check(None, RIGHT, bench_for("async", verifier, REFS).ceremony))
    assert repr(verifier) == "Password(check)"
