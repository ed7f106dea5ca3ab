"""Remembered devices: what a person's partition keeps of each, and which of them a token stands for.

A device is a browser or machine that was remembered after a proof. It can lengthen the session window at levels 1
and 2 and does nothing else: it is no authenticator and replaces no proof (NIST SP 800-63B-4 sections 3.2.1 and 5.1).

Its token is random and kept only as a keyed hash. Each step-up makes a new one, with the next ``serial``; the one
before it stays good for ``GRACE``, so that two tabs that prove something at once both go on. A token older than that
is one that somebody has copied, or a browser put back from a copy: the device is no longer believed, whoever is right.

A device carries the versions that the actor's epoch and the fence had when it was remembered. Whatever moves them (a
changed password or factor, "sign me out everywhere", a risk event, a restored database) ends it in the same moment.
All functions here are pure.
"""

from __future__ import annotations

import enum
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

GRACE: Final = timedelta(seconds=60)
"""How long the token before the current one is still accepted."""

MAX_LABEL: Final = 64


@dataclass(frozen=True, slots=True)
class TrustedDevice:
    """A remembered device, as its owner sees it.

    ``last_used_at`` is the last step-up made on it. ``current`` says that it is the one the request comes from.
    """

    id: str
    label: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool = False


class Presented(NamedTuple):
    """What a device token of ours says: which device, the how-manieth token of it, and the keyed hash of its secret."""

    id: str
    serial: int
    digest: str


@dataclass(frozen=True, slots=True)
class Remembered:
    """One remembered device, as it is stored. ``device`` is the hash of its fingerprint, where it has one."""

    id: str
    device: str | None
    epoch: int
    fence: int
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    serial: int = 1
    token: str = field(default="", repr=False)
    previous: str | None = field(default=None, repr=False)
    rotated_at: datetime | None = None
    label: str = ""

    def rotated(self, digest: str, now: datetime) -> Remembered:
        """With a new token; the one it had stays good for a minute."""
        return replace(
            self, serial=self.serial + 1, token=digest, previous=self.token, rotated_at=now, last_used_at=now
        )

    def has(self, digest: str) -> bool:
        """Whether its token is the one with that hash."""
        return _alike(self.token, digest)

    def shown(self, *, current: bool) -> TrustedDevice:
        """What its owner sees of it."""
        return TrustedDevice(self.id, self.label, self.created_at, self.last_used_at, self.expires_at, current)


@dataclass(frozen=True, slots=True)
class DeviceSet:
    """A person's remembered devices, in the order in which they were first remembered."""

    devices: tuple[Remembered, ...] = ()

    def get(self, device_id: str) -> Remembered | None:
        """The device with that id."""
        return next((one for one in self.devices if one.id == device_id), None)

    def live(self, epoch: int, fence: int, now: datetime) -> DeviceSet:
        """Without those that have ended."""
        return DeviceSet(
            tuple(one for one in self.devices if (one.epoch, one.fence) == (epoch, fence) and now < one.expires_at)
        )

    def replacing(self, device: Remembered) -> DeviceSet:
        """With *device* in place of the one with its id, or as the last."""
        if self.get(device.id) is None:
            return DeviceSet((*self.devices, device))
        return DeviceSet(tuple(device if one.id == device.id else one for one in self.devices))

    def without(self, device_id: str) -> DeviceSet:
        """Without the device with that id."""
        return DeviceSet(tuple(one for one in self.devices if one.id != device_id))


class Standing(enum.Enum):
    """What a presented token is."""

    UNKNOWN = "unknown"
    CURRENT = "current"
    PREDECESSOR = "predecessor"
    REUSED = "reused"


class Found(NamedTuple):
    """What a presented token is, and of which device; none where it is unknown."""

    standing: Standing
    device: Remembered | None = None

    @property
    def trusted(self) -> bool:
        """Whether the device may lengthen a window."""
        return self.standing in {Standing.CURRENT, Standing.PREDECESSOR}


UNKNOWN: Final = Found(Standing.UNKNOWN)


def find(live: DeviceSet, presented: Presented | None, device: str | None, now: datetime) -> Found:
    """What *presented* is among *live* devices, on the browser or machine whose fingerprint hashes to *device*."""
    known = None if presented is None else live.get(presented.id)
    if presented is None or known is None:
        return UNKNOWN
    if presented.serial < known.serial and not _in_grace(known, presented.serial, now):
        return Found(Standing.REUSED, known)
    if known.device is not None and known.device != device:
        return UNKNOWN
    if presented.serial == known.serial and known.has(presented.digest):
        return Found(Standing.CURRENT, known)
    if presented.serial == known.serial - 1 and _alike(presented.digest, known.previous or ""):
        return Found(Standing.PREDECESSOR, known)
    return UNKNOWN


def _alike(one: str, two: str) -> bool:
    return hmac.compare_digest(one.encode(), two.encode())


def _in_grace(known: Remembered, serial: int, now: datetime) -> bool:
    return serial == known.serial - 1 and known.rotated_at is not None and now < known.rotated_at + GRACE
