"""The ports: what stepup needs from outside, as protocols. Their docstrings are the contract.

======================= ============================ ====================================================
port                    async twin                   shipped
======================= ============================ ====================================================
``Store``               ``AsyncStore``               ``stepup.stores.memory``, ``stepup.stores.sql``
``Verifier``            ``AsyncVerifier``            ``stepup.verifiers`` (each serves both faces)
``Mailer``              ``AsyncMailer``              ``stepup.mailers``
``RiskAssessor``        ``AsyncRiskAssessor``        none: without one, session risk is what the context says
``HistoryAssessor``     the same                     ``stepup.risk.Signals``
``Clock``               the same                     ``stepup.clock.SystemClock``
======================= ============================ ====================================================

Protocols are structural: an adapter needs no base class. ``stepup.testing`` has the contract tests that
prove a store or a verifier. The sync face takes sync ports only; the async face takes either, and runs
sync ones that may block (verifier hooks, mailers, password hashes) in a worker thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeVar, final, runtime_checkable

from .approval import ApprovalRequest, Approvers
from .ceremony import MAX_EVIDENCE as MAX_EVIDENCE
from .ceremony import REJECTED as REJECTED
from .ceremony import Begun as Begun
from .ceremony import Ceremony as Ceremony
from .ceremony import Checked as Checked
from .ceremony import Prompt as Prompt
from .ceremony import Registered as Registered
from .ceremony import Registering as Registering
from .ceremony import State as State
from .ceremony import Verdict as Verdict
from .challenge import Challenge
from .changes import Applied, Changes, Key, Lost, Page, Partition, Record
from .context import Actor, Context, RiskAssessment
from .event import Event
from .factor import Factor, StoredFactor
from .history import History
from .keys import Vault

T = TypeVar("T")

# -- store ----------------------------------------------------------------------


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


# -- clock ----------------------------------------------------------------------


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The current time, timezone-aware. It may jump; stepup never goes back behind what it has seen."""
        ...


# -- mail -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """A mail to one person. The body may hold a code, so its repr shows the subject alone."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)


class Mailer(Protocol):
    """Hands messages to the mail system."""

    def send(self, message: Message) -> None:
        """Return once the mail system has taken *message*.

        Raises:
            Exception: of any kind, if it was not taken. What is known to be undelivered may be sent again.
        """
        ...


class AsyncMailer(Protocol):
    """``Mailer`` with ``async def``."""

    async def send(self, message: Message) -> None:
        """As ``Mailer.send``."""
        ...


# -- risk -----------------------------------------------------------------------


class RiskAssessor(Protocol):
    """Judges the session's risk. Any function of this shape will do."""

    def __call__(self, context: Context, action: str, /) -> RiskAssessment:
        """The risk of *action* in *context*. Raising, or answering anything else, counts as unknown."""
        ...


class AsyncRiskAssessor(Protocol):
    """``RiskAssessor`` with ``async def``."""

    async def __call__(self, context: Context, action: str, /) -> RiskAssessment:
        """As ``RiskAssessor``."""
        ...


@runtime_checkable
class HistoryAssessor(Protocol):
    """Judges the session's risk by what stepup remembers of the person; ``stepup.risk.Signals`` is one.

    A gate that is given one loads the history for every decision, and keeps it with every finished challenge.
    """

    @property
    def country_of(self) -> Callable[[str], str | Awaitable[str | None] | None] | None:
        """Looks the country of an address up; None where nobody does."""
        ...

    @property
    def codes(self) -> frozenset[str]:
        """The reasons that a client may see. Others stay in the audit."""
        ...

    def assess(self, history: History | None, context: Context, now: datetime, /) -> RiskAssessment:
        """The risk of a request; *history* is None where it could not be read. It only computes, on either face.

        Raising, or answering anything else, counts as unknown.
        """
        ...


# -- approval -------------------------------------------------------------------


RolesOf = Callable[[Context], "Iterable[str] | Awaitable[Iterable[str]]"]
Addresses = Callable[[ApprovalRequest], "Iterable[str] | Awaitable[Iterable[str]]"]
Notify = Callable[[ApprovalRequest], "object | Awaitable[object]"]


@dataclass(frozen=True, slots=True)
class ApprovalHooks:
    """What ``stepup.verifiers.Approval`` brings: who has which role, who is told of a request, how long it waits."""

    approvers: Approvers | None = None
    roles_of: RolesOf | None = None
    addresses: Addresses | None = None
    notify: Notify | None = None
    ttl: int = 24 * 3600
    inbox_url: str | None = None


# -- verifiers ------------------------------------------------------------------


@final
class Stored:
    """The type of ``STORED``: the answer of a verifier whose factors are kept in the store."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "STORED"


STORED: Final = Stored()


class Verifier(Protocol):
    """One way to prove.

    It never counts, never locks and never stores: the engine does. Whatever it raises is a refusal and
    an event, never an allow. ``stepup.testing.VerifierContract`` proves one.

    """

    @property
    def method(self) -> str:
        """Its name in policies and on the wire."""
        ...

    @property
    def strength(self) -> int:
        """The best it can reach."""
        ...

    @property
    def amr(self) -> tuple[str, ...]:
        """RFC 8176 values of its proofs."""
        ...

    @property
    def phishing_resistant(self) -> bool:
        """Whether a proof cannot be relayed by a look-alike site."""
        ...

    @property
    def points(self) -> int:
        """Guess points a failed try costs per factor it is held against."""
        ...

    @property
    def prepares(self) -> bool:
        """Whether ``begin`` must come before an answer."""
        ...

    def enrolled(self, actor: Actor, /) -> Sequence[Factor] | Stored:
        """The person's factors of this method, or ``STORED`` if the store keeps them."""
        ...

    def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:
        """Prepare *challenge* for this method. Has no effect by itself."""
        ...

    def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        """Judge *response*. *state* is what ``begin`` left, None if it was not called.

        A response of the wrong type, size or form is ``REJECTED``, never an exception.
        """
        ...


class AsyncVerifier(Protocol):
    """``Verifier`` with ``async def``; the attributes are the same."""

    @property
    def method(self) -> str:
        """Its name in policies and on the wire."""
        ...

    @property
    def strength(self) -> int:
        """The best it can reach."""
        ...

    @property
    def amr(self) -> tuple[str, ...]:
        """RFC 8176 values of its proofs."""
        ...

    @property
    def phishing_resistant(self) -> bool:
        """Whether a proof cannot be relayed by a look-alike site."""
        ...

    @property
    def points(self) -> int:
        """Guess points a failed try costs per factor it is held against."""
        ...

    @property
    def prepares(self) -> bool:
        """Whether ``begin`` must come before an answer."""
        ...

    async def enrolled(self, actor: Actor, /) -> Sequence[Factor] | Stored:
        """As ``Verifier.enrolled``."""
        ...

    async def begin(self, challenge: Challenge, context: Ceremony, /) -> Begun:
        """As ``Verifier.begin``."""
        ...

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        """As ``Verifier.check``."""
        ...


@runtime_checkable
class Registers(Protocol):
    """A ``Portable`` verifier whose factors are made in a ceremony with the person's device, and kept in the store.

    Both methods are plain functions on either face: they compute, and call nothing outside.
    """

    def register(self, factor_id: str, actor: Actor, vault: Vault, held: Sequence[StoredFactor], /) -> Registering:
        """Begin a registration; *held* are the person's factors of this method."""
        ...

    def registered(
        self, pending: StoredFactor, response: object, actor: Actor, vault: Vault, held: Sequence[StoredFactor], /
    ) -> Registered | Checked:
        """The factor that *response* makes of *pending*; ``REJECTED`` for any other response, never an exception."""
        ...


class Call(Protocol):
    """Calls a function of either colour from a coroutine.

    In place on the sync face, which refuses an awaitable result; in a worker thread (or awaited, if it is
    async) on the async face.
    """

    async def __call__(self, function: Callable[..., T | Awaitable[T]], /, *args: object) -> T:
        """What *function* answers."""
        ...


@runtime_checkable
class Portable(Protocol):
    """A verifier that serves both faces: written as coroutines over a ``Call``.

    ``hooks`` names its functions, so that a face can refuse those of the wrong colour at construction.
    """

    @property
    def hooks(self) -> Mapping[str, Callable[..., object]]:
        """Its functions, by the name of their argument."""
        ...

    def bind(self, call: Call, /) -> AsyncVerifier:
        """The same verifier, calling its hooks through *call*."""
        ...
