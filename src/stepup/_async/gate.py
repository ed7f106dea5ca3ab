"""``AsyncStepUp``: the async face, put together. The same names and docstrings as ``StepUp``, awaited.

Its methods stand by what they are for: ``deciding``, ``proving``, ``upkeep``.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Unpack

from stepup import _bridge as bridge
from stepup import _wrapped as wrapped
from stepup._config import AsyncOptions, Secrets, Settings, build, sender
from stepup._observe import Told
from stepup.context import Context
from stepup.event import Event
from stepup.limits import Limits
from stepup.notices import Notice, Notices
from stepup.policy import Action, Policy, Risk
from stepup.ports import (
    AsyncMailer,
    AsyncRiskAssessor,
    AsyncStore,
    AsyncVerifier,
    Clock,
    HistoryAssessor,
    Mailer,
    Portable,
    RiskAssessor,
    Verifier,
)

from .approvals import AsyncApprovals
from .deciding import AsyncDeciding
from .devices import AsyncDevices
from .factors import AsyncFactors
from .proving import AsyncProving
from .upkeep import AsyncUpkeep


class AsyncStepUp(AsyncDeciding, AsyncProving, AsyncUpkeep):
    """A gate: fresh proof before dangerous actions. Make one at start-up and share it between tasks.

    ``factors`` is enrolment, ``devices`` the remembered devices, ``store`` the store it was given. ``core`` holds the
    gate's parts, for stepup's own shims; it is not part of the promise.
    """

    def __init__(
        self,
        *,
        actions: Sequence[Action],
        verifiers: Sequence[Verifier | AsyncVerifier | Portable],
        store: AsyncStore,
        secret: Secrets,
        factor_secret: Secrets | None = None,
        policies: Mapping[Risk | int | str, Policy] | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
        risk: RiskAssessor | AsyncRiskAssessor | HistoryAssessor | None = None,
        mailer: Mailer | AsyncMailer | None = None,
        notify: Callable[[Notice], object] | None = None,
        notices: Notices | None = None,
        may_start: Callable[[str, Context], bool | Awaitable[bool]] | None = None,
        context_of: Callable[[], Context] | None = None,
        on_event: Callable[[Event], object] | None = None,
        on_decision: Told | None = None,
        record: Literal["events", "all"] = "events",
        namespace: str = "stepup",
        audience: str | None = None,
        enrol_url: str | None = None,
        login_url: str | None = None,
        revoke_on_reuse: bool = False,
        offload: bridge.Offload | None = None,
    ) -> None:
        """Put a gate together; every mistake that can be seen now is raised now.

        Args:
            actions: the sensitive operations.
            verifiers: the ways to prove, in any order; policy and strength decide.
            store: where records live.
            secret: at least 32 random bytes, or ``[current, *old]``, or a ``KeyRing``.
            factor_secret: the same for stored factors, so that token keys can be dropped without losing them.
            policies: replacements for the default table by ``Risk``, and named policies.
            limits: attempt, send and lock-out numbers.
            clock: where time comes from.
            risk: judges the session's risk: ``stepup.risk.Signals()``, or an assessor of your own.
            mailer: sends notices; by default the mailer of ``EmailCode``.
            notify: told of every notice as well, as a ``Notice``; what it raises is recorded and changes nothing.
            notices: what people are told of, how often, and in which words; see ``Notices``.
            may_start: lets a client start a challenge without an offer, over HTTP: ``(action, context) -> bool``.
            context_of: the context of the current request, for guards that are given none.
            on_event: told of every stored event, after it is stored.
            on_decision: told of decisions that leave no event: ``(decision, context, count)``.
            record: ``"all"`` also stores an event for those.
            namespace: separates gates that share a store; the issuer of tokens.
            audience: the audience of tokens.
            enrol_url, login_url: where a person can enrol a method, or sign in again.
            revoke_on_reuse: answering a finished challenge again revokes what it minted.
            offload: runs a blocking function in a worker thread, ``await offload(function, *args)``; by default
                ``asyncio.to_thread``. Sync hooks, Argon2 and SMTP go through it.

        Raises:
            ConfigurationError: naming the thing and the remedy.
            WrongColour: for a sync store, which would block the event loop, or a port of both colours.
        """
        bridge.refuse_async("clock", clock, ("now",))
        call = bridge.offloading_call(offload)
        actions, verifiers = bridge.several("actions", actions), bridge.several("verifiers", verifiers)
        settings = Settings(
            actions=actions,
            secret=secret,
            factor_secret=factor_secret,
            policies=policies,
            limits=limits,
            clock=clock,
            notify=notify,
            notices=notices,
            on_event=on_event,
            on_decision=on_decision,
            record=record,
            namespace=namespace,
            audience=audience,
            enrol_url=enrol_url,
            login_url=login_url,
            revoke_on_reuse=revoke_on_reuse,
        )
        self.core = build(
            settings,
            store=wrapped.async_store(store),
            verifiers=[wrapped.async_verifier(verifier, call) for verifier in verifiers],
            risk=wrapped.async_assessor(risk, call),
            send=sender(mailer, verifiers),
            call=call,
        )
        self.store = store
        self._context_of = context_of
        self.may_start = may_start
        self.factors = AsyncFactors(self.core)
        self.devices = AsyncDevices(self.core)
        self.approvals = AsyncApprovals(self.core)

    @classmethod
    def sqlite(
        cls,
        path: str | os.PathLike[str],
        *,
        actions: Sequence[Action],
        verifiers: Sequence[Verifier | AsyncVerifier | Portable],
        secret: Secrets,
        timeout: float = 2.0,
        **options: Unpack[AsyncOptions],
    ) -> AsyncStepUp:
        """A gate whose store is the SQLite file at *path*, made with its tables if it is not there yet.

        It keeps what it acknowledged through a crash, and may be shared by the processes of one machine; needs the
        extra ``sql``. ``timeout`` is how many seconds the store may take. The other arguments are those of the class.

        Raises:
            ConfigurationError: naming the thing and the remedy; also for a database in memory.
            WrongColour: for a sync store.
            StoreUnavailable: if the file cannot be opened or made.
        """
        bridge.require_extra("AsyncStepUp.sqlite()", "sqlalchemy", "sql")
        from stepup.stores.sql import AsyncSQLStore

        store = AsyncSQLStore.sqlite(path, timeout=timeout)
        return cls(actions=actions, verifiers=verifiers, store=store, secret=secret, **options)

    def __repr__(self) -> str:
        return f"AsyncStepUp(namespace={self.core.namespace!r}, methods={list(self.core.methods)!r})"
