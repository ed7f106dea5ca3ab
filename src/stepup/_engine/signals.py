"""``signal`` and ``enable``: what an application tells of a person or a session; orchestration of ``decide.signal``."""

from __future__ import annotations

from dataclasses import replace

from stepup.binding import session_hash
from stepup.changes import ACCOUNT, ACTOR_EPOCH, Changes, Snapshot, session_epoch
from stepup.context import MAX_TEXT, Actor, Context, Session, require_actor, require_text
from stepup.decide import signal as pure
from stepup.errors import InvalidInput

from .carrying import carry
from .core import Core, ids


async def signal(core: Core, who: Actor | Context, word: object, session_id: str | None, moved_to: str | None) -> bool:
    """Carry a signal out; see ``StepUp.signal``."""
    told, context = pure.signal_of(word), _context(who, session_id)
    session, now = session_hash(core.ring, context), core.now()
    if told not in pure.ABOUT_A_SESSION:
        _require_one(context, told.value)
    if moved_to is None and told is pure.Signal.SESSION_ROTATED:
        raise InvalidInput("moved_to", "is missing: session_rotated tells the new session id")
    if moved_to is not None and told is not pure.Signal.SESSION_ROTATED:
        raise InvalidInput("moved_to", "is the new session id of session_rotated, and of nothing else")
    if told in pure.ABOUT_A_SESSION and session is None:
        raise InvalidInput("session_id", f"is missing: {told.value} is about one session")
    new = None
    if moved_to is not None:
        new = core.ring.hash_id("session", require_text("moved_to", moved_to, limit=MAX_TEXT))
        if new == session:
            raise InvalidInput("moved_to", "is the id the session had before")

    def decide(snapshot: Snapshot) -> tuple[Changes | None, tuple[bool, int | None]]:
        changes = pure.changes(told, context, session, new, snapshot, now, ids())
        epoch = None if new is None else snapshot.version(session_epoch(new)) or 1
        return changes, (changes is not None, epoch)

    where = core.partition(context.actor)
    done, epoch = await core.commit(where, pure.signal_keys(told, session, new), decide)
    await carry(core, where, session, new, epoch, now)
    return done


async def enable(core: Core, who: Actor | Context) -> bool:
    """Let a person start again; see ``StepUp.enable``."""
    context, now = _context(who, None), core.now()
    _require_one(context, "enable")

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        changes = pure.enable(context, snapshot, now, ids())
        return changes, changes is not None

    return await core.commit(core.partition(context.actor), (ACTOR_EPOCH, ACCOUNT), decide)


def _require_one(context: Context, what: str) -> None:
    """Refuse somebody who acts for another: which of the two is meant, nobody but the application knows.

    A guess would end nothing where it matters, and nobody would notice.

    Raises:
        InvalidInput: if it is so.
    """
    if context.actor.on_behalf_of is not None:
        raise InvalidInput(
            "who", f"acts on behalf of somebody, and {what} is about one person", remedy="Pass the Actor it is about."
        )


def _context(who: Actor | Context, session_id: str | None) -> Context:
    """Whom it is about: with what is known of the request, or the person alone."""
    context = who if isinstance(who, Context) else Context(require_actor(who))
    return context if session_id is None else replace(context, session=Session(session_id))
