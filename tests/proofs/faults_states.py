"""What must hold after a restart: the journal of one person (``Evidence``), what the store has of them (``Held``), and
``illegal``, which says what must not be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from faults_client import USES, Desk
from faults_people import CODES, NAMESPACE, Person, actor_of
from faults_stores import everything

from stepup import Event
from stepup.binding import partition
from stepup.challenge import Challenge, State
from stepup.changes import ACTOR_EPOCH, Key, Record, claim_key, grant_key
from stepup.event import EventType
from stepup.factor import FactorSet
from stepup.grant import Shelf, Spend

# -- what is known ---------------------------------------------------------------------------


@dataclass
class Evidence:
    """The journal of one person, sorted; the numbers are places in it."""

    minted: dict[str, tuple[int, str, str, str, str]] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    checked: Counter[str] = field(default_factory=Counter)
    accepted: Counter[tuple[str, str]] = field(default_factory=Counter)
    answered: set[tuple[str, str]] = field(default_factory=set)
    asked: dict[str, tuple[int, str]] = field(default_factory=dict)
    ran: list[tuple[int, str, str]] = field(default_factory=list)
    revoked: list[tuple[int, int, str, str, str]] = field(default_factory=list)


def evidence(lines: Sequence[Sequence[Any]], who: str) -> Evidence:
    """What the journal says of *who*."""
    made, revoking = Evidence(), dict[str, tuple[int, str, str, str]]()
    for at, line in enumerate(lines):
        match line:
            case ["redeem", number, person, session, _] if person == who:
                made.asked[number] = (at, session)
            case ["ran", number, grant, action] if number in made.asked:
                made.ran.append((made.asked[number][0], grant, action))
            case ["revoke", number, person, session, what, grant] if person == who:
                revoking[number] = (at, session, what, grant)
            case ["revoked", number] if number in revoking:
                begun, session, what, grant = revoking[number]
                made.revoked.append((begun, at, session, what, grant))
            case ["cancelled", challenge, True]:
                made.cancelled.add(challenge)
            case [kind, person, *rest] if person == who:
                _proving(made, at, kind, rest)
            case _:
                pass
    made.cancelled &= made.started
    return made


def _proving(made: Evidence, at: int, kind: str, rest: Sequence[Any]) -> None:
    match kind, *rest:
        case ["minted", session, challenge, grant, action, token]:
            made.minted[grant] = (at, session, challenge, action, token)
        case ["started", _, challenge, _]:
            made.started.add(challenge)
        case ["checked", challenge, _, _]:
            made.checked[challenge] += 1
        case ["accepted", _, challenge, method, answer]:
            made.accepted[_once(method, answer, challenge)] += 1
        case ["answering", _, challenge, method, answer]:
            made.answered.add(_once(method, answer, challenge))
        case _:
            pass


def _once(method: str, answer: str, challenge: str) -> tuple[str, str]:
    return method, f"{challenge} {answer}" if method == "email_code" else answer


@dataclass(frozen=True)
class Held:
    """What the store has of one person."""

    records: Mapping[Key, Record]
    events: Sequence[Event]

    def of(self, kind: str, *types: type) -> Iterator[tuple[str, Any]]:
        """The values of one kind of record, by id."""
        for key, record in self.records.items():
            if key.kind == kind and isinstance(record.value, types or (object,)):
                yield key.id, record.value

    def count(self, kind: EventType, result: str = "ok", **values: object) -> int:
        """How many events are like that."""
        return sum(
            one.type is kind
            and one.result == result
            and all(getattr(one, name) == value for name, value in values.items())
            for one in self.events
        )


def held(desk: Desk, person: Person) -> Held:
    """Everything that the store has of *person*; raises what reading it raises."""
    events: list[Event] = []
    after = None
    while True:
        page = desk.gate.events(actor_of(person["id"]), after=after, limit=500)
        events += page.items
        after = page.after
        if after is None:
            return Held(everything(desk.store, partition(NAMESPACE, actor_of(person["id"]))), events)


# -- what must hold ---------------------------------------------------------------------------


def illegal(known: Evidence, here: Held, versions: Mapping[Key, int]) -> Iterator[str]:
    """What must not be."""
    yield from _acknowledged(known, here)
    yield from _challenges(known, here)
    yield from _grants(known, here)
    yield from _once_only(known, here)
    yield from _epochs(here)
    for key, version in versions.items():
        now = here.records.get(key)
        if now is None or now.version < version:
            yield f"the version of a {key.kind} went back from {version} to {now.version if now else 'nothing'}"
    ids = Counter(one.id for one in here.events)
    if len(ids) != len(here.events):
        yield "an event is there twice"


def _acknowledged(known: Evidence, here: Held) -> Iterator[str]:
    challenges = dict(here.of("challenge", Challenge))
    if known.started - challenges.keys():
        yield "a challenge that was acknowledged is not there"
    for grant, (_, _, challenge, _, _) in known.minted.items():
        one = challenges.get(challenge)
        if one is None or one.state is not State.VERIFIED or one.grant_id != grant:
            yield "a grant that was acknowledged has no verified challenge"
        if grant_key(grant) not in here.records:
            yield "a grant that was acknowledged has no record"
    for challenge in known.cancelled & challenges.keys():
        if challenges[challenge].state is not State.CANCELLED:
            yield "a challenge whose cancelling was acknowledged is not cancelled"
    for begun, ended, session, what, grant in known.revoked:
        for at, one, _ in known.ran:
            minted = known.minted.get(one)
            before = minted is not None and minted[0] < begun
            if at > ended and minted is not None and before and _covers(what, session, grant, one, minted[1]):
                yield f"a call ran after revoking the {what} was acknowledged"


def _covers(what: str, session: str, grant: str, one: str, minted_in: str) -> bool:
    return what == "everything" or (what == "session" and session == minted_in) or (what == "grant" and grant == one)


def _challenges(known: Evidence, here: Held) -> Iterator[str]:
    for ident, one in here.of("challenge", Challenge):
        proved = [event for event in here.events if event.challenge_id == ident and event.type is EventType.ATTEMPT]
        right = [event for event in proved if event.result == "ok"]
        parts = sum(event.result == "open" for event in proved)
        if here.count(EventType.CHALLENGE_STARTED, challenge_id=ident) != 1:
            yield "a challenge has no event of its start, or several"
        if (one.state is State.VERIFIED) != (len(right) == 1) or len(right) > 1:
            yield f"a challenge is {one.state.value} with {len(right)} events of success"
        if one.state is State.VERIFIED and (not right or right[0].grant_id != one.grant_id):
            yield "a verified challenge and its event name different grants"
        if (one.state is State.CANCELLED) != (here.count(EventType.CHALLENGE_CANCELLED, challenge_id=ident) == 1):
            yield f"a challenge is {one.state.value}, and its events say otherwise"
        if known.checked[ident] > one.attempts + parts:
            yield f"a verifier looked at {known.checked[ident]} answers, of which {one.attempts + parts} were counted"
        if one.attempts > one.max_attempts or len(proved) - parts > one.attempts + _unlooked(proved):
            yield f"a challenge counts {one.attempts} answers, and has {len(proved)} events"


def _unlooked(events: Sequence[Event]) -> int:
    """Events of answers that were refused before they were counted."""
    return sum(event.result == "refused" and event.reason not in {"wrong", "replayed"} for event in events)


def _grants(known: Evidence, here: Held) -> Iterator[str]:
    minted = {
        event.grant_id: event for event in here.events if event.type is EventType.ATTEMPT and event.result == "ok"
    }
    ran = Counter(grant for _, grant, _ in known.ran)
    for grant, spend in here.of("grant", Spend):
        if grant not in minted:
            yield "a grant has no event of its proof"
            continue
        used = here.count(EventType.AUTHORIZATION, grant_id=grant)
        yield from _spending(grant, spend, USES[str(minted[grant].action)], used, here)
        if ran[grant] > used:
            yield f"{ran[grant]} calls ran on {used} recorded redemptions"
    if any(grant_key(str(grant)) not in here.records for grant in ran):
        yield "a call ran on a grant that is not there"
    for _, shelf in here.of("shelf", Shelf):
        if any(one.id not in minted for one in shelf.grants):
            yield "a grant on a shelf has no event of its proof"


def _spending(grant: str, spend: Spend, uses: int | None, used: int, here: Held) -> Iterator[str]:
    revoked = here.count(EventType.GRANT_REVOKED, grant_id=grant)
    claimed = claim_key(f"grant:{grant}") in here.records
    if spend.revoked != (revoked == 1):
        yield f"a grant is {'' if spend.revoked else 'not '}revoked, with {revoked} events that say so"
    if uses is not None and used > uses:
        yield f"a grant of {uses} was redeemed {used} times"
    if uses == 1 and claimed != bool(used or revoked):
        yield f"a grant is {'' if claimed else 'not '}claimed, with {used} redemptions and {revoked} revocations"
    if uses is not None and uses > 1 and spend.remaining != uses - used:
        yield f"a grant of {uses} has {spend.remaining} left after {used} redemptions"


def _once_only(known: Evidence, here: Held) -> Iterator[str]:
    for (method, _), times in known.accepted.items():
        if method != "password" and times > 1:
            yield f"the same {method} answer was accepted {times} times"
    proofs = Counter(
        event.method for event in here.events if event.type is EventType.ATTEMPT and event.result in {"ok", "open"}
    )
    tried = Counter(method for method, _ in known.answered)
    for method in ("totp", "email_code", "recovery_code"):
        if proofs[method] > tried[method]:
            yield f"{method} counted {proofs[method]} times for {tried[method]} different answers"
    sets = dict(here.of("factor", FactorSet))
    left = sum(len(cast("tuple[str, ...]", one.data["codes"])) for one in sets["recovery_code"].factors)
    if CODES - left != proofs["recovery_code"]:
        yield f"{CODES - left} recovery codes are used, with {proofs['recovery_code']} events"
    if any((one.data["last_step"] != -1) != (proofs["totp"] > 0) for one in sets["totp"].factors):
        yield f"the authenticator's last step does not go with its {proofs['totp']} events"
    mailed = sum(key.kind == "claim" and key.id.startswith("method:email_code:") for key in here.records)
    if mailed != proofs["email_code"]:
        yield f"{mailed} mailed codes are claimed, with {proofs['email_code']} events"


def _epochs(here: Held) -> Iterator[str]:
    for key, record in here.records.items():
        if key == ACTOR_EPOCH and record.version != 1 + here.count(EventType.EVERYTHING_REVOKED):
            yield f"the person's epoch is {record.version}, and the events say otherwise"
        if key.kind == "epoch" and key != ACTOR_EPOCH:
            ended = sum(
                event.type is EventType.SESSION_REVOKED and f"session:{event.detail.get('session')}" == key.id
                for event in here.events
            )
            if record.version != 1 + ended:
                yield f"a session's epoch is {record.version}, and {ended} events end the session"
