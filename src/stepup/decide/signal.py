"""Life-cycle signals: what an application tells of a person or a session, and what ends or moves by it.

``TABLE`` is the whole rule. ``changes`` makes the one batch that carries a row out; the page in the docs and the
exhaustive test are made from the table.

What ends for the whole person ends by the actor's epoch, what ends in one session by the session's: tokens, grants,
challenges, approvals and remembered devices carry these versions, so whatever is in flight is decided by the same
conditional write, and a signal that has returned holds everywhere. A signal never opens anything: it needs no proof,
and what it says of a password or factor leaves that in quarantine (``factors.changed`` is told with a proof).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple

from stepup.changes import ACCOUNT, ACTOR_EPOCH, Account, Changes, Epoch, Key, Snapshot, session_epoch
from stepup.context import Context
from stepup.errors import InvalidInput
from stepup.event import EventType, event

from .request import Ids
from .revoke import revoke_session, rotate, rotation_keys

SignalWord = Literal["password_changed", "factor_changed", "session_rotated", "logged_out", "disabled", "risk_raised"]
"""The same as words."""


class Signal(enum.StrEnum):
    """Something that has happened to a person or a session, outside of stepup."""

    PASSWORD_CHANGED = "password_changed"  # noqa: S105 -- a word for what has happened
    FACTOR_CHANGED = "factor_changed"
    SESSION_ROTATED = "session_rotated"
    LOGGED_OUT = "logged_out"
    DISABLED = "disabled"
    RISK_RAISED = "risk_raised"


class Fate(enum.StrEnum):
    """What becomes of something."""

    ENDS = "ends"
    MOVES = "moves"
    STAYS = "stays"


class Row(NamedTuple):
    """What becomes of each: *here* is in the session that the signal is about, *elsewhere* in the person's others.

    Grants are what the server finds by the session; tokens are what was handed out. ``barred`` says that nothing can
    be started until ``enable``.
    """

    grants_here: Fate
    grants_elsewhere: Fate
    tokens_here: Fate
    tokens_elsewhere: Fate
    challenges_here: Fate
    challenges_elsewhere: Fate
    approvals_here: Fate
    approvals_elsewhere: Fate
    devices: Fate
    barred: bool = False


E, M, S = Fate.ENDS, Fate.MOVES, Fate.STAYS

TABLE: Final[Mapping[Signal, Row]] = {
    #                      grants  tokens  challenges  approvals  devices
    Signal.PASSWORD_CHANGED: Row(E, E, E, E, E, E, E, E, E),
    Signal.FACTOR_CHANGED: Row(E, E, E, E, E, E, E, E, E),
    Signal.SESSION_ROTATED: Row(M, S, E, S, E, S, M, S, S),
    Signal.LOGGED_OUT: Row(E, S, E, S, E, S, E, S, S),
    Signal.DISABLED: Row(E, E, E, E, E, E, E, E, E, barred=True),
    Signal.RISK_RAISED: Row(E, E, E, E, E, E, E, E, E),
}
"""Pairs stand for this session and the person's others. An approval is a challenge that a second person answers."""

ABOUT_A_SESSION: Final = frozenset(signal for signal, row in TABLE.items() if row.grants_elsewhere is Fate.STAYS)
"""The signals that are about one session; the others are about the whole person."""


def signal_of(word: object) -> Signal:
    """The signal that *word* names.

    Raises:
        InvalidInput: for a word that is none.
    """
    found = next((signal for signal in Signal if isinstance(word, str) and signal.value == word), None)
    if found is None:
        raise InvalidInput("signal", f"must be one of {', '.join(signal.value for signal in Signal)}")
    return found


def signal_keys(signal: Signal, session: str | None, moved_to: str | None) -> tuple[Key, ...]:
    """What to load to carry a signal out; *session* and *moved_to* are hashes."""
    if session is not None and moved_to is not None:
        return rotation_keys(session, moved_to)
    return (session_epoch(session),) if signal in ABOUT_A_SESSION else (ACTOR_EPOCH, ACCOUNT)


def changes(
    signal: Signal,
    context: Context,
    session: str | None,
    moved_to: str | None,
    snapshot: Snapshot,
    now: datetime,
    ids: Ids,
) -> Changes | None:
    """The batch that carries *signal* out; None where a session ends in which nothing was ever opened."""
    if session is not None and moved_to is not None:
        return rotate(context, session, moved_to, snapshot, now, ids)
    if signal in ABOUT_A_SESSION:
        opened = snapshot.version(session_epoch(session))
        return revoke_session(context, session, snapshot, now, ids, signal.value) if opened else None
    barred = TABLE[signal].barred
    kind = EventType.DISABLED if barred else EventType.EVERYTHING_REVOKED
    puts = [snapshot.put(ACTOR_EPOCH, Epoch())]
    if barred:
        puts.append(snapshot.put(ACCOUNT, Account(now)))
    return Changes(now, tuple(puts), events=(event(ids.event, now, kind, "ok", context, reason=signal.value),))


def enable(context: Context, snapshot: Snapshot, now: datetime, ids: Ids) -> Changes | None:
    """Let a person start again who was disabled; None for one who was not. Nothing that had ended comes back."""
    if not is_disabled(snapshot):
        return None
    puts = (snapshot.put(ACTOR_EPOCH, Epoch()), snapshot.put(ACCOUNT, Account()))
    return Changes(now, puts, events=(event(ids.event, now, EventType.ENABLED, "ok", context),))


def is_disabled(snapshot: Snapshot) -> bool:
    """Whether the application has disabled the person; ``ACCOUNT`` is loaded."""
    account = snapshot.get(ACCOUNT, Account)
    return account is not None and account.disabled_at is not None
