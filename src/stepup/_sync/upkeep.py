"""What ends and what is looked after: grants and revocation, signals, locks, erasure, events, purging, advice."""

from __future__ import annotations

from collections.abc import Sequence

from stepup import _bridge as bridge
from stepup._engine import signals, upkeep
from stepup._engine.core import Core
from stepup.changes import Page
from stepup.context import Actor, Context
from stepup.decide.signal import Signal, SignalWord
from stepup.event import Event
from stepup.grant import Grant
from stepup.lint import Finding, lint


class Upkeep:
    """The part of ``StepUp`` that ends things and looks after them."""

    core: Core

    def grants(self, context: Context) -> tuple[Grant, ...]:
        """What is unlocked in this session now, newest first."""
        return bridge.run_sync(upkeep.grants(self.core, context))

    def revoke(
        self, context: Context, *, grant: str | None = None, session: bool = False, everything: bool = False
    ) -> bool:
        """End one grant, everything of this session (on sign-out), or everything of the person.

        When it has returned, nothing that it ended can be used, wherever it is presented. Returns whether
        there was something to end.

        Raises:
            InvalidInput: unless exactly one is asked for.
            StoreUnavailable: if the outcome is not known; call it again.
        """
        return bridge.run_sync(upkeep.revoke_some(self.core, context, grant, session=session, everything=everything))

    def signal(
        self,
        who: Actor | Context,
        signal: Signal | SignalWord,
        *,
        session_id: str | None = None,
        moved_to: str | None = None,
    ) -> bool:
        """Tell what has happened to a person or a session; what must not outlast it ends, or moves, at once.

        ``stepup.decide.signal.TABLE`` has the rule. ``password_changed``, ``factor_changed``, ``disabled`` and
        ``risk_raised`` are about the person and end everything: grants, tokens, challenges, approvals and remembered
        devices; after ``disabled`` nothing can be started until ``enable``. ``logged_out`` and ``session_rotated``
        are about one session, that of *who* if it is a context, or ``session_id``; ``moved_to`` is the new id of a
        rotated one. It needs no proof and opens nothing. Returns False only where a session ended in which nothing
        had been opened.

        It ends no sign-in: a session that is still fresh passes levels 1 and 2 without a store call, also of somebody
        ``disabled``. End the application's sessions with it, or give those levels a policy with no session window.

        Raises:
            InvalidInput: for a word that is no signal, a session that is missing, or somebody who acts on behalf of
                somebody else where one person is meant.
            StoreUnavailable: if the outcome is not known; call it again.
        """
        return bridge.run_sync(signals.signal(self.core, who, signal, session_id, moved_to))

    def enable(self, who: Actor | Context) -> bool:
        """Let somebody start again who was ``disabled``; False for somebody who was not.

        Nothing that had ended comes back. Guard it like the application's own way to enable an account.

        Raises:
            InvalidInput: for somebody who acts on behalf of somebody else: which of the two is meant has to be said.
            StoreUnavailable: if the outcome is not known; call it again.
        """
        return bridge.run_sync(signals.enable(self.core, who))

    def rotated(self, context: Context, session_id: str) -> None:
        """Tell that the session in *context* has got the id *session_id*: its grants move, its tokens die."""
        bridge.run_sync(upkeep.rotated(self.core, context, session_id))

    def unlock(
        self, actor: Actor, support: Context, *, methods: Sequence[str] | None = None, token: str | None = None
    ) -> None:
        """Set somebody's failure counters and guess budget to zero.

        A protected action itself: *support* must hold a grant for ``stepup.support.unlock`` on the resource
        ``Resource("actor", actor.id)``, and must be somebody else.

        Raises:
            StepUpRequired, Denied: as ``require``.
            InvalidInput: for unlocking oneself.
        """
        bridge.run_sync(upkeep.unlock(self.core, actor, support, methods, token))

    def forget(self, actor: Actor) -> None:
        """Erase everything kept about a person: factors, grants, counters and events.

        Tokens issued before stay dead. Guard it like the deletion of the account that it belongs to.
        """
        bridge.run_sync(upkeep.forget(self.core, actor))

    def events(self, actor: Actor, *, after: str | None = None, limit: int = 50) -> Page[Event]:
        """The person's audit events, newest first; ``Page.after`` continues."""
        return bridge.run_sync(upkeep.events(self.core, actor, after, limit))

    def purge(self, *, limit: int = 1000) -> int:
        """Delete at most *limit* expired records and return how many; call it from time to time."""
        return bridge.run_sync(upkeep.purge(self.core, limit))

    def lint(self) -> tuple[Finding, ...]:
        """Advice on a configuration that is valid and may still not be what is wanted; see ``stepup.lint``."""
        strengths = {name: info.strength for name, info in self.core.methods.items()}
        untold = sorted(self.core.notices.off_though_demanded)
        remembers = self.core.watch is not None
        return lint(self.core.registry, strengths, self.core.unverified, untold, remembers=remembers)
