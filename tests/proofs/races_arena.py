"""What is raced for, and one try at it: the gates, the people, and the items that many workers want at once.

- ``Place``: where a run's store is, so that every process opens it for itself.
- ``Arena``: one process's gates over that store; ``prepare`` makes items, ``attempt`` is one worker's try at one.

Whatever limits a person otherwise (delays, lock-outs, open challenges) is set out of reach: each race has one rule on
trial, and no second one may save it.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyotp
import sqlalchemy as sa
from races_approvals import Votes
from races_items import APPROVALS, Item, Outcome, Race
from races_verifiers import CODES, TOTP_SECRET, Barrier, Meeting, MeetingRecoveryCode, MeetingTOTP, Silent, Tally

from stepup import (
    Action,
    Actor,
    Context,
    Denied,
    Limits,
    Resource,
    Session,
    StepUp,
    StepUpRequired,
    StoreUnavailable,
    Verified,
)
from stepup import Item as Call
from stepup.bearer import to_claims
from stepup.binding import partition
from stepup.bundle import MAX_ITEMS
from stepup.changes import APPLIED, RETENTION, Changes, Record, grant_key
from stepup.decide.enrol import ADD
from stepup.grant import Grant, Spend
from stepup.ports import Store
from stepup.stores.memory import MemoryStore
from stepup.stores.sql import SQLStore
from stepup.testing.clock import START, FrozenClock
from stepup.testing.scripted import ScriptedVerifier

ATTEMPTS: Final = 5
_BATCH: Final = 200
_SECRET: Final = "for races only, never a real secret: 4821976350"
_ENOUGH: Final = 1_000_000
_ORG: Final = Resource("organization", "org_7", label="Northstar")


@dataclass(frozen=True)
class Place:
    """A store that several processes can open: a SQLite file, or tables of its own on a server.

    *kind* is the class of the store, which is how a broken one is put on trial.
    """

    name: str
    url: str
    prefix: str
    connections: int = 8
    timeout: float = 20.0
    kind: type[SQLStore] = SQLStore

    def open(self) -> SQLStore:
        """The store, with its tables."""
        if self.name == "sqlite":
            return self.kind.sqlite(Path(self.url), table_prefix=self.prefix, timeout=self.timeout)
        engine = sa.create_engine(
            self.url, pool_size=self.connections, max_overflow=0, pool_timeout=self.timeout, pool_use_lifo=False
        )
        store = self.kind(engine, table_prefix=self.prefix, timeout=self.timeout)
        store.create_schema()
        return store

    def close(self, store: SQLStore, *, drop: bool) -> None:
        """Give the connections back; *drop* takes the tables with them."""
        if drop:
            store.tables.record.metadata.drop_all(store.engine)
        store.engine.dispose()


def in_memory() -> MemoryStore:
    """A store for one process, with room for every race."""
    return MemoryStore(max_records=10_000_000, max_records_per_partition=_ENOUGH)


_SPENT: Final = frozenset({Race.GRANT, Race.ITEM, Race.COUNTED})
"""Races for what a token opens."""


class Arena:
    """One process's gates over *store*. Thread-safe, as gates are."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tally = Tally()
        touch = ScriptedVerifier("passkey", strength=40, answer="touch")
        self.spend = self._gate("spend", [touch], Action("x", "X", risk=4))
        self.count = self._gate("count", [touch], Action("x", "X"))
        self.guess = self._gate("guess", [self.tally], Action("x", "X"))
        self.meeting = Meeting()
        codes = [MeetingTOTP(self.meeting), MeetingRecoveryCode(self.meeting)]
        self.codes = self._gate("codes", codes, Action("x", "X"), mailer=Silent())
        self.votes = Votes(store, _SECRET)

    def _gate(self, namespace: str, verifiers: Sequence[Any], action: Action, **options: Any) -> StepUp:
        far = Limits(
            open_challenges=_ENOUGH,
            starts=_ENOUGH,
            lock_after=_ENOUGH,
            delay_after=_ENOUGH,
            disable_after=_ENOUGH,
            guess_budget=_ENOUGH,
        )
        return StepUp(
            actions=(action,),
            verifiers=verifiers,
            store=self.store,
            secret=_SECRET,
            clock=FrozenClock(),
            limits=far,
            namespace=namespace,
            **options,
        )

    # -- one try ------------------------------------------------------------------

    def attempt(self, race: Race, item: Item, racer: int) -> object:
        """What came of one try: what the gate answers, or raises."""
        if race in APPROVALS:
            return self.votes.attempt(race, item, racer)
        who = _context(item.person)
        if race in _SPENT:
            gate, resource = self.count if race is Race.COUNTED else self.spend, Resource("organization", item.resource)
            return gate.require("x", who, resource=resource, token=item.token)
        challenge = item.challenges[racer % len(item.challenges)]
        if race is Race.GUESS:
            return self.guess.verify(challenge, "pin", f"wrong {racer}", who)
        method = "totp" if race is Race.TOTP else "recovery_code"
        return self.codes.verify(challenge, method, item.answer, who)

    def outcome(self, race: Race, item: Item, racer: int, barrier: Barrier | None = None) -> tuple[Outcome, str]:
        """As ``attempt``, in one word; and the name of an exception that has no place here."""
        self.meeting.barrier = barrier if race in {Race.TOTP, Race.RECOVERY} else None
        try:
            return self._outcome(race, item, racer)
        finally:
            self.meeting.pass_by()

    def _outcome(self, race: Race, item: Item, racer: int) -> tuple[Outcome, str]:
        try:
            found = self.attempt(race, item, racer)
        except StoreUnavailable:
            return Outcome.UNAVAILABLE, ""
        except StepUpRequired:
            return Outcome.REFUSED, ""
        except Exception as error:
            if race in APPROVALS and isinstance(error, Denied):
                return Outcome.REFUSED, ""
            return Outcome.OTHER, f"{type(error).__name__}: {error}"
        won = self.votes.won(race, found) if race in APPROVALS else race in _SPENT or isinstance(found, Verified)
        return (Outcome.WON if won else Outcome.REFUSED), ""

    def settled(self, race: Race, item: Item) -> bool:
        """Whether what is left of an item, when all have tried, is what one of them after the other leaves."""
        return race not in APPROVALS or self.votes.settled(race, item)

    # -- what is raced for --------------------------------------------------------

    def prepare(self, race: Race, count: int, rng: random.Random) -> list[Item]:
        """*count* items, in no particular order."""
        if race in APPROVALS:
            return self.votes.prepare(race, count)
        made = {
            Race.GRANT: self._grants, Race.ITEM: self._bundled, Race.COUNTED: self._counted, Race.GUESS: self._guesses,
            Race.TOTP: self._totp, Race.RECOVERY: self._paper,
        }  # fmt: skip
        items = made[race](count)
        rng.shuffle(items)
        return items

    def _grants(self, count: int) -> list[Item]:
        """Tokens as ``verify`` mints them. One is proved for; the person's others are copies of it, under ids and
        records of their own, written many to a batch.
        """
        items: list[Item] = []
        for person, some in _people("spend", count, _BATCH):
            who = _context(person)
            proved = self.spend.verify(self.spend.start("x", who, resource=_ORG).id, "passkey", "touch", who)
            assert isinstance(proved, Verified), proved
            others = [replace(proved.grant, id=secrets.token_hex(16)) for _ in range(some - 1)]
            self._keep(who, others)
            core = self.spend.core
            signed = [core.grants.sign(to_claims(one, core.namespace, core.audience)) for one in others]
            items += [Item(person, token) for token in (proved.token, *signed)]
        return items

    def _bundled(self, count: int) -> list[Item]:
        """The items of bundles, as many to a bundle as there may be; each is raced for by itself."""
        items: list[Item] = []
        for person, some in _people("bundle", count, MAX_ITEMS):
            who, names = _context(person), [f"org_{number}" for number in range(some)]
            started = self.spend.start_bundle([Call("x", Resource("organization", name)) for name in names], who)
            proved = self.spend.verify(started.id, "passkey", "touch", who)
            assert isinstance(proved, Verified), proved
            items += [Item(person, proved.token, resource=name) for name in names]
        return items

    def _counted(self, count: int) -> list[Item]:
        """Grants of two uses, which more than two want."""
        items: list[Item] = []
        for person, _ in _people("count", count, 1):
            who = _context(person)
            proved = self.count.verify(self.count.start("x", who, resource=_ORG, uses=2).id, "passkey", "touch", who)
            assert isinstance(proved, Verified), proved
            items.append(Item(person, proved.token, uses=2))
        return items

    def _keep(self, who: Context, grants: Sequence[Grant]) -> None:
        puts = tuple(Record(grant_key(one.id), Spend(one.uses), 0, one.expires_at + RETENTION) for one in grants)
        answer = self.store.apply(partition("spend", who.actor), Changes(START, puts))
        assert answer is APPLIED, answer

    def _guesses(self, count: int) -> list[Item]:
        return [
            Item(person, challenges=(self.guess.start("x", _context(person), resource=_ORG).id,))
            for person, _ in _people("guess", count, 1)
        ]

    def _totp(self, count: int) -> list[Item]:
        code = pyotp.TOTP(TOTP_SECRET).at(START)
        return [
            Item(person, challenges=self._two_challenges(person, 0), answer=code)
            for person, _ in _people("totp", count, 1)
        ]

    def _paper(self, count: int) -> list[Item]:
        items: list[Item] = []
        for person, some in _people("paper", count, CODES):
            who = _context(person)
            to_add = self.codes.start(
                ADD, who, resource=Resource("factors", person), params={"method": "recovery_code"}
            )
            proved = self.codes.verify(to_add.id, "totp", pyotp.TOTP(TOTP_SECRET).at(START), who)
            assert isinstance(proved, Verified), proved
            codes = self.codes.factors.new_recovery_codes(who)
            items += [
                Item(person, challenges=self._two_challenges(person, n), answer=code)
                for n, code in enumerate(codes[:some])
            ]
        return items

    def _two_challenges(self, person: str, number: int) -> tuple[str, ...]:
        who = _context(person)
        resources = (Resource("r", f"{number}.{one}") for one in range(2))
        return tuple(self.codes.start("x", who, resource=one).id for one in resources)


def _people(kind: str, count: int, each: int) -> Iterator[tuple[str, int]]:
    """New people, and how many items of *count* each of them gets: at most *each*."""
    for done in range(0, count, each):
        yield f"{kind}_{secrets.token_hex(8)}", min(each, count - done)


def _context(person: str) -> Context:
    """A request of this person's, always from the same session, opened too long ago to count for anything."""
    return Context(
        Actor(person, email="olivia@northstar.example"), session=Session(f"session of {person}"), ip="192.0.2.7"
    )
