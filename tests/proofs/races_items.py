"""The words of the races: what is raced for, one thing that many want, and what came of one try at it."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple


class Race(enum.Enum):
    """What is raced for; the value is what must never happen."""

    GRANT = "single-use grants spent twice"
    ITEM = "items of a bundle opened twice"
    COUNTED = "counted grants spent more often than they count"
    GUESS = "challenges whose verifier ran more than 5 times"
    TOTP = "authenticator codes accepted twice"
    RECOVERY = "recovery codes accepted twice"
    COLLECT = "approvals collected twice"
    END = "requests for approval ended in two ways"
    QUORUM = "quorums reached by fewer people"
    REVOKE = "collected after its approver was ended"
    LATE = "collected after its time, or its edit"


class Item(NamedTuple):
    """One thing that many workers want: a token, or an answer to one of some challenges."""

    person: str
    token: str = ""
    resource: str = "org_7"
    uses: int = 1
    challenges: tuple[str, ...] = ()
    answer: str = ""


APPROVALS: Final = frozenset({Race.COLLECT, Race.END, Race.QUORUM, Race.REVOKE, Race.LATE})
"""Races about one request for approval, in which each of a group does something else."""

SOMEBODY: Final = frozenset(Race) - {Race.GUESS, Race.QUORUM, Race.REVOKE, Race.LATE}
"""Races that one of those who want it has to win, where the store answers."""


class Outcome(enum.IntEnum):
    """What came of one try."""

    WON = 0
    REFUSED = 1
    UNAVAILABLE = 2
    OTHER = 3
