"""What stands around a gate in the fault proofs: people, actions, methods under observation, mail, both faces.

Flows are written once, for the sync face; ``Blocking`` makes the async one look like it, over one loop for a process.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from faults_ledger import Ledger
from faults_stores import open_async_store, open_store

from stepup import Action, Actor, Context, Device, Limits, Policy, Resource, Session, all_of
from stepup.changes import ROSTER, Record, factor_key
from stepup.factor import Factor, FactorSet, Roster
from stepup.keys import KeyRing, Vault
from stepup.ports import Ceremony, Checked, Message, State, Verdict
from stepup.testing import Outbox
from stepup.testing.clock import START
from stepup.verifiers.recovery_code import new_codes
from stepup.verifiers.totp import new_totp

SECRET: Final = "a secret of the fault proofs, never a real one: 4k2m"
PASSWORD: Final = "correct horse battery staple"
TOTP_SECRET: Final = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
OLIVIA: Final = Actor("usr_2048", email="olivia@northstar.example")
MARCUS: Final = Actor("usr_4096", email="marcus@northstar.example")
NEWCOMER: Final = Actor("usr_8192")
PEOPLE: Final = (OLIVIA, MARCUS, NEWCOMER)
ORG: Final = Resource("organization", "org_7", label="Northstar")
OTHER_ORG: Final = Resource("organization", "org_8", label="Southstar")

ACTIONS: Final = (
    Action("org.delete", "Delete organization", risk=4),
    Action("payout.create", "Pay out", risk=4),
    Action("by.password", "By password", risk=4, methods="password"),
    Action("by.mail", "By mail", risk=4, methods="email_code"),
    Action("by.paper", "By recovery code", risk=4, methods=("totp", "recovery_code")),
    Action("member.role", "Change role", risk=3),
    Action("member.remove", "Remove member", risk=2),
    Action("note.edit", "Edit note", risk=1),
    Action("batch.run", "Run batch", policy=Policy(uses=3)),
    Action("once.shelf", "Once, without a token", policy=Policy(uses=1)),
    Action("by.both", "By both", policy=Policy(methods=all_of("password", "totp"))),
    Action("sudo.one", "One of a group", risk=3, group="sudo"),
    Action("sudo.two", "Another of it", risk=3, group="sudo"),
)
RING: Final = KeyRing(SECRET)
VAULT: Final = Vault(RING)
PATIENT: Final = Limits(delay_after=60, lock_after=70, disable_after=200)
"""Limits that keep out of the way: here, a challenge's own count is what is tried."""


def session_of(who: Actor, name: str = "sess_1", age: float = 3600) -> Context:
    """A request of *who*, from a session that was opened *age* seconds before everything began."""
    return Context(
        who,
        session=Session(f"{name}_of_{who.id}_9f4e1c", START - timedelta(seconds=age)),
        device=Device("fingerprint_5c1d", "MacBook Pro / Safari"),
        organization="org_7",
        ip="192.0.2.7",
    )


HERE: Final = session_of(OLIVIA)
THERE: Final = session_of(OLIVIA, "sess_2")
SUPPORT: Final = session_of(MARCUS)


# -- verifiers under observation ----------------------------------------------------


class Watched:
    """A shipped verifier, with the ledger told of every answer it is asked about."""

    def __init__(self, inner: Any, ledger: Ledger) -> None:
        self._inner = inner
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def hooks(self) -> Mapping[str, Callable[..., object]]:
        return cast("Mapping[str, Callable[..., object]]", self._inner.hooks)

    def bind(self, call: Any, /) -> Watched:
        return Watched(self._inner.bind(call), self._ledger)

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        self._ledger.checking(context.challenge, self._inner.method)
        found: Checked = await self._inner.check(state, response, context)
        accepted = found.verdict is Verdict.ACCEPTED
        self._ledger.checked(context.challenge, self._inner.method, response, context.context, accepted=accepted)
        return found


class Mailbox(Outbox):
    """Mail that is kept, and refused for as long as it is told to."""

    refusing = False

    def send(self, message: Message) -> None:
        if self.refusing:
            raise ConnectionRefusedError("mail system down")
        super().send(message)


def right_password(actor: Actor, password: str) -> bool:
    """The application's own check."""
    return password == PASSWORD


def has_password(actor: Actor) -> bool:
    """The newcomer has none, nor anything else."""
    return actor.id != NEWCOMER.id


@functools.cache
def held_by(who: Actor) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """The records behind an authenticator and recovery codes, and the codes."""
    authenticator, _, _ = new_totp(f"totp_{who.id}", VAULT, actor=who, secret=TOTP_SECRET)
    paper, codes = new_codes(f"paper_{who.id}", VAULT, 4, actor=who)
    since = START - timedelta(days=30)
    roster = Roster(
        (
            Factor(authenticator.id, "totp", strength=30, enrolled_at=since),
            Factor(paper.id, "recovery_code", strength=30, enrolled_at=since, stands_for="totp"),
        )
    )
    puts = (
        Record(factor_key("totp"), FactorSet((authenticator,))),
        Record(factor_key("recovery_code"), FactorSet((paper,))),
        Record(ROSTER, roster),
    )
    return puts, codes


# -- the two faces ---------------------------------------------------------------------


class Loop:
    """One event loop for all the worlds of the async face; opened when first used."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run it to its end."""
        self._runner = self._runner or asyncio.Runner()
        return self._runner.run(coroutine)

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None


LOOP: Final = Loop()


class Blocking:
    """The async face, each call run to its end, so that flows are written once."""

    def __init__(self, gate: Any) -> None:
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._gate, name)
        if name == "factors":
            return Blocking(found)
        if not callable(found):
            return found

        def called(*args: Any, **kwargs: Any) -> Any:
            made = found(*args, **kwargs)
            return LOOP.run(made) if asyncio.iscoroutine(made) else made

        return called


async def in_place(function: Callable[..., Any], *args: Any) -> Any:
    """Call it here and now, in place of a worker thread."""
    return function(*args)


@dataclass(frozen=True)
class Bench:
    """Where worlds get their store: one opened once, where each has partitions of its own, or a new one in memory."""

    face: str
    store_of: Callable[[], Any]

    @classmethod
    def of(cls, name: str, face: str, where: str = "") -> Bench:
        """The store *name* for one face."""
        opened = open_store if face == "sync" else open_async_store
        if name == "memory":
            return cls(face, lambda: opened(name, where))
        store = opened(name, where)
        return cls(face, lambda: store)
