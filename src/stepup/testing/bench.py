"""What verifier tests work at: ``Bench`` (one verifier on one face) and ``ceremony``, made as the engine would.

Used by ``VerifierContract``; useful by itself for the tests a verifier needs beyond the contract::

    bench = Bench("sync", sync_verifier(MyVerifier()), ceremony([FactorRef("mine", "my_method", 20)]))
    assert bench.check(None, "wrong").verdict is Verdict.REJECTED
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from stepup._bridge import run_sync
from stepup.binding import Binding
from stepup.challenge import Challenge, FactorRef
from stepup.context import Actor, Context, Device, Session
from stepup.factor import StoredFactor
from stepup.keys import KeyRing, Vault
from stepup.ports import AsyncVerifier, Begun, Ceremony, Checked, State

T = TypeVar("T")
NOW: Final = datetime(2026, 6, 11, 18, 0, 5, tzinfo=UTC)
ACTOR: Final = Actor("usr_2048", email="olivia@northstar.example")
VAULT: Final = Vault(KeyRing("contract tests only: never a production key, 7q2x"))


_NESTED: Final = {"response": {"response": [dict[str, object]()] * 50}}
NEVER_RIGHT: Final[tuple[object, ...]] = (
    *(None, 0, 123456, -1, 1.5, float("nan"), True, False, object(), NotImplemented, Exception("123456")),
    *(b"", b"123456", list[object](), ["123456"], dict[str, object](), {"code": "123456"}, _NESTED, (), set[str]()),
    *("", " ", "-", "\0", "9" * 10_000, "x" * 100_000, "+123456", "1e5", "12345\n6", "'; DROP TABLE users; --"),
    *("\uff11\uff12\uff13\uff14\uff15\uff16", "\u0661\u0662\u0663\u0664\u0665\u0666", "\u200b123456", "\ud800"),
)
"""Responses that no verifier may accept. None of them may make it raise."""


@dataclass(frozen=True)
class Bench:
    """One verifier on one face, with a ceremony to work in."""

    face: str
    verifier: AsyncVerifier
    ceremony: Ceremony

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it as this face would."""
        return run_sync(coroutine) if self.face == "sync" else asyncio.run(coroutine)

    def begin(self) -> Begun:
        """What ``begin`` makes."""
        return self.run(self.verifier.begin(self.ceremony.challenge, self.ceremony))

    def check(self, state: State | None, response: object, ceremony: Ceremony | None = None) -> Checked:
        """What ``check`` finds."""
        return self.run(self.verifier.check(state, response, ceremony or self.ceremony))

    def after(self, checked: Checked) -> Ceremony:
        """The ceremony as it stands once the engine has written what *checked* moved forward."""
        if checked.advance is None:
            return self.ceremony
        return replace(self.ceremony, stored={**self.ceremony.stored, checked.advance.id: checked.advance})


def ceremony(
    factors: Sequence[FactorRef],
    stored: Sequence[StoredFactor] = (),
    *,
    actor: Actor = ACTOR,
    now: datetime = NOW,
    challenge_id: str = "stepup_contract_1",
    vault: Vault = VAULT,
    locale: str | None = None,
) -> Ceremony:
    """A ceremony for *actor*, five minutes before its challenge ends."""
    session = Session("contract session", authenticated_at=now)
    device = Device("contract device", label="MacBook Pro / Safari")
    context = Context(actor, session=session, device=device, ip="192.0.2.7", locale=locale)
    challenge = Challenge(
        id=challenge_id,
        binding=Binding(actor.id, "organization.delete", resource_type="organization", resource_id="org_7"),
        level=4,
        rules="contract",
        allowed=tuple(dict.fromkeys(ref.method for ref in factors)),
        factors=tuple(factors),
        strongest=max((ref.strength for ref in factors), default=None),
        epochs=(1, 1),
        fence=1,
        created_at=now,
        expires_at=now + timedelta(minutes=5),
        max_attempts=5,
        label="Delete organization",
        resource_label="Northstar",
    )
    return Ceremony(context, challenge, now, tuple(factors), {one.id: one for one in stored}, vault)
