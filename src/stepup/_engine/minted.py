"""What the person is given once a challenge is finished: the grant's token, and that of a remembered device."""

from __future__ import annotations

from dataclasses import replace

from stepup.bearer import to_claims
from stepup.challenge import Challenge, State
from stepup.decide.answering import Verified
from stepup.device import Remembered
from stepup.grant import Grant

from .core import Core
from .device_tokens import Minting


def verified(core: Core, challenge: Challenge, grant: Grant, kept: Remembered | None, minting: Minting) -> Verified:
    """*grant*, as its challenge's answer; *kept* is the device that *minting* has made a token for, if it has."""
    token = core.grants.sign(to_claims(grant, core.namespace, core.audience))
    done = replace(challenge, state=State.VERIFIED, grant_id=grant.id, proofs=grant.proofs)
    if kept is None:
        return Verified(grant, token, done)
    return Verified(grant, token, done, core.trust.written(kept, minting), kept.expires_at)
