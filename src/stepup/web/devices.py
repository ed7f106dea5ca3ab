"""The calls by which a person reviews the devices they have had remembered.

Seeing and ending them is one protected action (``stepup.device.manage``), so these calls are blocked like any other
and take the token in the same place. A device is remembered by a finished step-up and nothing else (``flow.attempt``);
its token is in a cookie, and in no body.
"""

from __future__ import annotations

import math

from stepup._engine import devices
from stepup.decide.answering import Verified
from stepup.device import TrustedDevice
from stepup.errors import Code

from .call import Call
from .http import WebResponse, response
from .problems import zulu
from .wire import NewLabel


async def listed(call: Call) -> WebResponse:
    """The person's remembered devices, the one used last first."""
    found = await devices.every(call.core, call.context, call.request.token)
    return call.ok({"devices": [_document(one) for one in found]})


async def rename(call: Call) -> WebResponse:
    """Give one of them another label."""
    label = call.body(NewLabel).label
    done = await devices.rename(call.core, call.context, call.parts["device"], label, call.request.token)
    return response(204, b"", "application/json") if done else _not_found(call)


async def revoke(call: Call) -> WebResponse:
    """Forget one of them."""
    if not await devices.revoke_one(call.core, call.context, call.parts["device"], call.request.token):
        return _not_found(call)
    await _forget_gone(call)
    return response(204, b"", "application/json")


async def revoke_all(call: Call) -> WebResponse:
    """Forget all of them."""
    await devices.revoke_all(call.core, call.context, call.request.token)
    await _forget_gone(call)
    return response(204, b"", "application/json")


def keep(call: Call, outcome: Verified) -> None:
    """Hand a new device token to the browser, in place of the one it has."""
    if outcome.device_token is None or outcome.device_expires_at is None or call.request.keep_device is None:
        return
    left = (outcome.device_expires_at - call.core.now()).total_seconds()
    call.request.keep_device(outcome.device_token, max(1, math.ceil(left)))


async def _forget_gone(call: Call) -> None:
    """Take the cookie away where it is this browser that is remembered no more."""
    if call.request.keep_device is not None and await devices.recognise(call.core, call.context) is None:
        call.request.keep_device("", 0)


def _not_found(call: Call) -> WebResponse:
    return call.to.voice.problem(call.request, Code.BAD_REQUEST, {"detail": "There is no such device."}, status=404)


def _document(device: TrustedDevice) -> dict[str, object]:
    return {
        "id": device.id,
        "label": device.label,
        "current": device.current,
        "createdAt": zulu(device.created_at),
        "lastUsedAt": zulu(device.last_used_at),
        "expiresAt": zulu(device.expires_at),
    }
