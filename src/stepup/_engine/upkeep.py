"""Ending authority and looking after records: ``revoke``, ``rotated``, ``unlock``, ``forget``, ``purge``.

``signals.py`` has what an application tells of a person or a session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from stepup.binding import session_hash
from stepup.changes import (
    ACTOR_EPOCH,
    FENCE,
    THROTTLE,
    Changes,
    Key,
    Page,
    Snapshot,
    session_epoch,
    shelf_key,
)
from stepup.context import MAX_TEXT, Actor, Context, Resource, require_actor, require_context, require_text
from stepup.decide import enrol, revoke
from stepup.decide.redeeming import left, left_keys
from stepup.errors import ContractBroken, InvalidInput, StepUpError, StoreUnavailable
from stepup.event import Event
from stepup.grant import Grant, Shelf

from .authorize import require
from .carrying import carry
from .core import Core, ids
from .enrolment import own_account


async def revoke_grant(core: Core, context: Context, grant_id: str) -> bool:
    """End one grant; False where there was nothing left to end."""
    if not isinstance(grant_id, str) or not grant_id.isascii() or len(grant_id) > 64:  # pyright: ignore[reportUnnecessaryIsInstance] -- it may come from outside
        return False
    session, now = session_hash(core.ring, context), core.now()

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        changes = revoke.revoke_grant(grant_id, context, session, snapshot, now, ids())
        return changes, changes is not None

    keys = revoke.grant_revocation_keys(grant_id, session)
    return await core.commit(core.partition(context.actor), tuple(dict.fromkeys(keys)), decide)


async def revoke_some(core: Core, context: Context, grant: str | None, *, session: bool, everything: bool) -> bool:
    """End what was asked for; see ``StepUp.revoke``."""
    require_context(context)
    if [grant is not None, session is True, everything is True].count(True) != 1:
        raise InvalidInput("revoke", "takes exactly one of grant=, session=True and everything=True")
    if grant is not None:
        return await revoke_grant(core, context, grant)
    hashed, now = session_hash(core.ring, context), core.now()
    if session and hashed is None:
        raise InvalidInput("revoke", "session=True needs a session in the context")

    def decide(snapshot: Snapshot) -> tuple[Changes | None, bool]:
        if everything:
            return revoke.revoke_everything(context, snapshot, now, ids()), True
        if not snapshot.version(session_epoch(hashed)):
            return None, False  # nothing was ever opened in it
        return revoke.revoke_session(context, hashed, snapshot, now, ids()), True

    key = ACTOR_EPOCH if everything else session_epoch(hashed)
    return await core.commit(core.partition(context.actor), (key,), decide)


async def rotated(core: Core, context: Context, session_id: str) -> None:
    """Move a session's grants to its new id; see ``StepUp.rotated``."""
    old, now = session_hash(core.ring, require_context(context)), core.now()
    if old is None:
        raise InvalidInput("rotated", "needs the old session in the context")
    new = core.ring.hash_id("session", require_text("session_id", session_id, limit=MAX_TEXT))
    if new == old:
        raise InvalidInput("session_id", "is the one the session had before")

    def decide(snapshot: Snapshot) -> tuple[Changes, int]:
        return revoke.rotate(context, old, new, snapshot, now, ids()), snapshot.version(session_epoch(new)) or 1

    epoch = await core.commit(core.partition(context.actor), revoke.rotation_keys(old, new), decide)
    await carry(core, core.partition(context.actor), old, new, epoch, now)


async def unlock(core: Core, actor: Actor, support: Context, methods: Sequence[str] | None, token: object) -> None:
    """Set somebody's counters to zero, once support has proved itself; see ``StepUp.unlock``."""
    require_actor(actor)
    if (actor.id, actor.tenant) == (require_context(support).actor.id, support.actor.tenant):
        raise InvalidInput("actor", "must be somebody else: nobody unlocks themselves")
    own_account(support, enrol.UNLOCK)
    params = {"tenant": actor.tenant} if actor.tenant else None
    await require(core, enrol.UNLOCK, support, Resource("actor", actor.id), params, token, None)
    now, context = core.now(), Context(actor)
    factors: list[str] | None = None
    if methods is not None:
        from stepup.changes import ROSTER
        from stepup.decide.standing import roster_of

        roster = roster_of(await core.load(core.partition(actor), (ROSTER,)))
        every = (await core.factors(actor, roster, now)).every
        factors = [factor.id for factor in every if factor.method in methods]

    def decide(snapshot: Snapshot) -> tuple[Changes, None]:
        return revoke.unlock(context, support, factors, snapshot, now, ids()), None

    await core.commit(core.partition(actor), (THROTTLE,), decide)


async def forget(core: Core, actor: Actor) -> None:
    """Erase a person; see ``StepUp.forget``."""
    now, where = core.now(), core.partition(require_actor(actor))

    def decide(snapshot: Snapshot) -> tuple[Changes, None]:
        return revoke.forget(snapshot, now, ids()), None

    await core.commit(where, (ACTOR_EPOCH,), decide)


async def grants(core: Core, context: Context) -> tuple[Grant, ...]:
    """What is unlocked now; see ``StepUp.grants``."""
    return tuple(grant for grant, _ in await unlocked(core, context))


async def unlocked(core: Core, context: Context) -> tuple[tuple[Grant, int | None], ...]:
    """What is unlocked now, newest first, and how often each can still be spent; None where that is not counted."""
    session, now = session_hash(core.ring, require_context(context)), core.now()
    where = core.partition(context.actor)
    shelves = (shelf_key(session), shelf_key(None)) if session else (shelf_key(None),)
    snapshot = await core.load(where, shelves)
    found = [grant for key in shelves for grant in _on(snapshot, key) if grant.expires_at > now]
    keys = [ACTOR_EPOCH, FENCE, *(key for grant in found for key in left_keys(grant))]
    snapshot = await core.load(where, tuple(dict.fromkeys(keys)))
    live = [(grant, uses) for grant in found if (uses := left(grant, snapshot)) != 0]
    return tuple(sorted(live, key=lambda one: one[0].issued_at, reverse=True))


def _on(snapshot: Snapshot, key: Key) -> tuple[Grant, ...]:
    shelf = snapshot.get(key, Shelf)
    return shelf.grants if shelf else ()


async def events(core: Core, actor: Actor, after: str | None, limit: int) -> Page[Event]:
    """A person's events, newest first; see ``StepUp.events``."""
    where = core.partition(require_actor(actor))
    try:
        found: object = await core.store.events(where, after=after, limit=limit)
    except StepUpError:
        raise
    except Exception as error:
        raise StoreUnavailable(f"The store failed to list events ({type(error).__name__}).") from error
    return _page(found)


def _page(found: object) -> Page[Event]:
    """What a store listed; a port's answer is never taken on trust."""
    if not isinstance(found, Page) or not all(isinstance(one, Event) for one in cast("Page[object]", found).items):
        raise ContractBroken("Store.events() must answer a Page of Event.")
    return cast("Page[Event]", found)


async def purge(core: Core, limit: int) -> int:
    """Delete expired records; see ``StepUp.purge``."""
    try:
        gone: object = await core.store.purge(core.clock.read(), limit=limit)
    except StepUpError:
        raise
    except Exception as error:
        raise StoreUnavailable(f"The store failed to purge ({type(error).__name__}).") from error
    if type(gone) is not int or gone < 0:
        raise ContractBroken("Store.purge() must answer how many records it deleted.")
    return gone
