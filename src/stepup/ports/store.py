"""Where records live: versioned records and one all-or-nothing batch, and the same inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from stepup.changes import Applied, Changes, Key, Lost, Page, Partition, Record
from stepup.event import Event


class Store(Protocol):
    """Versioned records and one all-or-nothing batch, partitioned by person.

    There are no optional methods and no capability flags: a store keeps this contract or is refused by
    the contract tests (``stepup.testing.StoreContract``).
    """

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """One record or None per key, in the order asked for, from one consistent moment.

        - Reads are by primary key, from the primary: a lagging replica must not answer.
        - A record of another partition is never returned.
        - Expired records may be returned; the caller judges time itself.
        - ``Key("fence")`` always exists, has the same version in every partition, and that version
          changes whenever acknowledged writes may have been lost.

        Raises:
            StoreUnavailable: if it cannot answer. It never answers None for "I do not know".
        """
        ...

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """Write all puts and all events of *changes*, or nothing.

        - A put succeeds only if the stored version equals ``record.version``; 0 means "must not exist",
          whether or not what exists has expired. Each written record gets ``version + 1``.
        - A check succeeds only if the stored version equals its version (0: must not exist). What is
          checked is not written and cannot change until the batch has committed.
        - Returns the single object ``APPLIED``, or ``Lost(key)`` naming a key whose version did not hold,
          or ``Lost(None)`` for a conflict whose cause is not known (serialization failure, deadlock).
          A caller that gets ``Lost(None)`` loads and decides again; it is never taken for a replay.
        - Durable when it returns, and no part of any transaction of the caller.
        - Under concurrency: of any number of batches that put the same version, exactly one is applied.
        - Puts are applied in the order of their keys, so that two batches cannot deadlock.
        - The store reads no clock: ``changes.at`` is the decision's time, and time to live is relative to it.
        - With ``changes.erase``, every record of the partition that is neither an epoch nor put by this
          batch goes, and every earlier event of the partition.
        - ``Key("fence")`` may be checked, never put.
        - A key stands at most once among the puts; where it is also checked, both are judged against what
          was stored before the batch. Events of one batch are older to newer, also where their times are equal.
        - ``expires_at`` and ``at`` are exact to the microsecond. A tag has at most 192 ASCII characters.

        Raises:
            InvalidInput: for a batch that puts a key twice or puts the fence; nothing is written.
            StoreUnavailable: if the outcome is not known or nothing could be written. Callers refuse.
        """
        ...

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        """Records that carry *tag*, of all partitions, in a stable order; ``Page.after`` continues.

        May lag behind ``apply``; decisions never rest on it.
        """
        ...

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        """The partition's events, newest first; ``Page.after`` continues."""
        ...

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        """Delete at most *limit* records with ``expires_at`` earlier than *before*; return how many.

        Never an event, never an epoch, never a record that has not expired. Idempotent, safe from many
        places at once; may be a no-op where the backend expires records itself.
        """
        ...


class AsyncStore(Protocol):
    """``Store`` with ``async def``; the same contract."""

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``Store.load``."""
        ...

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``Store.apply``."""
        ...

    async def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        """As ``Store.list``."""
        ...

    async def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        """As ``Store.events``."""
        ...

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        """As ``Store.purge``."""
        ...


class Joined(Protocol):
    """A store inside one transaction of the caller's, as the engine uses it for ``require(within=)``.

    Only a store whose records stand in the application's own database can be joined to one: it has a method
    ``joined(connection)`` beside the contract, which answers this, with ``afterwards`` taking a plain function on the
    sync face. ``stepup.stores.sql`` has it; without it, ``within=`` is refused.
    """

    async def prepare(self) -> None:
        """Look at the connection, before anything is decided.

        Raises:
            InvalidInput: if it is in no transaction of the store's database.
        """
        ...

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``Store.load``, with what the caller's transaction has written."""
        ...

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``Store.apply``, but for the commit, which is the caller's. Used for the batch that redeems, only.

        Lost, it has written nothing, and the caller's transaction is as it was.

        Raises:
            StoreUnavailable: for any error of the database; the caller's transaction can only be rolled back then.
        """
        ...

    def afterwards(self, work: Callable[[bool], Awaitable[object]]) -> None:
        """Await ``work(committed)`` once the caller's transaction has ended."""
        ...
