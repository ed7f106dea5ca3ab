"""Whether what a verifier answered is an acceptance, which proof that makes, and what the audit is told of it.

Nothing of a verifier's answer is taken on trust: neither its types nor its sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, cast

from stepup.ceremony import MAX_EVIDENCE, MAX_SIGNALS, Checked, Verdict
from stepup.challenge import Challenge
from stepup.changes import (
    THROTTLE,
    Snapshot,
)
from stepup.context import Proof
from stepup.decision import Detail
from stepup.event import EVIDENCE, Event
from stepup.factor import StoredFactor
from stepup.throttle import Throttle
from stepup.told import AFTER_FAILURES, FAILURES_WORTH_TELLING
from stepup.tries import wrong_before

from .answering import Answering
from .request import Request

MAX_CLAIM: Final = 96


MAX_AMR: Final = 16


def acceptable(one: Answering, checked: Checked, now: datetime) -> str | None:
    """Why a verifier's finding is not an acceptance; None if it is.

    Anything but the one enum member, and a proof that is not of this method, this moment and one of the
    factors on trial, is a refusal.
    """
    if checked.verdict is Verdict.REPLAYED:
        return "replayed"
    if checked.verdict is not Verdict.ACCEPTED:
        return "wrong"
    return None if _sound(one, checked, now) else "verifier_error"


def _sound(one: Answering, checked: Checked, now: datetime) -> bool:
    """Whether everything inside an acceptance is what a verifier may answer; nothing of it is taken on trust."""
    proof, advance, claims, ids = checked.proof, checked.advance, checked.claims, {ref.id for ref in one.refs}
    if not isinstance(proof, Proof) or proof.method != one.method or proof.at != now:
        return False
    if not isinstance(proof.factor_id, str) or proof.factor_id not in ids or not _typed(proof):
        return False
    if not isinstance(claims, tuple) or len(set(map(repr, claims))) != len(claims):  # pyright: ignore[reportUnnecessaryIsInstance] -- as the docstring says
        return False
    if not all(isinstance(claim, str) and claim.isascii() and 0 < len(claim) <= MAX_CLAIM for claim in claims):  # pyright: ignore[reportUnnecessaryIsInstance] -- as above
        return False
    if advance is not None and not (
        isinstance(advance, StoredFactor) and advance.method == one.method and advance.id == proof.factor_id  # pyright: ignore[reportUnnecessaryIsInstance] -- as above
    ):
        return False
    if not _evident(checked.evidence):
        return False
    return checked.material is None or isinstance(checked.material, bytes)  # pyright: ignore[reportUnnecessaryIsInstance] -- as above


def _evident(evidence: object) -> bool:
    """Whether evidence is names and texts, and no more of them than are kept."""
    if not isinstance(evidence, Mapping):
        return evidence is None
    texts = [one for pair in cast("Mapping[object, object]", evidence).items() for one in pair]
    plain = all(isinstance(one, str) and one.isascii() for one in texts)
    return plain and sum(len(cast("str", one)) for one in texts) <= MAX_EVIDENCE


def signals_of(checked: Checked) -> Mapping[str, Detail]:
    """What the verifier tells the audit of an answer, right or wrong; nothing where it is not a few short words."""
    signals = cast("object", checked.signals)
    if not isinstance(signals, tuple) or not 0 < len(cast("tuple[object, ...]", signals)) <= MAX_SIGNALS:
        return {}
    words = [one for one in cast("tuple[object, ...]", signals) if isinstance(one, str) and one.isascii()]
    return {"signals": " ".join(word[:32] for word in words)} if words else {}


def evidenced(event: Event, challenge: Challenge, checked: Checked) -> Event:
    """*event* with the evidence of the acceptance, and the binding it is evidence for."""
    if checked.evidence is None:
        return event
    kept = {"binding": challenge.binding.as_data(), **checked.evidence}
    return replace(event, snapshot={**(event.snapshot or {}), EVIDENCE: kept})


def _typed(proof: Proof) -> bool:
    amr = cast("tuple[object, ...]", proof.amr)
    short = len(amr) <= MAX_AMR and all(isinstance(one, str) and 0 < len(one) <= MAX_AMR for one in amr)
    return short and isinstance(proof.strength, int) and isinstance(proof.user_verified, bool)  # pyright: ignore[reportUnnecessaryIsInstance] -- a port's answer is never taken on trust


def proof_of(one: Answering, checked: Checked) -> Proof:
    """The proof, never stronger than the factor it came from can be."""
    assert checked.proof is not None  # acceptable() saw it
    ref = next(ref for ref in one.refs if ref.id == checked.proof.factor_id)
    strength = min(checked.proof.strength or ref.strength, ref.strength)
    return replace(checked.proof, strength=strength, stands_for=ref.stands_for)


def after_failures(one: Answering, request: Request, snapshot: Snapshot, proof: Proof) -> Mapping[str, Detail]:
    """How many wrong answers came before a right one, where that is worth telling (OWASP logging vocabulary)."""
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    before = wrong_before(throttle, one.trial(request), proof.factor_id or "")
    return {AFTER_FAILURES: before} if before >= FAILURES_WORTH_TELLING else {}
