"""One filled-in value of every kind a store keeps, so that a store that drops or bends a field shows.

Every field of every type in them differs from its default (a test walks them and says which does not), texts
leave ASCII where they may, times carry microseconds, and ``LARGE`` is a shelf as big as the library makes one.
All names are fictional.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from stepup.approval import Answer, Asked, Choice, Standing
from stepup.binding import Binding
from stepup.bundle import Listed, Part
from stepup.challenge import Challenge, FactorRef, Preparation, State
from stepup.changes import (
    ACCOUNT,
    ACTOR_EPOCH,
    DEVICES,
    KNOWN,
    ROSTER,
    THROTTLE,
    TOLD,
    Account,
    Epoch,
    Key,
    Record,
    challenge_key,
    claim_key,
    factor_key,
    grant_key,
    shelf_key,
)
from stepup.context import Proof
from stepup.device import DeviceSet, Remembered
from stepup.event import Event, EventType
from stepup.factor import Factor, FactorSet, Pending, Roster, Seen, StoredFactor
from stepup.grant import SHELF_LIMIT, Claim, Grant, Proved, Shelf, Spend
from stepup.history import Known, Sighting
from stepup.throttle import Count, Guess, OpenChallenge, Send, Throttle
from stepup.told import NoticeKind, Told

from ._store_bench import LATER, NOW

SOON: Final = NOW + timedelta(minutes=5, microseconds=1)
HASH: Final = "0123456789abcdef" * 2

TEXT: Final = (
    "Zo\u00eb, Zoe\u0308, \u039f\u03b4\u03cc\u03c2, \u05e9\u05dc\u05d5\u05dd, \u6771\u4eac, "
    "\U0001f511\u200d\U0001f3e2 \u2028 \\ \" ' % _ ; -- \ufffd"
)
"""Composed and decomposed, both directions, beyond the basic plane, and what quoting gets wrong."""

BINDING: Final = Binding(
    actor="usr_olivia",
    action="payout.create",
    on_behalf_of="usr_\u014dtomo",
    session=HASH,
    device=HASH[::-1],
    organization="org_northstar",
    resource_type="account",
    resource_id=TEXT,
    params="ab" * 32,
    tenant="tenant_1",
)
PROOF: Final = Proof(
    method="recovery_code",
    at=NOW,
    amr=("otp", "mfa"),
    user_verified=True,
    factor_id="fac_1",
    strength=30,
    stands_for="totp",
)
GRANT: Final = Grant(
    id="grant_" + HASH,
    binding=BINDING,
    level=3,
    rules="cd" * 16,
    uses=5,
    issued_at=NOW,
    expires_at=SOON,
    proofs=(PROOF, replace(PROOF, method="password", amr=("pwd",))),
    epochs=(7, 2**53 - 1),
    fence=2**53 - 1,
    group="sudo",
)
BUNDLED: Final = replace(
    GRANT, id="grant_" + HASH[::-1], items=(Part("ab" * 32, "cd" * 16), Part("ba" * 32, "dc" * 16))
)
CHALLENGE: Final = Challenge(
    id="stepup_" + HASH,
    binding=BINDING,
    level=4,
    rules="ef" * 16,
    allowed=("passkey", "totp"),
    factors=(FactorRef("fac_1", "totp", 30, fingerprint=HASH, stands_for="passkey"), FactorRef("fac_2", "passkey", 50)),
    strongest=50,
    epochs=(1, 2),
    fence=3,
    created_at=NOW,
    expires_at=SOON,
    max_attempts=5,
    state=State.CANCELLED,
    attempts=2,
    sends=1,
    serial=4,
    proofs=(PROOF,),
    prepared={
        "email_code": Preparation(
            at=NOW,
            state={"digest": HASH, "length": 6, "numeric": True},
            serial=4,
            sent_to="o\u2022\u2022\u2022@northstar.example",
            expires_at=SOON,
        )
    },
    params='{"amount":"120.00","payee":"Zo\u00eb"}',
    shown=(("Amount", "120.00 \u20ac"), ("Payee", TEXT)),
    label="Send a payout",
    resource_label=TEXT,
    reason=TEXT,
    risk_score=77,
    risk_level="high",
    risk_reasons=("new_device", TEXT),
    risk_methods=("passkey",),
    ip="2001:db8::1",
    device_label="MacBook Pro / Safari",
    grant_id=GRANT.id,
    asked=Asked(
        at=NOW,
        tag="approvals:" + HASH,
        quorum=2,
        who=TEXT,
        answers=(
            Answer(
                partition=HASH * 2,
                actor="usr_\u014dtomo",
                choice=Choice.DENY,
                at=SOON,
                epoch=3,
                session=HASH,
                device=HASH[::-1],
                ip="2001:db8::2",
                reason=TEXT,
                grant_id=GRANT.id,
            ),
        ),
        ended=Standing.DENIED,
        email="o.tomo@northstar.example",
    ),
    items=(
        Listed(
            action="payout.create",
            label=TEXT,
            level=3,
            resource_type="account",
            resource_id=TEXT,
            resource_label=TEXT,
            params='{"amount":"120.00"}',
            shown=(("Amount", TEXT),),
        ),
    ),
    uses=7,
)
SHELF: Final = Shelf(epochs=(3, 4), fence=5, grants=(GRANT, BUNDLED), proved=(Proved(PROOF, GRANT.id, BINDING),))
LARGE: Final = replace(
    SHELF,
    grants=tuple(
        replace(GRANT, id=f"grant_{number:032d}", binding=replace(BINDING, resource_id="\U0001f511" * 255))
        for number in range(SHELF_LIMIT)
    ),
)
ROSTER_VALUE: Final = Roster(
    factors=(
        Factor(
            id="fac_1",
            method="recovery_code",
            strength=30,
            enrolled_at=NOW,
            fingerprint=HASH,
            stands_for="totp",
            label=TEXT,
            usable=False,
            quarantined_until=SOON,
            renewed=HASH[::-1],
            changed=True,
        ),
    ),
    seen=(Seen("password", HASH, SOON, changed=True),),
    methods=("password", "email_code"),
)
FACTORS: Final = FactorSet(
    (
        StoredFactor(
            id="fac_1",
            method="totp",
            data={"sealed": "v1.AAECAwQ=", "last_step": 2**40, "codes": (HASH, HASH[::-1]), "none": ()},
            pending=Pending(session=HASH, epoch=3, session_epoch=4, expires_at=SOON, proved=20, label=TEXT, tries=2),
        ),
        StoredFactor("fac_2", "totp", {}),
    )
)
THROTTLE_VALUE: Final = Throttle(
    open=(OpenChallenge(HASH, CHALLENGE.id, SOON, asked=True),),
    starts=(NOW, 99),
    sends=(Send("payout.create", CHALLENGE.id, NOW),),
    guesses=(Guess(CHALLENGE.id, ("fac_1", "fac_2"), NOW, 4),),
    counts={"fac_1\x1fdevice": Count(failures=9, total=99, last_at=NOW, locked_until=SOON, wrong=8), "fac_2": Count()},
)
KNOWN_VALUE: Final = Known(
    devices=(Sighting(HASH, NOW), Sighting(HASH[::-1], SOON)),
    networks=(Sighting(HASH, SOON),),
    country=Sighting(HASH[::-1], NOW),
    proved_at=SOON,
    factors_changed_at=NOW,
)

DEVICES_VALUE: Final = DeviceSet(
    (
        Remembered(
            id=HASH,
            device=HASH[::-1],
            epoch=3,
            fence=2**40,
            created_at=NOW,
            last_used_at=SOON,
            expires_at=LATER,
            serial=7,
            token=HASH,
            previous=HASH[::-1],
            rotated_at=SOON,
            label=TEXT,
        ),
        Remembered("dev_2", None, 1, 1, NOW, NOW, LATER),
    )
)

SAMPLES: Final = (
    Record(ACTOR_EPOCH, Epoch()),
    Record(ACCOUNT, Account(NOW)),
    Record(DEVICES, DEVICES_VALUE, expires_at=LATER),
    Record(THROTTLE, THROTTLE_VALUE),
    Record(ROSTER, ROSTER_VALUE),
    Record(KNOWN, KNOWN_VALUE, expires_at=LATER),
    Record(TOLD, Told({NoticeKind.LOCKED_OUT.value: (NOW, SOON), NoticeKind.CODE_REPLAYED.value: ()})),
    Record(factor_key("totp"), FACTORS),
    Record(challenge_key(CHALLENGE.id), CHALLENGE, expires_at=LATER),
    Record(shelf_key(HASH), SHELF, expires_at=LATER),
    Record(grant_key(GRANT.id), Spend(remaining=3, revoked=True, requests=(HASH,)), expires_at=LATER),
    Record(claim_key(GRANT.id), Claim(NOW, request=HASH), expires_at=LATER),
)
"""One record of every kind but the fence, which belongs to the store."""

BLANKS: Final = (
    Record(Key("account", "blank"), Account()),
    Record(Key("devices", "blank"), DeviceSet(), expires_at=LATER),
    Record(shelf_key(None), Shelf((1, 1), 1), expires_at=LATER),
    Record(grant_key("blank"), Spend(None), expires_at=LATER),
    Record(claim_key("blank"), Claim(NOW), expires_at=LATER),
    Record(factor_key("blank"), FactorSet()),
)
"""The same with nothing in them: None stays None, and empty stays empty."""

EVENT: Final = Event(
    id=HASH,
    at=NOW,
    type=EventType.AUTHORIZATION,
    result="refused",
    actor="usr_olivia",
    reason="locked",
    on_behalf_of="usr_\u014dtomo",
    action="payout.create",
    resource_type="account",
    resource_id=TEXT,
    organization="org_northstar",
    session=HASH,
    device=HASH[::-1],
    method="totp",
    risk_score=77,
    risk_level="high",
    ip="2001:db8::1",
    user_agent=TEXT,
    challenge_id=CHALLENGE.id,
    grant_id=GRANT.id,
    rules="cd" * 16,
    detail={"stale_by": 312, "trusted": False, "field": "amount", "nothing": None},
    snapshot={"methods": ["totp", TEXT], "policy": {"uses": 1, "token": True, "group": None, "text": "x" * 20_000}},
)
"""An event with every field set."""
