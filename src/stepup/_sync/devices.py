"""``StepUp.devices``: the devices a person has had remembered."""

from __future__ import annotations

from stepup import _bridge as bridge
from stepup._engine import devices
from stepup._engine.core import Core
from stepup.context import Context
from stepup.device import TrustedDevice


class Devices:
    """Remembered devices. They are remembered by ``verify(..., remember=True)`` and by nothing else.

    Seeing, renaming and ending them takes one fresh proof, or a sign-in of the last five minutes, for the action
    ``stepup.device.manage`` on ``Resource("devices", actor.id)``.
    """

    def __init__(self, core: Core) -> None:
        self.core = core

    def recognise(self, context: Context) -> TrustedDevice | None:
        """The remembered device that the request in *context* comes from, by its ``device_token``; None for any other.

        ``require`` and ``verify`` look it up themselves, and for them it is one read at most. A token that was
        replaced more than a minute ago ends its device here as well.

        Raises:
            StoreUnavailable: if the store cannot answer.
        """
        return bridge.run_sync(devices.recognise(self.core, context))

    def list(self, context: Context, *, token: str | None = None) -> tuple[TrustedDevice, ...]:
        """The person's remembered devices, the one used last first.

        Raises:
            StepUpRequired, Denied: as ``require``.
        """
        return bridge.run_sync(devices.every(self.core, context, token))

    def rename(self, context: Context, device_id: str, label: str, *, token: str | None = None) -> bool:
        """Call a device something else, in at most 64 characters; False where there is none with that id.

        Raises:
            StepUpRequired, Denied: as ``require``.
        """
        return bridge.run_sync(devices.rename(self.core, context, device_id, label, token))

    def revoke(self, context: Context, device_id: str, *, token: str | None = None) -> bool:
        """Forget one device, at once; False where there is none with that id.

        Raises:
            StepUpRequired, Denied: as ``require``.
        """
        return bridge.run_sync(devices.revoke_one(self.core, context, device_id, token))

    def revoke_all(self, context: Context, *, token: str | None = None) -> int:
        """Forget all of the person's devices, at once, and return how many there were.

        Raises:
            StepUpRequired, Denied: as ``require``.
        """
        return bridge.run_sync(devices.revoke_all(self.core, context, token))
