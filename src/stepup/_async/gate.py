"""``AsyncStepUp``: the async face. The same names and docstrings as ``StepUp``, awaited."""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, Unpack

from stepup import _bridge as bridge
from stepup._config import AsyncOptions, Secrets, Settings, build, sender
from stepup._engine import authorize, begin, bundle, look, signals, start, upkeep, verify
from stepup._guard import Guard
from stepup._observe import Told
from stepup.bundle import Item
from stepup.ceremony import Prompt
from stepup.challenge import Challenge
from stepup.changes import Page
from stepup.context import Actor, Context, Resource
from stepup.decide.attempt import MoreNeeded, Rejected, Verified
from stepup.decide.signal import Signal, SignalWord
from stepup.decision import Authorization, Decision
from stepup.errors import WrongColour
from stepup.event import Event
from stepup.grant import Grant
from stepup.lint import Finding, lint
from stepup.notices import Notice, Notices
from stepup.policy import Action, Params, Policy, Risk
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
from stepup.throttle import Limits

from .approvals import AsyncApprovals
from .devices import AsyncDevices
from .factors import AsyncFactors

P = ParamSpec("P")
R = TypeVar("R")


class AsyncStepUp:
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
            store=bridge.async_store(store),
            verifiers=[bridge.async_verifier(verifier, call) for verifier in verifiers],
            risk=bridge.async_assessor(risk, call),
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
        from stepup.stores.sql import AsyncSQLStore

        store = AsyncSQLStore.sqlite(path, timeout=timeout)
        return cls(actions=actions, verifiers=verifiers, store=store, secret=secret, **options)

    # -- deciding -----------------------------------------------------------------

    async def check(
        self,
        action: str,
        context: Context,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        token: str | None = None,
        uses: int | None = None,
    ) -> Decision:
        """Decide without spending or recording anything.

        Returns the ``Decision`` with every reason. It is advice: only ``require`` lets an action run.

        Raises:
            UnknownAction: for an action nobody registered.
            InvalidInput: for a value of the wrong type or size.
            StoreUnavailable: if the store cannot answer.
        """
        return await authorize.check(self.core, action, context, resource, params, token, uses)

    async def require(
        self,
        action: str,
        context: Context,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        token: str | None = None,
        request_id: str | None = None,
        within: object = None,
        uses: int | None = None,
    ) -> Authorization:
        """Let the call pass, spending a use where uses are limited, or raise.

        Call it after the permission check and the validation of input, as close to the mutation as possible.
        Under concurrency a single use is spent by exactly one caller. ``request_id`` lets the very same
        request learn its own success after a lost reply; keep it secret and unique.

        ``within`` is a SQLAlchemy connection or session in a transaction of the database that the store stands in:
        what is spent is spent in that transaction, so that it commits or rolls back together with the action. What
        is merely recorded of a refusal is written after the transaction has ended. It covers that database, only.
        A ``request_id`` that has spent its proof is refused there: the action was committed with it.

        ``uses`` asks for a proof that can be spent that often, where one has to be given first: the person is told the
        number, and the policy's ``uses`` bounds it. This call spends one; ``Authorization.remaining`` is what is left.

        Raises:
            StepUpRequired: fresh proof would open it; carries an offer.
            Denied: nothing that could be proved now would.
            UnknownAction: for an action nobody registered.
            InvalidInput: for a value of the wrong type or size; for ``within`` in autocommit or in another database.
            StoreUnavailable: if the outcome is not known; treat it as refused, and roll back what ``within`` was in.
        """
        return await authorize.require(self.core, action, context, resource, params, token, request_id, within, uses)

    async def require_bundle(
        self,
        items: Iterable[Item],
        context: Context,
        *,
        token: str | None = None,
        request_id: str | None = None,
        within: object = None,
    ) -> tuple[Authorization, ...]:
        """Let several calls pass together, each once, or raise: one proof opens them all, and none but them.

        The person is shown every item. All are spent in one moment, or none. To spend them one by one, in any order,
        ask ``check_bundle`` first, and give the bundle's token to ``require`` for each. At most 32 items, and none
        twice; for more of the same, ask for ``uses=`` of one call.

        Returns an ``Authorization`` for each item, in order. ``request_id`` and ``within`` as in ``require``; roll
        back a transaction of yours when this raises, for items may have been spent in it before another was lost.

        Raises:
            StepUpRequired: fresh proof would open it; carries one offer for all.
            Denied: nothing that could be proved now would open all of them.
            UnknownAction: for an action nobody registered.
            InvalidInput: for a value of the wrong type or size, for too many items, or one item twice.
            StoreUnavailable: if the outcome is not known; treat it as refused.
        """
        return await bundle.require_bundle(self.core, items, context, token, request_id, within)

    async def check_bundle(self, items: Iterable[Item], context: Context, *, token: str | None = None) -> Decision:
        """Decide about several calls without spending or recording anything; see ``require_bundle``.

        It is advice. To have them spent one by one, raise ``StepUpRequired(decision)`` where it is not ``allowed``, and
        give the token to ``require`` for each.

        Raises:
            As ``require_bundle``, but for the refusals, which are in the ``Decision``.
        """
        return await bundle.check_bundle(self.core, items, context, token)

    def guard(
        self,
        action: str,
        *,
        resource: Resource | Callable[..., Resource | None] | None = None,
        params: Params | Callable[..., Params | None] | None = None,
        context: Context | Callable[..., Context] | None = None,
        token: str | Callable[..., str | None] | None = None,
        within: object = None,
        uses: int | Callable[..., int] | None = None,
    ) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]:
        """Guard a function: ``require`` runs before each call of it.

        ``resource``, ``params``, ``context``, ``token``, ``within`` and ``uses`` are values, or functions that are
        given those of the guarded function's arguments that they name. Without ``context``, the gate's ``context_of``
        is asked.

        Raises:
            UnknownAction: when decorating, for an action nobody registered.
            ConfigurationError: when decorating, for a missing context or an unknown argument.
            InvalidInput: when decorating, for ``uses`` that are no number of uses.
            WrongColour: when decorating a function of the other colour.
        """

        def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
            if not bridge.is_async(function):
                raise WrongColour(f"guard({action!r}) on a function that is not async.", remedy="Use StepUp.")
            guard = Guard(
                self.core.registry,
                action,
                function,
                resource=resource,
                params=params,
                context=context or self._context_of,
                token=token,
                within=within,
                uses=uses,
            )

            @functools.wraps(function)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
                call = guard.call(args, kwargs)
                await self.require(
                    action,
                    call.context,
                    resource=call.resource,
                    params=call.params,
                    token=call.token,
                    within=call.within,
                    uses=call.uses,
                )
                return await function(*args, **kwargs)

            return guarded

        return decorate

    # -- the ceremony ---------------------------------------------------------------

    async def start_offer(self, offer: str, context: Context, *, reason: str | None = None) -> Challenge:
        """Open a challenge for the blocked call that *offer* describes; policy decides again.

        Raises:
            Denied: with ``bad_request`` for an offer that is not this person's in this session, or older than
                ten minutes; with another code where nothing can be proved now.
            StoreUnavailable: if the outcome is not known.
        """
        return await start.start_offer(self.core, offer, context, reason)

    async def start(
        self,
        action: str,
        context: Context,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        reason: str | None = None,
        uses: int | None = None,
    ) -> Challenge:
        """Open a challenge for a call, superseding an open one for the same binding.

        ``reason`` is the person's own words for the audit. Two store calls.

        Raises:
            Denied: where nothing can be proved now, or too many challenges are open.
            UnknownAction: for an action nobody registered.
            InvalidInput: for a value of the wrong type or size.
            StoreUnavailable: if the outcome is not known.
        """
        return await start.start_challenge(self.core, action, context, resource, params, reason, uses)

    async def start_bundle(self, items: Iterable[Item], context: Context, *, reason: str | None = None) -> Challenge:
        """Open a challenge for several calls; see ``require_bundle``, and ``start``, whose errors it raises.

        ``challenge.items`` are what the person is shown.
        """
        return await start.start_bundle(self.core, items, context, reason)

    async def begin(self, challenge_id: str, method: str, context: Context) -> Prompt:
        """Prepare a method: send the code, make the options. Optional for methods that need nothing.

        Asked again within the resend time, it answers the same without sending again.

        Raises:
            Denied: for a challenge that is not this person's or not open, a method that is not allowed, or too
                many sends.
            DeliveryFailed: if the message was not taken; counters are as before and it can be repeated at once.
            StoreUnavailable: if the outcome is not known.
        """
        return await begin.begin(self.core, challenge_id, method, context)

    async def verify(
        self,
        challenge_id: str,
        method: str,
        response: object,
        context: Context,
        *,
        rotate: Callable[[], str | Awaitable[str]] | None = None,
        remember: bool = False,
    ) -> Verified | MoreNeeded | Rejected:
        """Judge one answer. It is counted before it is looked at, and always recorded.

        Returns ``Verified`` with the grant and its token, ``MoreNeeded`` where a part is still missing, or
        ``Rejected``. Only ``Verified`` is truthy. ``rotate`` is called once the last proof is accepted and
        before anything is minted; it changes the session's id and returns the new one, to which the grant is
        bound. Under concurrency the verifier runs at most as often as attempts are allowed, and one wins.

        ``remember`` says that the person wants this device remembered: where policy lets them and no recovery code
        was used, ``Verified.device_token`` is what the device presents from then on, as ``Context.device_token``. A
        device that is remembered gets a new one at every step-up; the one before it is good for another minute.

        Raises:
            StoreUnavailable: if the outcome is not known; the answer stays counted.
        """
        return await verify.verify(self.core, challenge_id, method, response, context, rotate, remember)

    async def cancel(self, challenge_id: str, context: Context) -> bool:
        """Close an open challenge; False where there was none to close."""
        return await look.cancel(self.core, challenge_id, context)

    async def challenge(self, challenge_id: str, context: Context) -> Challenge | None:
        """The challenge as it stands now; None where it is not this person's in this session."""
        return await look.look(self.core, challenge_id, context)

    # -- ending and looking after -----------------------------------------------------

    async def grants(self, context: Context) -> tuple[Grant, ...]:
        """What is unlocked in this session now, newest first."""
        return await upkeep.grants(self.core, context)

    async def revoke(
        self, context: Context, *, grant: str | None = None, session: bool = False, everything: bool = False
    ) -> bool:
        """End one grant, everything of this session (on sign-out), or everything of the person.

        When it has returned, nothing that it ended can be used, wherever it is presented. Returns whether
        there was something to end.

        Raises:
            InvalidInput: unless exactly one is asked for.
            StoreUnavailable: if the outcome is not known; call it again.
        """
        return await upkeep.revoke_some(self.core, context, grant, session=session, everything=everything)

    async def signal(
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
        return await signals.signal(self.core, who, signal, session_id, moved_to)

    async def enable(self, who: Actor | Context) -> bool:
        """Let somebody start again who was ``disabled``; False for somebody who was not.

        Nothing that had ended comes back. Guard it like the application's own way to enable an account.

        Raises:
            InvalidInput: for somebody who acts on behalf of somebody else: which of the two is meant has to be said.
            StoreUnavailable: if the outcome is not known; call it again.
        """
        return await signals.enable(self.core, who)

    async def rotated(self, context: Context, session_id: str) -> None:
        """Tell that the session in *context* has got the id *session_id*: its grants move, its tokens die."""
        await upkeep.rotated(self.core, context, session_id)

    async def unlock(
        self, actor: Actor, support: Context, *, methods: Sequence[str] | None = None, token: str | None = None
    ) -> None:
        """Set somebody's failure counters and guess budget to zero.

        A protected action itself: *support* must hold a grant for ``stepup.support.unlock`` on the resource
        ``Resource("actor", actor.id)``, and must be somebody else.

        Raises:
            StepUpRequired, Denied: as ``require``.
            InvalidInput: for unlocking oneself.
        """
        await upkeep.unlock(self.core, actor, support, methods, token)

    async def forget(self, actor: Actor) -> None:
        """Erase everything kept about a person: factors, grants, counters and events.

        Tokens issued before stay dead. Guard it like the deletion of the account that it belongs to.
        """
        await upkeep.forget(self.core, actor)

    async def events(self, actor: Actor, *, after: str | None = None, limit: int = 50) -> Page[Event]:
        """The person's audit events, newest first; ``Page.after`` continues."""
        return await upkeep.events(self.core, actor, after, limit)

    async def purge(self, *, limit: int = 1000) -> int:
        """Delete at most *limit* expired records and return how many; call it from time to time."""
        return await upkeep.purge(self.core, limit)

    def lint(self) -> tuple[Finding, ...]:
        """Advice on a configuration that is valid and may still not be what is wanted; see ``stepup.lint``."""
        strengths = {name: info.strength for name, info in self.core.methods.items()}
        untold = sorted(self.core.notices.off_though_demanded)
        remembers = self.core.watch is not None
        return lint(self.core.registry, strengths, self.core.unverified, untold, remembers=remembers)

    def __repr__(self) -> str:
        return f"AsyncStepUp(namespace={self.core.namespace!r}, methods={list(self.core.methods)!r})"
