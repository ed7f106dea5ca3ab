"""The judge: what may have happened, by ``faults_rules`` and by what can be seen from outside the engine.

Three kinds of sight, none of them the engine's opinion: what a verifier was asked and said (``checking``,
``checked``), what the store really committed (``committed``), what a caller was told or did (``ran``, ``told_...``).
``blame`` collects what must never be:

- an action that ran without a completed proof for that very call, person and session, or after its end;
- a grant that let more calls run than it has uses;
- an answer that a verifier saw uncounted, or more of them than a challenge takes;
- a code, an authenticator's step or a recovery code accepted twice, or one that was replaced;
- a proof told of that the store does not have; a factor enrolled, removed or unlocked without one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from faults_rules import ADD, MOST_ANSWERS, REMOVE, RULES, UNLOCK, Call, Params, Rule, Thing, Who

from stepup import Challenge, Context, Event
from stepup.challenge import State
from stepup.changes import Changes, Key, Partition
from stepup.event import EventType
from stepup.factor import FactorSet
from stepup.testing import FrozenClock


@dataclass
class Opened:
    """A challenge as it came into being, and what the verifiers accepted for it."""

    actor: str
    since: int
    accepted: list[tuple[str, str, str, Who]] = field(default_factory=list)
    call: tuple[str, Thing, Params, Who] | None = None
    methods: set[str] = field(default_factory=set)
    cancelled: bool = False


@dataclass
class Completed:
    """A challenge that the store has as verified: what it opens, for whom, until when, and what ran on it."""

    action: str
    thing: Thing
    params: Params
    place: Who
    methods: frozenset[str]
    since: int
    until: datetime
    requests: list[str | None] = field(default_factory=list)
    ended: bool = False
    token_ended: bool = False


class Ledger:
    """Everything seen of one world. ``blamed`` is what must never have been."""

    def __init__(self, clock: FrozenClock) -> None:
        self.clock = clock
        self.blamed: list[str] = []
        self.people: dict[Partition, str] = {}
        self.newcomers: set[str] = set()
        self.runs: list[str] = []
        self.audit: list[str] = []
        self.seq = 0
        self.most_wrong: int | None = None
        self.rotating: tuple[Who, str] | None = None
        self._wrong = 0
        self._asked: dict[str, int] = defaultdict(int)
        self._counted: dict[str, int] = defaultdict(int)
        self._parts: dict[str, int] = defaultdict(int)
        self._opened: dict[str, Opened] = {}
        self._grants: dict[str, Completed] = {}
        self._enrolling: dict[str, int] = {}
        self._used: set[tuple[str, ...]] = set()
        self._told: set[tuple[str, ...]] = set()
        self._mailed: dict[str, str] = {}
        self._ended: dict[tuple[str, ...], int] = defaultdict(lambda: -1)
        self._values: dict[tuple[Partition, Key], object] = {}
        self._sessions: dict[Who, str] = {}

    def blame(self, what: str) -> None:
        """This must never be."""
        self.blamed.append(what)

    # -- what a verifier sees -------------------------------------------------------

    def checking(self, challenge: Challenge, method: str) -> None:
        """A verifier is about to look at an answer."""
        self._asked[challenge.id] += 1
        asked, counted = self._asked[challenge.id], self._counted[challenge.id]
        if asked > counted:
            self.blame(f"the verifier of {method} ran {asked} times on {counted} counted answers")
        if asked - self._parts[challenge.id] > MOST_ANSWERS:
            self.blame(f"the verifier of {method} ran {asked} times for one challenge")

    def checked(self, challenge: Challenge, method: str, answer: object, who: Context, *, accepted: bool) -> None:
        """What it found."""
        if not accepted:
            self._wrong += 1
            if self.most_wrong is not None and self._wrong > self.most_wrong:
                self.blame(f"{self._wrong} wrong answers were looked at, of {self.most_wrong} before the lock")
            return
        place = (who.actor.id, who.session.id if who.session else "")
        opened = self._opened.setdefault(challenge.id, Opened(who.actor.id, self._enrolling.get(challenge.id, -1)))
        bound = challenge.binding
        thing = None if bound.resource_type is None else (bound.resource_type, bound.resource_id or "")
        opened.call = (bound.action, thing, json.loads(challenge.params) if challenge.params else None, place)
        opened.accepted.append((method, str(answer), who.actor.id, place))

    # -- what the store has ------------------------------------------------------------

    def committed(self, partition: Partition, changes: Changes) -> None:
        """A batch was really written."""
        self.seq += 1
        actor = self.people[partition]
        if changes.erase:
            self._values = {at: value for at, value in self._values.items() if at[0] != partition}
        verified = []
        for put in changes.puts:
            before = self._values.get((partition, put.key))
            self._values[partition, put.key] = put.value
            if isinstance(put.value, Challenge):
                old = before if isinstance(before, Challenge) else None
                self._counted[put.value.id] += max(0, put.value.attempts - (old.attempts if old else 0))
                if put.value.state is State.VERIFIED and (old is None or old.state is not State.VERIFIED):
                    verified.append(put.value)
            elif isinstance(put.value, FactorSet):
                self._count_confirmations(before if isinstance(before, FactorSet) else FactorSet(), put.value)
        for event in changes.events:
            self.audit.append(str(event.type) if event.result == "ok" else f"{event.type}:{event.result}")
            self._event(actor, event)
        for challenge in verified:
            if not any(one.result == "ok" and one.challenge_id == challenge.id for one in changes.events):
                self.blame("a challenge was verified without an event in the same batch")

    def purged(self, before: datetime) -> None:
        """Nothing to see: that nothing live is gone shows when it is used."""

    def _count_confirmations(self, before: FactorSet, after: FactorSet) -> None:
        for one in after.factors:
            old = before.get(one.id)
            tries = old.pending.tries if old and old.pending else 0
            if one.pending is not None:
                self._counted[f"enrol:{one.id}"] += max(0, one.pending.tries - tries)

    def _event(self, actor: str, event: Event) -> None:
        challenge = event.challenge_id or ""
        match event.type:
            case EventType.CHALLENGE_STARTED:
                self._opened[challenge] = Opened(actor, self.seq)
            case EventType.CHALLENGE_CANCELLED:
                self._opened[challenge].cancelled = True
            case EventType.ATTEMPT if event.result in {"ok", "open"}:
                self._proved(actor, event)
            case EventType.UNLOCKED:
                self._permitted(str(event.detail.get("by")), UNLOCK, ("actor", actor), None, "somebody was unlocked")
                self._wrong = 0
            case EventType.GRANT_REVOKED:
                self._end_grant(event.grant_id)
            case EventType.SESSION_REVOKED:
                self._end_hashed(actor, str(event.detail.get("session")))
            case EventType.SESSION_ROTATED:
                self._moved()
            case _:
                self._of_the_person(actor, event)

    def _of_the_person(self, actor: str, event: Event) -> None:
        """Factors, and what ends everything that was opened before."""
        factor = str(event.detail.get("factor", ""))
        match event.type:
            case EventType.FACTOR_ENROLMENT_STARTED:
                self._permitted(actor, ADD, ("factors", actor), {"method": event.method}, "an enrolment began")
                self._enrolling[f"enrol:{factor}"] = self.seq
            case EventType.FACTOR_ENROLLED:
                self._enrolled(actor, event, factor)
                self._end(actor)
            case EventType.FACTOR_REMOVED:
                self._permitted(actor, REMOVE, ("factor", factor), None, "a factor was removed")
                self._end(actor)
            case EventType.FACTOR_CHANGED | EventType.EVERYTHING_REVOKED | EventType.FORGOTTEN:
                self._end(actor)
            case _:
                pass

    def _proved(self, actor: str, event: Event) -> None:
        """An answer counted: as the last one, or as a part."""
        opened = self._opened.get(event.challenge_id or "")
        found = [one for one in opened.accepted if one[0] == event.method] if opened else []
        if opened is None or not found or opened.call is None:
            self.blame(f"{event.method} counted as proved, which no verifier had accepted")
            return
        method, answer, who, place = found[-1]
        self._sessions[place] = event.session or ""
        if who != actor:
            self.blame(f"{who} proved what is {actor}'s")
        if opened.cancelled:
            self.blame("a cancelled challenge was proved")
        if opened.since <= max(self._ended[actor,], self._ended[place]):
            self.blame("a challenge was proved after its end")
        self._use(method, answer, event.challenge_id or "", actor)
        opened.methods.add(method)
        if event.result == "open":
            self._parts[event.challenge_id or ""] += 1
            return
        action, thing, params, _ = opened.call
        if event.detail.get("rotated"):
            self._moved()
            place = (actor, self._session_now(place))
        until = self.clock.now() + timedelta(seconds=RULES[action].life)
        made = Completed(action, thing, params, place, frozenset(opened.methods), self.seq, until)
        self._grants[event.grant_id or ""] = made
        if not any(way <= made.methods for way in RULES[action].ways):
            self.blame(f"{action} was granted for {sorted(made.methods)}")

    def _use(self, method: str, answer: str, challenge: str, actor: str) -> None:
        if method == "password":
            return
        if method == "email_code" and self._mailed.get(challenge) != answer:
            self.blame("a mailed code counted that is not the newest")
        used = _once(method, answer, challenge, actor)
        if used in self._used:
            self.blame(f"the same {method} answer counted twice")
        self._used.add(used)

    def _permitted(self, actor: str, action: str, thing: Thing, params: Params, what: str) -> None:
        for one in self._grants.values():
            mine = one.place[0] == actor and (one.action, one.thing, one.params) == (action, thing, params)
            if mine and self._alive(one) and any(way <= one.methods for way in RULES[action].ways):
                return
        if actor in self.newcomers and action == ADD:
            return
        self.blame(f"{what} without proof")

    def _enrolled(self, actor: str, event: Event, factor: str) -> None:
        if event.method == "recovery_code":
            self._permitted(actor, ADD, ("factors", actor), {"method": "recovery_code"}, "recovery codes were made")
            return
        began = self._enrolling.get(f"enrol:{factor}", -1)
        accepted = self._opened.get(f"enrol:{factor}")
        if began < 0 or began <= self._ended[actor,]:
            self.blame("a factor was enrolled whose enrolment had not begun, or had ended")
        if accepted is None or not accepted.accepted:
            self.blame("a factor was enrolled whose first code nobody accepted")
        else:
            self._use("totp", accepted.accepted[-1][1], factor, actor)
        self.newcomers.discard(actor)

    def _alive(self, one: Completed) -> bool:
        ended = one.ended or one.since <= max(self._ended[one.place[0],], self._ended[one.place])
        return not ended and self.clock.now() < one.until

    # -- what ends -----------------------------------------------------------------------

    def _end(self, actor: str) -> None:
        self._ended[actor,] = self.seq

    def _end_grant(self, grant: str | None) -> None:
        if grant in self._grants:
            self._grants[grant].ended = True

    def _end_hashed(self, actor: str, session: str) -> None:
        for place, hashed in self._sessions.items():
            if place[0] == actor and hashed == session:
                self._ended[place] = self.seq

    def _moved(self) -> None:
        """The session being rotated has its new id: what stood in it moves, its tokens do not."""
        if self.rotating is None:
            self.blame("a session was rotated that nobody rotates")
            return
        old, new = self.rotating
        for grant, one in self._grants.items():
            if one.place == old and not one.ended and one.since > max(self._ended[old[0],], self._ended[old]):
                self._grants[grant] = replace(one, place=(old[0], new), token_ended=True)
        self._ended[old] = self.seq

    def _session_now(self, place: Who) -> str:
        return self.rotating[1] if self.rotating is not None and self.rotating[0] == place else place[1]

    # -- what callers are told, and do -----------------------------------------------------

    def mailed(self, challenge: str, code: str) -> None:
        """A code was handed to the mail system; it replaces those before."""
        self._mailed[challenge] = code

    def told_everything_revoked(self, who: Who) -> None:
        """Revoking everything, forgetting, or a change of factors, was acknowledged."""
        self._end(who[0])

    def told_session_revoked(self, who: Who) -> None:
        """Revoking the session was acknowledged."""
        self._ended[who] = self.seq

    def told_grant_revoked(self, grant: str) -> None:
        """Revoking the grant was acknowledged."""
        self._end_grant(grant)

    def told_cancelled(self, challenge: str) -> None:
        """Cancelling was acknowledged."""
        self._opened.setdefault(challenge, Opened("", -1)).cancelled = True

    def told_used(self, method: str, answer: str, actor: str) -> None:
        """The application's own login used it, and reporting that was acknowledged."""
        self._used.add((method, answer, actor))

    def told_proved(self, challenge: str, method: str, answer: str, actor: str, grant: str | None) -> None:
        """A caller was told that an answer was right; with *grant*, that it was the last one."""
        opened = self._opened.get(challenge)
        if opened is None or method not in opened.methods:
            self.blame(f"a caller was told of a proof by {method} that is not in the store")
        if grant is not None and grant not in self._grants:
            self.blame("a caller was given a grant that is not in the store")
        if method != "password":
            used = _once(method, answer, challenge, actor)
            if used in self._told:
                self.blame(f"a caller was told twice that the same {method} answer was right")
            self._told.add(used)

    def ran(self, call: Call, by: str | None, grant: str | None, request: str | None, *, advice: bool = False) -> None:
        """A guarded action ran, or (*advice*) a check said that it would."""
        if not advice:
            self.runs.append(call.action)
        rule, what = RULES[call.action], f"{call.action} {'would run' if advice else 'ran'}"
        if by == "session":
            signed_in = call.who.session.authenticated_at if call.who.session else None
            age = None if signed_in is None else (self.clock.now() - signed_in).total_seconds()
            if age is None or not rule.fresh or age >= rule.fresh:
                self.blame(f"{what} on a session that is not fresh")
        elif by == "step_up":
            alive = [one for one in self._grants.values() if one.place == call.place and self._alive(one)]
            if not alive or not rule.fresh:
                self.blame(f"{what} on an earlier step-up that there is not")
        else:
            self._ran_on_grant(call, rule, by, self._grants.get(grant or ""), request, what, advice=advice)

    def _ran_on_grant(
        self,
        call: Call,
        rule: Rule,
        by: str | None,
        one: Completed | None,
        request: str | None,
        what: str,
        *,
        advice: bool,
    ) -> None:
        if by not in {"token", "grant"} or one is None:
            self.blame(f"{what} without a completed proof")
            return
        same = (one.action, one.thing, one.params) == (call.action, call.thing, call.params)
        grouped = rule.group is not None and RULES[one.action].group == rule.group
        if not (same or grouped) or one.place != call.place:
            self.blame(f"{what} on a proof for something else")
        if not self._alive(one) or (by == "token" and one.token_ended):
            self.blame(f"{what} on a proof that had ended")
        if by == "grant" and rule.token:
            self.blame(f"{what} without its token")
        if advice:
            return
        if request is None or request not in one.requests:
            one.requests.append(request)
        uses = RULES[one.action].uses
        if uses is not None and len(one.requests) > uses:
            self.blame(f"{what} {len(one.requests)} times on a grant of {uses}")


def _once(method: str, answer: str, challenge: str, actor: str) -> tuple[str, ...]:
    """What may count once: a mailed code in its challenge, anything else for the person."""
    return (method, answer, challenge if method == "email_code" else actor)
