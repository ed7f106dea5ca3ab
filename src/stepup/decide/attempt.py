"""Answering a challenge, in two committed steps with the verifier between them.

``reserve`` counts the answer as a failure before anybody looks at it. ``conclude`` then rejects it, adds a
part to what was proved, or mints: challenge closed, grant on the shelf, what was used claimed or moved
forward, failures forgiven, one event, all in one batch.

Everything ``conclude`` relies on is loaded anew, because the verifier may have taken its time: the state,
the preparation the answer was checked against, the epochs, the fence, the factor's record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from stepup.binding import Binding
from stepup.bundle import Part, item_digest
from stepup.ceremony import MAX_EVIDENCE, MAX_SIGNALS, Checked, Verdict
from stepup.challenge import Challenge, FactorRef, State, prove, reject, reserve
from stepup.changes import (
    ACTOR_EPOCH,
    FENCE,
    KNOWN,
    RETENTION,
    ROSTER,
    THROTTLE,
    Changes,
    Check,
    Epoch,
    Record,
    Snapshot,
    challenge_key,
    claim_key,
    factor_key,
    grant_key,
    session_epoch,
    shelf_key,
)
from stepup.context import RECOVERY_CODE, Proof
from stepup.decision import Detail
from stepup.errors import Code
from stepup.event import EVIDENCE, Event, EventType
from stepup.factor import FactorSet, Roster, StoredFactor
from stepup.grant import Claim, Grant, Shelf, Spend, mint, moved, shelved
from stepup.history import KEPT, Known, proved_from
from stepup.requirement import met
from stepup.throttle import (
    Limits,
    Throttle,
    Trial,
    blocked,
    closing,
    counting,
    found_wrong,
    locks,
    succeeded,
    wrong_before,
)
from stepup.told import AFTER_FAILURES, FAILURES_WORTH_TELLING, LOCKED

from .device import Fresh, after_step_up, put, trust_checks, trusting
from .holding import MethodInfo, trial, trusted_device
from .request import Ids, Request, holding
from .standing import Refusal, check_method, check_standing, counted, remaining, roster_of, standing_checks

MAX_CLAIM: Final = 96
MAX_AMR: Final = 16


@dataclass(frozen=True, slots=True)
class Answering:
    """One answer: to which challenge, with which method, held against which factors."""

    challenge: Challenge
    method: str
    refs: tuple[FactorRef, ...]
    info: MethodInfo
    limits: Limits

    def trial(self, request: Request) -> Trial:
        """What it is counted as."""
        return trial(self.challenge.id, self.refs, self.info, trusted_device(request))


@dataclass(frozen=True, slots=True)
class Verified:
    """The challenge is finished. ``token`` is the grant's bearer form; it is not shown in the repr.

    ``device_token`` is there where the device was remembered, or had its token replaced: keep it in place of the one
    that the request brought, until ``device_expires_at``.
    """

    grant: Grant
    token: str
    challenge: Challenge
    device_token: str | None = None
    device_expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Verified(action={self.grant.binding.action!r}, grant={self.grant.id!r})"


@dataclass(frozen=True, slots=True)
class MoreNeeded:
    """That was right, and more is asked for: any of ``remaining``. Falsy."""

    remaining: tuple[str, ...]
    challenge: Challenge

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not accepted. ``code`` does not tell causes apart; falsy.

    ``attempts_left`` is how many answers the challenge still takes, where that may be known.
    """

    code: Code
    attempts_left: int | None = None
    retry_at: datetime | None = None

    def __bool__(self) -> bool:
        return False


def reserve_attempt(one: Answering, request: Request, snapshot: Snapshot, now: datetime) -> Changes | Refusal:
    """Count the answer, or say why it is not even looked at. Does not depend on the answer."""
    request = trusting(request, snapshot, now)
    refusal = check_standing(one.challenge, request, snapshot, now)
    if refusal:
        return refusal
    taken = reserve(one.challenge)
    if taken is None:
        return Refusal(Code.CHALLENGE_CLOSED, "attempts_exhausted")
    if refusal := check_method(one.challenge, request, one.method, one.refs, now):
        return refusal
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    stopped = blocked(throttle, one.trial(request), one.limits, now)
    if stopped:
        return Refusal(Code.LOCKED_OUT, stopped.why, stopped.retry_at)
    counted = counting(throttle, one.trial(request), one.limits, now)
    puts = (_challenge_put(snapshot, taken), snapshot.put(THROTTLE, counted))
    return Changes(now, puts, (snapshot.check(ROSTER), *trust_checks(request, snapshot)))


def refused_attempt(
    request: Request, challenge_id: str, method: str, refusal: Refusal, now: datetime, ids: Ids
) -> tuple[Changes, Rejected]:
    """Record an answer that was not looked at."""
    event = request.event(
        ids.event, now, EventType.ATTEMPT, "refused", reason=refusal.reason, method=method, challenge_id=challenge_id
    )
    return Changes(now, events=(event,)), Rejected(refusal.code, retry_at=refusal.retry_at)


@dataclass(frozen=True, slots=True)
class Findings:
    """What came between the two steps.

    ``reason`` is why the verifier did not accept; ``serial`` the preparation it checked against; ``factors``
    the version of the factor record it was shown; ``fingerprint`` that of a factor the check itself
    changed (a rehash); ``rotated`` the hash of the new session, if it was rotated;
    ``rotation_due`` that it is to be rotated with the last proof, which this one was not yet; ``device`` what a new
    device token would be made from.
    """

    checked: Checked
    reason: str | None
    serial: int | None
    factors: int
    fingerprint: str | None = None
    rotated: str | None = None
    rotation_due: bool = False
    device: Fresh | None = None


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


def _evidenced(event: Event, challenge: Challenge, checked: Checked) -> Event:
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


def completes(one: Answering, request: Request, checked: Checked, now: datetime) -> bool:
    """Whether this proof is the last one the requirement asks for."""
    proofs = (*counted(one.challenge, request, now), proof_of(one, checked))
    return met(request.rules.policy.requirement, proofs, holding(request, now, one.challenge.strongest), now)


def conclude(
    one: Answering, request: Request, snapshot: Snapshot, findings: Findings, now: datetime, ids: Ids
) -> tuple[Changes, Grant | MoreNeeded | Rejected]:
    """Write what came of the answer."""
    challenge = snapshot.get(challenge_key(one.challenge.id), Challenge)
    if challenge is None:
        return refused_attempt(
            request, one.challenge.id, one.method, Refusal(Code.CHALLENGE_NOT_FOUND, "gone"), now, ids
        )
    request = trusting(request, snapshot, now)
    challenge = replace(challenge, proofs=counted(challenge, request, now))
    one = replace(one, challenge=challenge)
    refusal = check_standing(challenge, request, snapshot, now)
    if refusal:
        return refused_attempt(request, challenge.id, one.method, refusal, now, ids)
    reason = findings.reason or _overtaken(one, request, snapshot, findings, now)
    if reason:
        return _reject(one, request, snapshot, reason, now, ids, signals_of(findings.checked))
    done = completes(one, request, findings.checked, now)
    if done and findings.rotation_due:
        return _reject(one, request, snapshot, "overtaken", now, ids)
    proof = proof_of(one, findings.checked)
    throttle = succeeded(
        snapshot.get(THROTTLE, Throttle) or Throttle(), one.trial(request), proof.factor_id, one.limits
    )
    used_puts, used_checks = _used(one, snapshot, findings, now)
    if done:
        return _mint(one, request, snapshot, findings, throttle, (used_puts, used_checks), now, ids)
    partly = prove(challenge, proof, complete=False)
    assert partly is not None  # check_standing found it open
    left = remaining(partly, request, now)
    event = request.event(
        ids.event,
        now,
        EventType.ATTEMPT,
        "open",
        reason="more_needed",
        method=one.method,
        challenge_id=challenge.id,
        detail={**signals_of(findings.checked), **_after_failures(one, request, snapshot, proof)},
    )
    event = _evidenced(event, challenge, findings.checked)
    puts = (_challenge_put(snapshot, partly), snapshot.put(THROTTLE, throttle), *used_puts)
    checks = (*used_checks, *standing_checks(challenge, request), *trust_checks(request, snapshot))
    return Changes(now, puts, checks, (event,)), MoreNeeded(left, partly)


def _after_failures(one: Answering, request: Request, snapshot: Snapshot, proof: Proof) -> Mapping[str, Detail]:
    """How many wrong answers came before a right one, where that is worth telling (OWASP logging vocabulary)."""
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    before = wrong_before(throttle, one.trial(request), proof.factor_id or "")
    return {AFTER_FAILURES: before} if before >= FAILURES_WORTH_TELLING else {}


def _overtaken(one: Answering, request: Request, snapshot: Snapshot, findings: Findings, now: datetime) -> str | None:
    """Why the answer is void although it was right: what it was checked against has changed since."""
    prepared = one.challenge.prepared.get(one.method)
    if (prepared.serial if prepared else None) != findings.serial:
        return "superseded_code"
    if prepared and (now - prepared.at).total_seconds() >= request.rules.policy.challenge_ttl:
        return "preparation_expired"  # it may outlive its time where the challenge waits for somebody's approval
    if any(_changed(ref, roster_of(snapshot)) for ref in one.refs):
        return "factor_changed"
    if findings.checked.advance is not None and snapshot.version(factor_key(one.method)) != findings.factors:
        return "replayed"
    return None


def _changed(ref: FactorRef, roster: Roster) -> bool:
    """Whether somebody has seen another fingerprint of an application-owned factor meanwhile."""
    return any(seen.factor_id == ref.id and seen.fingerprint != ref.fingerprint for seen in roster.seen)


def _reject(
    one: Answering,
    request: Request,
    snapshot: Snapshot,
    reason: str,
    now: datetime,
    ids: Ids,
    detail: Mapping[str, Detail] | None = None,
) -> tuple[Changes, Rejected]:
    ended = reject(one.challenge)
    assert ended is not None  # check_standing found it open
    before = throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    puts: tuple[Record, ...] = ()
    if reason == "wrong":
        throttle = found_wrong(throttle, one.trial(request))
    if ended.state is State.FAILED:
        puts, throttle = (_challenge_put(snapshot, ended),), closing(throttle, ended.id)
    if throttle != before:
        puts = (*puts, snapshot.put(THROTTLE, throttle))
    event = request.event(
        ids.event,
        now,
        EventType.ATTEMPT,
        "refused",
        reason=reason,
        method=one.method,
        challenge_id=ended.id,
        detail={**(detail or {}), **({LOCKED: True} if locks(throttle, one.trial(request), one.limits, now) else {})},
    )
    return Changes(now, puts, events=(event,)), Rejected(Code.VERIFICATION_FAILED, ended.attempts_left)


def _used(
    one: Answering, snapshot: Snapshot, findings: Findings, now: datetime
) -> tuple[tuple[Record, ...], tuple[Check, ...]]:
    """What the answer used up: claims made, the factor moved forward, a rehashed password remembered.

    With its last code gone, a set of recovery codes is no longer enrolled.
    """
    checked, roster = findings.checked, roster_of(snapshot)
    after = roster
    until = one.challenge.expires_at + RETENTION
    puts = [Record(claim_key(f"method:{one.method}:{name}"), Claim(now), 0, until) for name in checked.claims]
    if checked.advance is not None:
        before = snapshot.get(factor_key(one.method), FactorSet) or FactorSet()
        puts.append(snapshot.put(factor_key(one.method), before.replacing(checked.advance)))
        if one.method == RECOVERY_CODE and not checked.advance.data.get("codes"):
            after = roster.without(checked.advance.id, (factor.stands_for or "" for factor in roster.factors))
    if findings.fingerprint is not None and checked.proof is not None and checked.proof.factor_id is not None:
        after = roster.trusting(checked.proof.factor_id, findings.fingerprint, now)
    if after is roster:
        return tuple(puts), (snapshot.check(ROSTER),)
    return (*puts, snapshot.put(ROSTER, after)), ()


def _mint(
    one: Answering,
    request: Request,
    snapshot: Snapshot,
    findings: Findings,
    throttle: Throttle,
    used: tuple[tuple[Record, ...], tuple[Check, ...]],
    now: datetime,
    ids: Ids,
) -> tuple[Changes, Grant]:
    challenge, proof = one.challenge, proof_of(one, findings.checked)
    done = prove(challenge, proof, complete=True, grant_id=ids.grant)
    assert done is not None  # check_standing found it open
    binding, epochs, session_puts, session_checks = _session(challenge, snapshot, findings.rotated)
    items = tuple(Part(item_digest(one.binding, one.action.bound), one.rules.hash) for one in request.items)
    grant = mint(ids.grant, binding, request.rules, done.proofs, epochs, challenge.fence, now, challenge.uses, items)
    event = request.event(
        ids.event,
        now,
        EventType.ATTEMPT,
        "ok",
        method=one.method,
        challenge_id=challenge.id,
        grant_id=grant.id,
        detail={
            "amr": " ".join(grant.amr),
            "rotated": findings.rotated is not None,
            **signals_of(findings.checked),
            **_after_failures(one, request, snapshot, proof),
        },
    )
    event = _evidenced(event, challenge, findings.checked)
    assert findings.device is not None  # whoever concludes has made one
    devices, told = after_step_up(request, grant, snapshot, findings.device, one.limits, now)
    puts = (
        _challenge_put(snapshot, done),
        *(() if devices is None else (put(snapshot, devices, now),)),
        snapshot.put(THROTTLE, closing(throttle, challenge.id)),
        Record(grant_key(grant.id), Spend(grant.uses), 0, grant.expires_at + RETENTION),
        *_shelf_puts(request, snapshot, grant, challenge, now),
        *session_puts,
        *used[0],
        *_known_puts(request, snapshot, now),
    )
    checks = (Check(ACTOR_EPOCH, epochs[0]), Check(FENCE, challenge.fence), *session_checks, *used[1])
    trust = trust_checks(request, snapshot) if devices is None else ()
    return Changes(now, puts, (*checks, *trust), (event, *told)), grant


def _session(
    challenge: Challenge, snapshot: Snapshot, rotated: str | None
) -> tuple[Binding, tuple[int, int], tuple[Record, ...], tuple[Check, ...]]:
    """The session the grant is bound to: the challenge's, or the new one, in which case the old one ends."""
    old = session_epoch(challenge.binding.session)
    if rotated is None:
        return challenge.binding, challenge.epochs, (), (Check(old, challenge.epochs[1]),)
    new = session_epoch(rotated)
    version = snapshot.version(new)
    epochs = (challenge.epochs[0], version or 1)
    ended = Record(old, Epoch(), challenge.epochs[1])
    puts = (ended,) if version else (ended, Record(new, Epoch()))
    checks = (Check(new, version),) if version else ()
    return challenge.binding.in_session(rotated), epochs, puts, checks


def _shelf_puts(
    request: Request, snapshot: Snapshot, grant: Grant, challenge: Challenge, now: datetime
) -> tuple[Record, ...]:
    """The grant on its shelf; after a rotation, the old session's other grants with it."""
    session = grant.binding.session
    home = session if "session" in request.action.bound else None
    shelves: dict[str | None, Shelf] = {}
    before = snapshot.get(shelf_key(challenge.binding.session), Shelf)
    if before is not None and session is not None and session != challenge.binding.session:
        shelves = {challenge.binding.session: Shelf(before.epochs, before.fence)}
        if (before.epochs, before.fence) == (challenge.epochs, challenge.fence):  # what was revoked stays so
            shelves[session] = moved(before, session, grant.epochs)
    if home is not None or "session" not in request.action.bound:
        shelves[home] = shelved(shelves.get(home) or snapshot.get(shelf_key(home), Shelf), grant, now)
    return tuple(snapshot.put(shelf_key(key), shelf, expires_at=_until(shelf, now)) for key, shelf in shelves.items())


def _known_puts(request: Request, snapshot: Snapshot, now: datetime) -> tuple[Record, ...]:
    """Where the proof came from, for a gate that keeps a history: now, and never before it was accepted."""
    if request.visit is None:
        return ()
    known = proved_from(snapshot.get(KNOWN, Known) or Known(), request.visit, now)
    return (snapshot.put(KNOWN, known, expires_at=now + KEPT),)


def _until(shelf: Shelf, now: datetime) -> datetime:
    """When a shelf may go: a day after its last grant."""
    return max([now, *(grant.expires_at for grant in shelf.grants)]) + RETENTION


def _challenge_put(snapshot: Snapshot, challenge: Challenge) -> Record:
    return snapshot.put_challenge(challenge)
