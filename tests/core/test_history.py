"""What is remembered of where a person has proved themselves: how much, for how long, and under which marks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stepup.factor import QUARANTINE, Factor, Roster, Seen
from stepup.history import (
    KEPT,
    MAX_DEVICES,
    MAX_NETWORKS,
    History,
    Known,
    Sighting,
    Visit,
    network_of,
    proved_from,
)
from stepup.throttle import Count, Throttle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
HERE = Visit(("new-key.laptop", "old-key.laptop"), ("new-key.home", "old-key.home"), ("new-key.de", "old-key.de"))


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("192.0.2.255", "192.0.2.0/24"),
        ("192.0.3.0", "192.0.3.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_an_address_counts_as_its_network(ip: str | None, network: str) -> None:
    """A /24 of IPv4, a /64 of IPv6; what is no address is itself, and none at all is a place of its own."""
    assert network_of(ip) == network


def test_only_what_was_proved_from_is_known() -> None:
    """Before the first proof nothing is; after it, this device and this network, and no others."""
    elsewhere = Visit(("new-key.phone",), ("new-key.hotel",))
    before = History(HERE)
    known = proved_from(Known(), HERE, NOW)

    assert not before.knows_device(NOW)
    assert not before.knows_network(NOW)
    assert History(HERE, known).knows_device(NOW)
    assert History(HERE, known).knows_network(NOW)
    assert not History(elsewhere, known).knows_device(NOW)
    assert not History(elsewhere, known).knows_network(NOW)
    assert known.proved_at == NOW


def test_a_mark_under_an_older_key_is_still_known_and_is_renewed() -> None:
    """Rotating a key makes nobody new: the old mark counts, and the next proof puts the new one in its place."""
    old = Known((Sighting("old-key.laptop", NOW - HOUR),), (Sighting("old-key.home", NOW - HOUR),))

    renewed = proved_from(old, HERE, NOW)

    assert History(HERE, old).knows_device(NOW)
    assert renewed.devices == (Sighting("new-key.laptop", NOW),)
    assert renewed.networks == (Sighting("new-key.home", NOW),)


def test_what_was_not_proved_from_for_ninety_days_is_forgotten() -> None:
    """To the microsecond; and the next proof drops it from the record."""
    known = proved_from(Known(), HERE, NOW)

    assert History(HERE, known).knows_device(NOW + KEPT - MOMENT)
    assert not History(HERE, known).knows_device(NOW + KEPT)
    later = proved_from(known, Visit(("phone",), ("hotel",)), NOW + KEPT)
    assert [one.mark for one in later.devices] == ["phone"]
    assert [one.mark for one in later.networks] == ["hotel"]


def test_the_record_is_bounded_and_keeps_the_newest() -> None:
    """However many places somebody proves from, the record stays small."""
    known = Known()
    for number in range(50):
        known = proved_from(known, Visit((f"device {number}",), (f"network {number}",)), NOW + HOUR * number)

    assert [one.mark for one in known.devices] == [f"device {n}" for n in range(50 - MAX_DEVICES, 50)]
    assert [one.mark for one in known.networks] == [f"network {n}" for n in range(50 - MAX_NETWORKS, 50)]


def test_a_country_is_compared_only_where_both_are_known() -> None:
    """One that could not be told neither counts nor overwrites the last that could."""
    known = proved_from(Known(), HERE, NOW)
    untold = replace(HERE, country=None)
    abroad = replace(HERE, country=("new-key.jp", "old-key.jp"))

    assert History(HERE, known).left_country(NOW + HOUR) is None
    assert History(replace(HERE, country=("x", "new-key.de")), known).left_country(NOW + HOUR) is None
    assert History(abroad, known).left_country(NOW + HOUR) == HOUR
    assert History(abroad, known).left_country(NOW - HOUR) == timedelta(0)
    assert History(abroad).left_country(NOW) is None
    assert History(untold, known).left_country(NOW + HOUR) is None
    assert proved_from(known, untold, NOW + HOUR).country == known.country
    assert proved_from(known, replace(HERE, country=()), NOW + HOUR).country == known.country
    assert proved_from(known, abroad, NOW + HOUR).country == Sighting("new-key.jp", NOW + HOUR)


def test_failures_are_counted_once_and_only_recent_ones() -> None:
    """The window of a trusted device is counted in the factor's own too, so it is left out here."""
    counts = {
        "totp": Count(3, 3, NOW - HOUR + MOMENT),
        "totp\x1fdevice": Count(3, 0, NOW),
        "password": Count(2, 2, NOW - HOUR),
        "passkey": Count(5, 5, None),
    }
    history = History(HERE, throttle=Throttle(counts=counts))

    assert history.failures(HOUR, NOW) == 3
    assert history.failures(HOUR * 2, NOW) == 5


def test_a_change_of_factors_is_told_by_any_record_of_it() -> None:
    """The record's own time, a stored factor's enrolment, a quarantine that was begun: the latest."""
    roster = Roster(
        (Factor("totp_1", "totp", enrolled_at=NOW - HOUR * 3), Factor("totp_2", "totp")),
        (Seen("password", "f", NOW - HOUR * 2 + QUARANTINE), Seen("email", "f")),
    )

    assert History(HERE).factors_changed_at() is None
    assert History(HERE, roster=roster).factors_changed_at() == NOW - HOUR * 2
    assert History(HERE, Known(factors_changed_at=NOW), roster=roster).factors_changed_at() == NOW
