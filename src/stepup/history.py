"""What stepup remembers of where a person has proved themselves, so that a risk can be told from it.

``Known`` is one small record per person: the devices and networks that accepted proofs came from, when the last one
was, from which country, and when a factor last changed. Only a finished challenge adds to it, in the batch that mints
the grant: a thief's visits never make his device known. It holds keyed digests, no address and no name of a
country, at most 8 devices and 16 networks, each for 90 days.

``Visit`` is where the request at hand comes from, as the digests that may stand in the record: one for each key of
the ring, newest first, so that rotating a key makes nobody new. ``History`` is all of it together, with the
person's counters and roster: what ``stepup.risk`` judges. All functions are pure.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from .factor import QUARANTINE, Roster
from .throttle import Throttle
from .tries import SEPARATOR

KEPT: Final = timedelta(days=90)
"""How long a device, a network or a country is known after the last proof from it."""

MAX_DEVICES: Final = 8
MAX_NETWORKS: Final = 16
_IPV4_NETWORK: Final = 24
_IPV6_NETWORK: Final = 64


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that an accepted proof came from, as a keyed digest, and when the last one did."""

    mark: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """The record: what accepted proofs came from, newest last, and when a factor last changed."""

    devices: tuple[Sighting, ...] = ()
    networks: tuple[Sighting, ...] = ()
    country: Sighting | None = None
    proved_at: datetime | None = None
    factors_changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a request comes from, as the digests that it may be remembered under, newest key first.

    A request without a device, or without an address, has digests too: from nowhere is a place of its own.
    ``country`` is empty where nobody looks countries up, and None where it was looked up and could not be told.
    """

    device: tuple[str, ...]
    network: tuple[str, ...]
    country: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class History:
    """What is known about a person at the moment of a request: the visit, and the person's own records."""

    visit: Visit
    known: Known = field(default_factory=Known)
    throttle: Throttle = field(default_factory=Throttle)
    roster: Roster = field(default_factory=Roster)

    def knows_device(self, now: datetime) -> bool:
        """Whether a proof from this device was accepted in the 90 days before *now*."""
        return _knows(self.known.devices, self.visit.device, now)

    def knows_network(self, now: datetime) -> bool:
        """Whether a proof from this network was accepted in the 90 days before *now*."""
        return _knows(self.known.networks, self.visit.network, now)

    def left_country(self, now: datetime) -> timedelta | None:
        """How long ago the last proof from another country was; None where the person is where they were, or
        where nothing can be compared.
        """
        last = self.known.country
        if last is None or not self.visit.country or last.mark in self.visit.country:
            return None
        return max(now - last.at, timedelta(0))

    def failures(self, within: timedelta, now: datetime) -> int:
        """Answers counted as wrong and not forgiven since, of factors that failed last *within* that time."""
        return sum(
            count.failures
            for key, count in self.throttle.counts.items()
            if SEPARATOR not in key and count.last_at is not None and now - count.last_at < within
        )

    def factors_changed_at(self) -> datetime | None:
        """When a factor was last added, changed or removed, as far as the records tell."""
        moments = [self.known.factors_changed_at, *(factor.enrolled_at for factor in self.roster.factors)]
        quarantined = [one.quarantined_until for one in self.roster.seen]  # begun when it was seen to have changed
        moments += [until - QUARANTINE for until in quarantined if until is not None]
        return max((moment for moment in moments if moment is not None), default=None)


def network_of(ip: str | None) -> str:
    """What an address counts as: its /24, or for IPv6 its /64; what is no address is itself, and none is empty."""
    if ip is None:
        return ""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    address = (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
    prefix = _IPV6_NETWORK if isinstance(address, IPv6Address) else _IPV4_NETWORK
    return str(ip_network((address, prefix), strict=False))


def proved_from(known: Known, visit: Visit, now: datetime) -> Known:
    """With one more accepted proof, from where *visit* says; what is old or too much goes.

    A country that could not be told leaves the last one that could.
    """
    return replace(
        known,
        devices=_with(known.devices, visit.device, MAX_DEVICES, now),
        networks=_with(known.networks, visit.network, MAX_NETWORKS, now),
        country=Sighting(visit.country[0], now) if visit.country else known.country,
        proved_at=now,
    )


def _with(seen: tuple[Sighting, ...], marks: tuple[str, ...], most: int, now: datetime) -> tuple[Sighting, ...]:
    others = [one for one in seen if one.mark not in marks and _lasts(one, now)]
    return (*others, Sighting(marks[0], now))[-most:]


def _knows(seen: Collection[Sighting], marks: Collection[str], now: datetime) -> bool:
    return any(one.mark in marks and _lasts(one, now) for one in seen)


def _lasts(one: Sighting, now: datetime) -> bool:
    return now - one.at < KEPT
