"""Remembered devices, for their owner: which there are, calling one something else, ending one or all."""

from __future__ import annotations

from stepup.binding import Binding
from stepup.changes import Changes, Snapshot
from stepup.context import Context, clean_text, require_context
from stepup.decide import device as pure
from stepup.device import MAX_LABEL, Standing, TrustedDevice
from stepup.errors import InvalidInput
from stepup.event import Event

from .authorize import require
from .core import Core, event_id
from .telling import tell_of
from .trust import end_device


async def recognise(core: Core, context: Context) -> TrustedDevice | None:
    """The remembered device that the request comes from; see ``Devices.recognise``."""
    presented, now = core.trust.read(require_context(context).device_token), core.now()
    if presented is None:
        return None
    binding = Binding.of(pure.MANAGE, context, None, None, core.ring)
    snapshot = await core.load(core.partition(context.actor), pure.LOOKED_UP)
    found = pure.look_up(presented, binding.device, snapshot, now)
    if found.standing is Standing.REUSED:
        await end_device(core, context, binding, presented, now)
    return found.device.shown(current=True) if found.device is not None and found.trusted else None


async def every(core: Core, context: Context, token: object) -> tuple[TrustedDevice, ...]:
    """The person's remembered devices; see ``Devices.list``."""
    await _proved(core, context, token)
    current = await recognise(core, context)
    snapshot = await core.load(core.partition(context.actor), pure.LOOKED_UP)
    here = None if current is None else current.id
    shown = [one.shown(current=one.id == here) for one in pure.live(snapshot, core.now()).devices]
    return tuple(sorted(shown, key=lambda one: one.last_used_at, reverse=True))


async def rename(core: Core, context: Context, device_id: str, label: str, token: object) -> bool:
    """Call a device something else; see ``Devices.rename``."""
    if not isinstance(label, str):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
        raise InvalidInput("label", f"must be a string, not {type(label).__name__}")
    called = clean_text(label, limit=MAX_LABEL)
    _require_id(device_id)
    await _proved(core, context, token)
    now, written = core.now(), tuple[Event, ...]()

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        nonlocal written
        changes = pure.rename(context, device_id, called, snapshot, now, event_id())
        written = changes.events if changes is not None else ()
        return changes, changes is not None

    known = await core.commit(core.partition(context.actor), pure.LOOKED_UP, decide)
    await tell_of(core, context, written)  # never by the label, which whoever renames it chooses
    return known


async def revoke_one(core: Core, context: Context, device_id: str, token: object) -> bool:
    """End one device; see ``Devices.revoke``."""
    _require_id(device_id)
    return await _revoke(core, context, device_id, token) > 0


async def revoke_all(core: Core, context: Context, token: object) -> int:
    """End all of them; see ``Devices.revoke_all``."""
    return await _revoke(core, context, None, token)


async def _revoke(core: Core, context: Context, device_id: str | None, token: object) -> int:
    await _proved(core, context, token)
    now = core.now()

    def decide(snapshot: Snapshot) -> tuple[Changes | None, int]:
        return pure.revoke(context, device_id, snapshot, now, event_id())

    return await core.commit(core.partition(context.actor), pure.LOOKED_UP, decide)


def _require_id(device_id: object) -> None:
    if not isinstance(device_id, str):
        raise InvalidInput("device_id", f"must be a string, not {type(device_id).__name__}")


async def _proved(core: Core, context: Context, token: object) -> None:
    """Require the one fresh proof that reviewing devices takes (ASVS 7.5.2)."""
    await require(core, pure.MANAGE, context, pure.devices_of(require_context(context)), None, token, None)
