"""What the verifier tests share: both faces, a cheap hasher, and factors as the engine would hand them over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

from stepup._bridge import offloading_call
from stepup._wrapped import async_verifier, sync_verifier
from stepup.challenge import FactorRef
from stepup.context import Actor
from stepup.factor import StoredFactor
from stepup.keys import Vault
from stepup.ports import Ceremony, Checked, Verdict
from stepup.testing.bench import ACTOR, NOW, VAULT, Bench, ceremony

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Real Argon2 with the least work it takes."""

both_faces = pytest.mark.parametrize("face", ["sync", "async"])


def bench_for(
    face: str,
    verifier: object,
    refs: Sequence[FactorRef],
    stored: Sequence[StoredFactor] = (),
    *,
    actor: Actor = ACTOR,
    now: datetime = NOW,
    vault: Vault = VAULT,
    locale: str | None = None,
) -> Bench:
    """*verifier* on *face*, with these factors counting."""
    bound = sync_verifier(verifier) if face == "sync" else async_verifier(verifier, offloading_call())
    return Bench(face, bound, ceremony(refs, stored, actor=actor, now=now, vault=vault, locale=locale))


def later(given: Ceremony, seconds: float) -> Ceremony:
    """The same ceremony, *seconds* later."""
    return replace(given, now=given.now + timedelta(seconds=seconds))


def at(seconds: float) -> datetime:
    """The moment *seconds* after 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def accepted(checked: Checked) -> bool:
    """Whether it is the one verdict that accepts, with a proof."""
    return checked.verdict is Verdict.ACCEPTED and checked.proof is not None


def rejected(checked: Checked) -> bool:
    """Whether it is a plain refusal that moves nothing."""
    return checked == Checked(Verdict.REJECTED)
