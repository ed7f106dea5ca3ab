"""``StepUpFlask``: the extension. It translates between Flask and ``stepup.web``, and decides nothing.

What it adds to an application: the protocol below the prefix, an answer to every error of stepup's, the cookies of the
visit on whatever response is sent, and commands. A request that has nothing to do with stepup is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final, ParamSpec, TypeVar, Unpack, cast
from weakref import WeakSet

from flask import Blueprint, Flask, Response, current_app

from stepup._async import AsyncStepUp
from stepup._sync import StepUp
from stepup.bundle import Item
from stepup.context import Context, Resource
from stepup.decide.signal import Signal, SignalWord
from stepup.decision import Authorization, Decision
from stepup.errors import ConfigurationError, InvalidInput, Refused, StepUpError, Unavailable, WrongColour
from stepup.policy import BUNDLE, Params
from stepup.web.people import actor_of, told_of
from stepup.web.site import Site, SiteOptions
from stepup.web.visits import Visit

from . import _requests as web
from ._commands import commands
from ._neighbours import Neighbours
from ._replies import Replies
from ._views import require_below_route, require_sync, with_names
from ._visits import Visits, behind

P = ParamSpec("P")
R = TypeVar("R")
logger: Final = logging.getLogger("stepup")
_EXTENSION: Final = "stepup"
_ASKED: Final = "_stepup_asked"
_REST: Final = "stepup_rest"


class StepUpFlask:
    """A gate for Flask applications. Make one at start-up; it may serve several applications."""

    def __init__(
        self,
        app: Flask | None = None,
        gate: StepUp | None = None,
        *,
        user_of: Callable[[], object] | None = None,
        context_of: Callable[[], Context | None] | None = None,
        organization_of: Callable[[], str | None] | None = None,
        rotate: Callable[[], object] | None = None,
        login_method: str | None = None,
        **options: Unpack[SiteOptions],
    ) -> None:
        """Every mistake that can be seen now is raised now.

        Args:
            app: the application; or None, and ``init_app`` later.
            gate: the gate.
            user_of: who is signed in: an ``Actor``, a user object of the application's login, or None.
            context_of: instead of ``user_of``, the whole ``Context``, for applications that have it; or None.
            organization_of: the organization that somebody works in, with ``user_of``.
            rotate: the application's own renewal of its session, called at each step-up. With ``context_of`` it
                returns the new session id.
            login_method: what a login of Flask-Login proves, such as ``password``. Without it, a login is known by
                its time only. Flask-Security says itself.
            **options: see ``stepup.web.site.SiteOptions``.

        Raises:
            ConfigurationError: naming the thing and the remedy.
            WrongColour: for an ``AsyncStepUp``, or an async function.
        """
        self.gate = _require_gate(gate)
        self._site = Site(self.gate, **options)
        self._visits = Visits(
            self._site, user_of=user_of, context_of=context_of, organization_of=organization_of, rotate=rotate
        )
        self._replies = Replies(self._site, self._visits)
        self._blueprint = Blueprint(_name_for(self._site.prefix), __name__, url_prefix=self._site.prefix)
        self._neighbours = Neighbours(
            self._blueprint,
            signed_in=self._login_told,
            changed=self._visits.forget,
            signed_out=self.signed_out,
            signal=self.signal,
            method=login_method,
        )
        self._guarded: list[Callable[..., object]] = []
        self._apps: WeakSet[Flask] = WeakSet()
        self._met: WeakSet[Flask] = WeakSet()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add the protocol, the answers to errors, the cookies and the commands to *app*.

        Raises:
            ConfigurationError: for something that is no application, or where another gate has the address or the
                cookies already.
        """
        if not isinstance(app, Flask):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(
                f"app is a {type(app).__name__}.",
                remedy="Write StepUpFlask(app, gate, ...).",
            )
        here = _shims(app)
        for other in here:
            self._site.require_apart(other._site)  # noqa: SLF001 -- another of this class
        if not here:
            app.error_handler_spec[None][None].setdefault(StepUpError, self._answer)
        app.extensions.setdefault(_EXTENSION, []).append(self)
        self._apps.add(app)
        self._mount(app)
        app.before_request(self._before)
        app.after_request(self._after)
        app.cli.add_command(commands(self._blueprint.name, self.gate))
        self._neighbours.meet(app)

    # -- guarding -----------------------------------------------------------------------

    def guard(
        self,
        action: str,
        *,
        resource: Resource | Callable[..., Resource | None] | None = None,
        params: Params | Callable[..., Params | None] | None = None,
        within: object = None,
        uses: int | Callable[..., int] | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Guard a view; put it below the route, the permission check and the validation.

        ``resource``, ``params``, ``within`` and ``uses`` are values, or functions that are given those of the view's
        arguments that they name. For what only the view's body knows, call ``require`` there.

        Raises:
            UnknownAction: when decorating, for an action nobody registered.
            ConfigurationError: when decorating, for an unknown argument or above a route.
            InvalidInput: when decorating, for ``uses`` that are no number of uses.
            WrongColour: when decorating an async view.
        """

        def decorate(view: Callable[P, R]) -> Callable[P, R]:
            require_sync(action, view)
            for app in self._apps:
                require_below_route(app, [view])
            guarded = self.gate.guard(
                action,
                resource=resource,
                params=params,
                context=lambda: self._asking().known,
                token=lambda: self._visit().token(action),
                within=within,
                uses=uses,
            )(with_names(view, resource, params, within, uses))
            self._guarded.append(view)
            return guarded

        return decorate

    def require(
        self,
        action: str,
        *,
        resource: Resource | None = None,
        params: Params | None = None,
        request_id: str | None = None,
        within: object = None,
        uses: int | None = None,
    ) -> Authorization:
        """Let the call pass or raise, as ``gate.require``; for the body of a view, after validation.

        Raises:
            StepUpRequired, Denied: which the application answers by itself; also if nobody is signed in.
            UnknownAction, InvalidInput, StoreUnavailable: as ``gate.require``.
        """
        visit = self._asking()
        return self.gate.require(
            action,
            visit.known,
            resource=resource,
            params=params,
            token=visit.token(action),
            request_id=request_id,
            within=within,
            uses=uses,
        )

    def require_bundle(
        self, items: Iterable[Item], *, request_id: str | None = None, within: object = None
    ) -> tuple[Authorization, ...]:
        """Let several calls pass together, each once, or raise, as ``gate.require_bundle``.

        Raises:
            StepUpRequired, Denied: which the application answers by itself; also if nobody is signed in.
            UnknownAction, InvalidInput, StoreUnavailable: as ``gate.require_bundle``.
        """
        visit = self._asking()
        return self.gate.require_bundle(
            items, visit.known, token=visit.token(BUNDLE), request_id=request_id, within=within
        )

    def check_bundle(self, items: Iterable[Item]) -> Decision:
        """Decide about several calls, with the token that came along, and spend nothing; as ``gate.check_bundle``.

        Raises:
            Denied: if nobody is signed in.
            UnknownAction, InvalidInput, StoreUnavailable: as ``gate.check_bundle``.
        """
        visit = self._asking()
        return self.gate.check_bundle(items, visit.known, token=visit.token(BUNDLE))

    def check(self, action: str, *, resource: Resource | None = None, params: Params | None = None) -> Decision:
        """Decide without spending or recording anything: advice, for showing a button as locked or not.

        Raises:
            Denied: if nobody is signed in.
            UnknownAction, InvalidInput, StoreUnavailable: as ``gate.check``.
        """
        return self.gate.check(action, self._asking().known, resource=resource, params=params)

    @property
    def context(self) -> Context | None:
        """The context of this request, for calls to the gate; None if nobody is signed in."""
        return self._visit().context

    # -- signing in and out ---------------------------------------------------------------

    def signed_in(self, user: object, *methods: str) -> None:
        """Somebody has just signed in, by these methods: *user* is what ``user_of`` gives from now on.

        Flask-Login and Flask-Security tell it themselves.

        Raises:
            InvalidInput: for nobody, for a caller with a bearer token, or for a method that is no name.
            ConfigurationError: with ``context_of``, whose session says when it was signed in to.
        """
        self._require_app()
        if self._visits.whole:
            raise ConfigurationError(
                "signed_in() is for user_of=.", remedy="With context_of=, put authenticated_at into the session."
            )
        actor = actor_of(behind(user))
        if actor is None:
            raise InvalidInput("signed_in", "was given nobody", remedy="Pass the user who has signed in.")
        self._visits.of(actor).signed_in(actor, methods)

    def signed_out(self) -> None:
        """Somebody signs out: what was opened in the session is revoked. Who it is, the cookie says too.

        Raises:
            StoreUnavailable: if the outcome is not known.
        """
        visit = self._visit()
        context = visit.leaving
        visit.signed_out()
        if context is not None and context.session is not None:
            self.gate.signal(context, Signal.LOGGED_OUT)

    def signal(self, signal: Signal | SignalWord, user: object = None) -> None:
        """Tell what has happened to whoever makes the request, or to *user*; see ``gate.signal``.

        Some signals of Flask-Security are told by themselves.

        Raises:
            InvalidInput: for a word that is no signal, or nobody.
            StoreUnavailable: if the outcome is not known.
        """
        context = self._visit().leaving
        who = context if user is None else told_of(behind(user), context)
        if who is None:
            raise InvalidInput("signal", "was told of nobody", remedy="Pass the user whom it is about.")
        self.gate.signal(who, signal)

    def _login_told(self, user: object, methods: tuple[str, ...]) -> None:
        """A login extension has signed *user* in. ``user_of`` knows best who that is to the gate."""
        if self._visits.whole or web.web_request().bearer:
            return
        known = actor_of(self._visits.who())
        self.signed_in(user if known is None else known, *methods)

    # -- one request ------------------------------------------------------------------------

    def _before(self) -> None:
        """Before the first request of an application, look once more at what has come to it."""
        app = cast("Flask", behind(current_app))
        if app not in self._met:
            self._neighbours.meet(app)
            require_below_route(app, self._guarded)
            self._met.add(app)

    def _after(self, response: Response) -> Response:
        visit = self._visits.made()
        if visit is not None:
            response.vary.add("Cookie")
            for cookie in visit.set_cookies():
                response.headers.add("Set-Cookie", cookie)
        return response

    def _visit(self) -> Visit:
        self._require_app()
        return self._visits.current()

    def _require_app(self) -> None:
        if behind(current_app) not in self._apps:
            raise ConfigurationError("StepUpFlask does not know this application.", remedy="Call init_app(app) first.")

    def _asking(self) -> Visit:
        """The visit in which the gate is asked; errors of this request are this gate's to answer."""
        visit = self._visit()
        web.keep(_ASKED, self)
        return visit

    # -- answering ----------------------------------------------------------------------------

    def _mount(self, app: Flask) -> None:
        """One address for all that follows the prefix, by any method: the protocol knows which there are."""
        app.register_blueprint(self._blueprint)
        endpoint = f"{self._blueprint.name}.protocol"
        app.url_map.converters[_REST] = web.Rest
        address = f"{self._site.prefix}<{_REST}:rest>"
        rule = app.url_rule_class(address, endpoint=endpoint, strict_slashes=False, merge_slashes=False)
        app.url_map.add(rule)
        app.view_functions[endpoint] = self._replies.protocol

    @staticmethod
    def _answer(error: StepUpError) -> Response:
        """The answer to an error of stepup's, wherever it was raised: by the gate that was asked last."""
        if not isinstance(error, Refused):
            cause = None if isinstance(error, Unavailable) else error
            logger.error("a request ended in %s: %s", type(error).__name__, error, exc_info=cause)
        asked = web.kept(_ASKED)
        shim = asked if isinstance(asked, StepUpFlask) else _shims(current_app)[0]
        return shim._replies.refusal(error)  # noqa: SLF001 -- of this class


def _shims(app: Flask) -> list[StepUpFlask]:
    found: list[StepUpFlask] = app.extensions.get(_EXTENSION, [])
    return found


def _name_for(prefix: str) -> str:
    """What blueprint and commands are called: after the prefix, so that two gates have two names."""
    return prefix.strip("/").replace("/", "_").replace(".", "_")


def _require_gate(gate: object) -> StepUp:
    if isinstance(gate, AsyncStepUp):
        raise WrongColour("StepUpFlask was given an AsyncStepUp.", remedy="Use StepUp: Flask's views are not async.")
    if not isinstance(gate, StepUp):
        raise ConfigurationError("StepUpFlask has no gate.", remedy="Pass gate=StepUp(...).")
    return gate
