"""The last right answer: challenge closed, grant on the shelf, the session rotated, all in one batch."""

from __future__ import annotations

from datetime import datetime

from stepup.binding import Binding
from stepup.bundle import Part, item_digest
from stepup.challenge import Challenge, prove
from stepup.changes import (
    ACTOR_EPOCH,
    FENCE,
    KNOWN,
    RETENTION,
    THROTTLE,
    Changes,
    Check,
    Epoch,
    Record,
    Snapshot,
    grant_key,
    session_epoch,
    shelf_key,
)
from stepup.context import APPROVAL
from stepup.event import EventType
from stepup.grant import Grant, Shelf, Spend, mint, moved, shelved
from stepup.history import KEPT, Known, proved_from
from stepup.throttle import Throttle, closing

from .acceptance import after_failures, evidenced, proof_of, signals_of
from .answering import Answering, Findings
from .device import after_step_up, put, trust_checks
from .request import Ids, Request


def minted(
    one: Answering,
    request: Request,
    snapshot: Snapshot,
    findings: Findings,
    throttle: Throttle,
    used: tuple[tuple[Record, ...], tuple[Check, ...]],
    now: datetime,
    ids: Ids,
) -> tuple[Changes, Grant]:
    """Close the challenge and make its grant, with all that goes with that; *used* is what the answer used up."""
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
            **after_failures(one, request, snapshot, proof),
        },
    )
    event = evidenced(event, challenge, findings.checked)
    assert findings.device is not None  # whoever concludes has made one
    devices, told = after_step_up(request, grant, snapshot, findings.device, one.limits, now)
    puts = (
        snapshot.put_challenge(done),
        *(() if devices is None else (put(snapshot, devices, now),)),
        snapshot.put(THROTTLE, closing(throttle, challenge.id)),
        Record(grant_key(grant.id), Spend(grant.uses), 0, grant.expires_at + RETENTION),
        *_shelf_puts(request, snapshot, grant, challenge, now),
        *session_puts,
        *used[0],
        *_known_puts(request, grant, snapshot, now),
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


def _known_puts(request: Request, grant: Grant, snapshot: Snapshot, now: datetime) -> tuple[Record, ...]:
    """Where the proof came from, for a gate that keeps a history: now, and never before it was accepted.

    What others approved shows nothing of who asked, so it alone makes no place known.
    """
    if request.visit is None or all(proof.method == APPROVAL for proof in grant.proofs):
        return ()
    known = proved_from(snapshot.get(KNOWN, Known) or Known(), request.visit, now)
    return (snapshot.put(KNOWN, known, expires_at=now + KEPT),)


def _until(shelf: Shelf, now: datetime) -> datetime:
    """When a shelf may go: a day after its last grant."""
    return max([now, *(grant.expires_at for grant in shelf.grants)]) + RETENTION
