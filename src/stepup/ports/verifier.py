"""One way to prove, for a face or for both; ``Portable`` are those that stepup brings, written over a ``Call``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar, final, runtime_checkable

from stepup.ceremony import Begun, Ceremony, Checked, Registered, Registering, State
from stepup.challenge import Challenge
from stepup.context import Actor
from stepup.factor import Factor, StoredFactor
from stepup.keys import Vault

T = TypeVar("T")


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
