"""Records, and the one all-or-nothing batch that changes them.

A ``Record`` is a typed value under a ``Key`` in a person's partition, with the version it was read at.
``Changes`` is everything one decision writes: puts, checks, events, and the decision's own time. A store
answers ``APPLIED`` or ``Lost``; anything else means refuse.

A decision may rely only on records that it also puts or checks.

========= ======================= ============================================ ====================
kind      id                      value                                        expires
========= ======================= ============================================ ====================
fence     (empty)                 Fence: the store's own, same in every partition never
epoch     actor, session:<hash>   Epoch: only its version matters              never
throttle  (empty)                 Throttle                                     never
roster    (empty)                 Roster                                       never
known     (empty)                 Known                                        last proof + 90 days
told      (empty)                 Told                                         never; of a mailbox: its last mail + 25 h
account   (empty)                 Account                                      never
devices   (empty)                 DeviceSet                                    its last device + 24 h
factor    method                  FactorSet                                    never
challenge challenge id            Challenge                                    its end + 24 h
shelf     session hash, or empty  Shelf                                        last grant + 24 h
grant     grant id                Spend                                        grant's end + 24 h
claim     what is claimed         Claim                                        token's end + 24 h
========= ======================= ============================================ ====================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, NamedTuple, TypeVar, final

from .challenge import Challenge, State
from .device import DeviceSet
from .errors import ContractBroken
from .event import Event
from .factor import FactorSet, Roster
from .grant import Claim, Shelf, Spend
from .history import Known
from .throttle import Throttle
from .told import Told

Partition = str
FOREVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
RETENTION: Final = timedelta(hours=24)
"""How long a record is kept after its end, so that clocks may differ and a claim outlives its token."""


class Key(NamedTuple):
    """Names a record within a partition. Both parts are ASCII, at most 64 and 192 characters."""

    kind: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Epoch:
    """Carries nothing: its record's version is what tokens, challenges and grants refer to."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Carries nothing: its version changes whenever acknowledged writes may have been lost."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the application has said of the person: disabled since then, or not.

    It changes only together with the actor's epoch, so a batch that checks the epoch may rely on it.
    """

    disabled_at: datetime | None = None


Value = (
    Account
    | Challenge
    | Claim
    | DeviceSet
    | Epoch
    | FactorSet
    | Fence
    | Known
    | Roster
    | Shelf
    | Spend
    | Throttle
    | Told
)
V = TypeVar("V")

FENCE: Final = Key("fence")
ACTOR_EPOCH: Final = Key("epoch", "actor")
THROTTLE: Final = Key("throttle")
ROSTER: Final = Key("roster")
KNOWN: Final = Key("known")
TOLD: Final = Key("told")
ACCOUNT: Final = Key("account")
DEVICES: Final = Key("devices")


def session_epoch(session: str | None) -> Key:
    """The epoch of a session hash; calls without a session share one."""
    return Key("epoch", f"session:{session or ''}")


def challenge_key(challenge_id: str) -> Key:
    """The record of a challenge."""
    return Key("challenge", challenge_id)


def factor_key(method: str) -> Key:
    """The record of a person's stored factors of *method*."""
    return Key("factor", method)


def grant_key(grant_id: str) -> Key:
    """The record that counts or ends a grant."""
    return Key("grant", grant_id)


def claim_key(what: str) -> Key:
    """The record of something that can happen once."""
    return Key("claim", what)


def shelf_key(session: str | None) -> Key:
    """The shelf of a session hash; None names the person's shelf for grants bound to no session."""
    return Key("shelf", session or "")


@dataclass(frozen=True, slots=True)
class Record:
    """A value as it was read, or as it is to be written.

    ``version`` is the version read; 0 means that it must not exist yet. After a successful put the stored
    version is one higher. ``expires_at`` permits deletion later and means nothing else. ``tag`` makes it
    listable.
    """

    key: Key
    value: Value
    version: int = 0
    expires_at: datetime = FOREVER
    tag: str | None = None


class Check(NamedTuple):
    """A version that must hold when the batch commits, and is not written."""

    key: Key
    version: int


@dataclass(frozen=True, slots=True)
class Changes:
    """One batch: all of it happens, or nothing.

    ``at`` is the decision's time. ``erase`` deletes every other record of the partition but its epochs,
    and all its earlier events, in the same moment.
    """

    at: datetime
    puts: tuple[Record, ...] = ()
    checks: tuple[Check, ...] = ()
    events: tuple[Event, ...] = ()
    erase: bool = False


@final
class Applied:
    """The type of ``APPLIED``, of which there is one object. It has no truth value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "APPLIED"

    def __bool__(self) -> bool:
        raise TypeError("Compare the answer of apply() with `is APPLIED`.")


APPLIED: Final = Applied()


@final
@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing was written: the record under ``key`` was not at its version.

    ``Lost(None)`` is a conflict of unknown cause (serialization failure, deadlock). It has no truth value.
    """

    key: Key | None

    def __bool__(self) -> bool:
        raise TypeError("Compare the answer of apply() with `is APPLIED`.")


@dataclass(frozen=True, slots=True)
class Page(Generic[V]):
    """Part of a listing, of records or of events. ``after`` continues it; None at the end."""

    items: tuple[V, ...] = ()
    after: str | None = None


def _could_stand_under(key: Key, record: object) -> bool:
    """Whether a store may answer *record* for *key*; a port's answer is never taken on trust."""
    if not isinstance(record, Record) or record.key != key:
        return False
    version: object = record.version
    return type(version) is int and version > 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was loaded for a decision, by key."""

    records: Mapping[Key, Record | None] = field(default_factory=dict[Key, Record | None])

    @classmethod
    def of(cls, keys: Sequence[Key], loaded: object) -> Snapshot:
        """Pair *keys* with what a store answered.

        Raises:
            ContractBroken: if that is not one record or None per key, in order.
        """
        if not isinstance(loaded, list | tuple) or len(loaded) != len(keys):  # pyright: ignore[reportUnknownArgumentType] -- only counted
            raise ContractBroken("Store.load() must answer one record or None per key.")
        records: dict[Key, Record | None] = {}
        for key, record in zip(keys, loaded, strict=True):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- checked below
            if record is not None and not _could_stand_under(key, record):  # pyright: ignore[reportUnknownArgumentType] -- it takes anything
                raise ContractBroken(f"Store.load() answered something else for {key.kind!r}.")
            records[key] = record
        return cls(records)

    def get(self, key: Key, kind: type[V]) -> V | None:
        """The value under *key*; None where there is none.

        Raises:
            ContractBroken: if the store holds a value of another kind there.
        """
        record = self.records[key]
        if record is None:
            return None
        if not isinstance(record.value, kind):
            raise ContractBroken(f"The store holds a {type(record.value).__name__} under {key.kind!r}.")
        return record.value

    def version(self, key: Key) -> int:
        """The version under *key*; 0 where there is none."""
        record = self.records[key]
        return 0 if record is None else record.version

    def check(self, key: Key) -> Check:
        """A check that *key* is still as loaded."""
        return Check(key, self.version(key))

    def put(self, key: Key, value: Value, *, expires_at: datetime = FOREVER, tag: str | None = None) -> Record:
        """A put of *value* over what was loaded."""
        return Record(key, value, self.version(key), expires_at, tag)

    def put_challenge(self, challenge: Challenge) -> Record:
        """A put of *challenge*; in an inbox as long as others can answer it."""
        asked = challenge.asked
        tag = asked.tag if asked and challenge.state is State.OPEN and asked.ended is None else None
        return self.put(challenge_key(challenge.id), challenge, expires_at=challenge.expires_at + RETENTION, tag=tag)
