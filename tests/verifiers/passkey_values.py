"""What the passkey tests share: one enrolled passkey at a ceremony, and answers in which one thing is wrong.

``World.forged`` changes the client data or the authenticator data *before* signing, so that the signature is right and
only the step under test can refuse; ``tampered`` changes an answer afterwards.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from stepup._bridge import offloading_call
from stepup._wrapped import async_verifier, sync_verifier
from stepup.challenge import FactorRef
from stepup.context import Actor
from stepup.factor import StoredFactor
from stepup.ports import Begun, Checked, Registered, Verdict
from stepup.requirement import Strength
from stepup.testing import SoftPasskey
from stepup.testing.bench import ACTOR, VAULT, Bench, ceremony
from stepup.testing.passkey import b64
from stepup.verifiers import Passkey
from stepup.verifiers._cose import ALGORITHMS

RP_ID = "northstar.example"
ORIGIN = f"https://{RP_ID}"
EVERY = tuple(ALGORITHMS.values())
"""Every algorithm that can be offered."""

MARCUS = Actor("usr_4096", email="marcus@northstar.example")

Change = Callable[[dict[str, Any]], object]


def passkeys(**settings: Any) -> Passkey:
    """The verifier of the tests, with what is offered as it comes."""
    return Passkey(**{"rp_id": RP_ID, "rp_name": "Northstar", "origins": [ORIGIN], **settings})


def enrolled(
    verifier: Passkey, device: SoftPasskey, factor_id: str = "passkey_1", *, actor: Actor = ACTOR
) -> Registered:
    """What registering *device* makes."""
    begun = verifier.register(factor_id, actor, VAULT, [])
    made = verifier.registered(begun.factor, device.create(begun.options), actor, VAULT, [])
    assert isinstance(made, Registered)
    return made


@dataclass(frozen=True)
class World:
    """One device whose passkey is enrolled, at a ceremony that has begun."""

    device: SoftPasskey
    bench: Bench
    begun: Begun

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.begun.prompt.options)

    def check(self, response: object, **changed: Any) -> Checked:
        """What the verifier says, after the state or the ceremony was changed."""
        state = changed.pop("state", self.begun.state)
        return self.bench.check(state, response, replace(self.bench.ceremony, **changed))

    def refused(self, response: object, **changed: Any) -> str:
        """The step that refused: nothing was raised, nothing moved."""
        checked = self.check(response, **changed)
        assert checked.verdict is Verdict.REJECTED, response
        assert (checked.proof, checked.claims, checked.advance, checked.evidence) == (None, (), None, None)
        (step,) = checked.signals
        return step

    def forged(
        self,
        client: Change | None = None,
        data: Callable[[bytes], bytes] | None = None,
        *,
        flags: int | None = None,
        device: SoftPasskey | None = None,
    ) -> dict[str, Any]:
        """An answer that is signed rightly over changed parts. *client* answers new members, or the raw bytes."""
        device = device or self.device
        said = json.loads(device.client_data("webauthn.get", self.options))
        raw = said if client is None else client(said)
        client_data = raw if isinstance(raw, bytes) else json.dumps(raw, separators=(",", ":")).encode()
        made = device.authenticator_data(RP_ID, device.flags() if flags is None else flags)
        made = made if data is None else data(made)
        response: dict[str, object] = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(made),
            "signature": b64(device.sign(made + hashlib.sha256(client_data).digest())),
            "userHandle": device.user_handle,
        }
        return device.answer(response)


def world(
    device: SoftPasskey | None = None,
    *,
    face: str = "sync",
    strength: int = Strength.PASSKEY_VERIFIED,
    others: Sequence[StoredFactor] = (),
    challenge: Mapping[str, Any] | None = None,
    **settings: Any,
) -> World:
    """A world with *device* enrolled; *challenge* changes the challenge before ``begin``."""
    device = device or SoftPasskey(ORIGIN)
    verifier = passkeys(**{"algorithms": EVERY, **settings})
    stored = enrolled(verifier, device).factor
    refs = [FactorRef(one.id, "passkey", int(strength)) for one in (stored, *others)]
    bound = sync_verifier(verifier) if face == "sync" else async_verifier(verifier, offloading_call())
    made = ceremony(refs, [stored, *others])
    bench = Bench(face, bound, replace(made, challenge=replace(made.challenge, **(challenge or {}))))
    return World(device, bench, bench.begin())


def put(outer: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """*outer* with the member at *path* (``id`` or ``response.signature``) set to *value*."""
    head, _, rest = path.partition(".")
    return {**outer, head: put(cast("Mapping[str, Any]", outer[head]), rest, value) if rest else value}


def without(outer: Mapping[str, Any], path: str) -> dict[str, Any]:
    """*outer* without the member at *path*."""
    head, _, rest = path.partition(".")
    if rest:
        return {**outer, head: without(cast("Mapping[str, Any]", outer[head]), rest)}
    return {name: value for name, value in outer.items() if name != head}
