"""Remembered devices in decisions: which one a request comes from, and what a step-up makes of it.

``trusting`` looks a request's token up; ``after_step_up`` is what the minting batch writes of it: the token rotated,
a device remembered, or an older token found out. ``rename``, ``revoke`` and ``reused`` change the set alone.
Everything here relies on the actor's epoch and the fence, which the minting batch checks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from stepup.binding import Binding
from stepup.changes import ACTOR_EPOCH, DEVICES, FENCE, RETENTION, Changes, Check, Key, Record, Snapshot
from stepup.context import APPROVAL, RECOVERY_CODE, Context, Resource, clean_text
from stepup.device import MAX_LABEL, UNKNOWN, DeviceSet, Found, Presented, Remembered, Standing, find
from stepup.event import Event, EventType, event
from stepup.grant import Grant
from stepup.limits import Limits
from stepup.policy import Action, Policy, Risk
from stepup.requirement import ANY

from .request import Request
from .session import session_age, session_window, trusted_window

MANAGE: Final = "stepup.device.manage"
MANAGE_ACTION: Final = Action(
    MANAGE, "Review remembered devices", risk=Risk.MEDIUM, policy=Policy(methods=ANY, session_window=300, grant_ttl=600)
)
"""Seeing and ending devices takes one fresh proof, or a sign-in of the last five minutes; a remembered device that is
to be ended does not vouch for itself, so its window is no longer than any other."""

LOOKED_UP: Final = (DEVICES, ACTOR_EPOCH, FENCE)
"""What to load to see whether a token stands for a device."""


def devices_of(context: Context) -> Resource:
    """The resource that reviewing devices is done to."""
    return Resource("devices", context.actor.id)


def device_keys(request: Request) -> tuple[Key, ...]:
    """What to load besides, where a request brings a device token."""
    return () if request.presented is None else (DEVICES,)


def live(snapshot: Snapshot, now: datetime) -> DeviceSet:
    """The devices that are remembered now."""
    held = snapshot.get(DEVICES, DeviceSet) or DeviceSet()
    return held.live(snapshot.version(ACTOR_EPOCH), snapshot.version(FENCE), now)


def look_up(presented: Presented | None, device: str | None, snapshot: Snapshot, now: datetime) -> Found:
    """What a device token is."""
    return UNKNOWN if presented is None else find(live(snapshot, now), presented, device, now)


def trusting(request: Request, snapshot: Snapshot, now: datetime) -> Request:
    """*request*, with what its device token was found to be; ``device_keys`` and ``LOOKED_UP`` are loaded."""
    if request.presented is None:
        return request
    found = look_up(request.presented, request.binding.device, snapshot, now)
    known = None if found.device is None else found.device.id
    return replace(
        request,
        trusted=known if found.trusted else None,
        reused=known if found.standing is Standing.REUSED else None,
    )


def trust_checks(request: Request, snapshot: Snapshot) -> tuple[Check, ...]:
    """The check of a batch that relies on the request's trust."""
    return () if request.trusted is None else (snapshot.check(DEVICES),)


def could_matter(request: Request, now: datetime) -> bool:
    """Whether a remembered device would make the sign-in fresh enough, which it is not by itself."""
    age = session_age(request.context, now)
    if request.presented is None or age is None:
        return False
    return session_window(request) <= age < trusted_window(request)


# -- at a step-up -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a new token would be made from: the id of a device that is new, the hash of a secret, ids for two events,
    and whether the person wants the device remembered.
    """

    id: str
    digest: str
    events: tuple[str, str]
    wanted: bool = False


def after_step_up(
    request: Request, grant: Grant, snapshot: Snapshot, fresh: Fresh, limits: Limits, now: datetime
) -> tuple[DeviceSet | None, tuple[Event, ...]]:
    """The person's devices after a finished step-up, and what the audit is told; None where nothing changed."""
    held = live(snapshot, now)
    found = find(held, request.presented, request.binding.device, now)
    until = now + timedelta(seconds=limits.trusted_device_ttl)
    wanted = fresh.wanted and may_remember(request, grant)
    if found.device is not None and found.trusted:
        known = replace(found.device, expires_at=until) if wanted else found.device
        # The predecessor's successor is on its way to the same browser: a third token could overtake it.
        after = known.rotated(fresh.digest, now) if found.standing is Standing.CURRENT else known
        return (None, ()) if after == found.device else (held.replacing(after), ())
    told: tuple[Event, ...] = ()
    if found.device is not None:
        held, told = held.without(found.device.id), (_found_out(request, fresh, found.device, now),)
    if not wanted:
        return (held, told) if told else (None, ())
    device = _remembered(request, held, fresh, snapshot, until, now)
    held = _roomy(held.replacing(device), limits)
    detail = {"device": device.id, "label": device.label}
    made = request.event(fresh.events[1], now, EventType.DEVICE_REMEMBERED, "ok", grant_id=grant.id, detail=detail)
    return held, (*told, made)


def may_remember(request: Request, grant: Grant) -> bool:
    """Whether the proof is one after which a device may be remembered.

    It takes one of the person's own: an approval alone is what others have said, and whoever has the session collects
    it. Not after a recovery code: somebody who has lost a factor proves themselves again (P-15).
    """
    proved = {proof.method for proof in grant.proofs}
    return request.rules.policy.remember and RECOVERY_CODE not in proved and bool(proved - {APPROVAL})


def put(snapshot: Snapshot, after: DeviceSet, now: datetime) -> Record:
    """The put of a person's devices."""
    until = max([now, *(one.expires_at for one in after.devices)]) + RETENTION
    return snapshot.put(DEVICES, after, expires_at=until)


def issued(changes: Changes, fresh: Fresh) -> Remembered | None:
    """The device that a batch gives the new token to; None where it is nobody's."""
    sets = [one.value for one in changes.puts if isinstance(one.value, DeviceSet)]
    return next((one for held in sets for one in held.devices if one.has(fresh.digest)), None)


def _remembered(
    request: Request, held: DeviceSet, fresh: Fresh, snapshot: Snapshot, until: datetime, now: datetime
) -> Remembered:
    """A new device; or the one with the same fingerprint, with a new token: each device has one."""
    device, about = request.binding.device, request.context.device
    before = next((one for one in held.devices if device is not None and one.device == device), None)
    if before is not None:
        return replace(before.rotated(fresh.digest, now), expires_at=until)
    label = clean_text(about.label, limit=MAX_LABEL) if about is not None and about.label else ""
    epochs = snapshot.version(ACTOR_EPOCH), snapshot.version(FENCE)
    return Remembered(fresh.id, device, *epochs, now, now, until, token=fresh.digest, label=label)


def _roomy(held: DeviceSet, limits: Limits) -> DeviceSet:
    """No more devices than a person may have: those used longest ago make room."""
    for _ in range(len(held.devices) - limits.trusted_devices):
        held = held.without(min(held.devices, key=lambda one: one.last_used_at).id)
    return held


def _found_out(request: Request, fresh: Fresh, device: Remembered, now: datetime) -> Event:
    return request.event(
        fresh.events[0], now, EventType.DEVICE_REVOKED, "refused", reason="token_reused", detail={"device": device.id}
    )


# -- at other times ---------------------------------------------------------------


def rename(
    context: Context, device_id: str, label: str, snapshot: Snapshot, now: datetime, event_id: str
) -> Changes | None:
    """Call a device something else; None where there is none with that id."""
    held = live(snapshot, now)
    known = held.get(device_id)
    if known is None:
        return None
    made = event(event_id, now, EventType.DEVICE_RENAMED, "ok", context, detail={"device": device_id, "label": label})
    after = held.replacing(replace(known, label=label))
    return Changes(now, (put(snapshot, after, now),), events=(made,))


def revoke(
    context: Context, device_id: str | None, snapshot: Snapshot, now: datetime, event_id: str
) -> tuple[Changes | None, int]:
    """End one device, or all of them: what to write, and how many it ends."""
    held = live(snapshot, now)
    after = DeviceSet() if device_id is None else held.without(device_id)
    gone = len(held.devices) - len(after.devices)
    if not gone:
        return None, 0
    detail = {"device": device_id, "ended": gone}
    made = event(event_id, now, EventType.DEVICE_REVOKED, "ok", context, reason="revoked", detail=detail)
    return Changes(now, (put(snapshot, after, now),), events=(made,)), gone


def reused(
    context: Context,
    binding: Binding,
    presented: Presented | None,
    snapshot: Snapshot,
    now: datetime,
    event_id: str,
) -> Changes | None:
    """End the device whose older token was presented; None where it is not so, or no more."""
    found = look_up(presented, binding.device, snapshot, now)
    if found.standing is not Standing.REUSED or found.device is None:
        return None
    made = event(
        event_id,
        now,
        EventType.DEVICE_REVOKED,
        "refused",
        context,
        binding=binding,
        reason="token_reused",
        detail={"device": found.device.id},
    )
    return Changes(now, (put(snapshot, live(snapshot, now).without(found.device.id), now),), events=(made,))
