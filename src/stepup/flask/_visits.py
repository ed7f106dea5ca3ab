"""Who makes a request: one ``Visit`` for each, made when something asks for it and kept in ``flask.g``.

The application says who is signed in, as a user (``user_of``) or as a whole context (``context_of``). A login that
fails is nobody: whatever is guarded stays shut.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, cast

from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from stepup import _bridge as bridge
from stepup.context import Actor
from stepup.errors import ConfigurationError, StepUpError
from stepup.web.site import Site
from stepup.web.visits import Rotate, Visit

from ._requests import keep, kept, web_request

logger: Final = logging.getLogger("stepup")
Ask = Callable[[], object]
_FAILED: Final = object()


class Visits:
    """The visits to one site. ``whole`` says that the application gives whole contexts."""

    def __init__(
        self,
        site: Site,
        *,
        user_of: Ask | None,
        context_of: Ask | None,
        organization_of: Callable[[], str | None] | None,
        rotate: Ask | None,
    ) -> None:
        """Check that it can be known who makes a request.

        Raises:
            ConfigurationError: unless there is exactly one way to know.
            WrongColour: for an async function.
        """
        if (user_of is None) == (context_of is None):
            raise ConfigurationError(
                "Exactly one of user_of= and context_of= is needed.", remedy="Write user_of=lambda: current_user."
            )
        if context_of is not None and organization_of is not None:
            raise ConfigurationError(
                "organization_of= goes with user_of=.", remedy="Put the organization into the context."
            )
        hooks = {"user_of": user_of, "context_of": context_of, "organization_of": organization_of, "rotate": rotate}
        for name, hook in hooks.items():
            _require_function(name, hook)
        self.whole = context_of is not None
        self._site = site
        self._who = cast("Ask", user_of or context_of)
        self._organization = organization_of or (lambda: None)
        self._rotate = rotate
        self._key = f"_stepup_visit_{id(self):x}"

    def current(self) -> Visit:
        """The visit that this request is.

        Raises:
            InvalidInput: where the application says something of who it is that cannot be.
        """
        return self.made() or self._made(self.who())

    def made(self) -> Visit | None:
        """The visit, if anything has asked for it yet."""
        return cast("Visit | None", kept(self._key))

    def of(self, actor: Actor) -> Visit:
        """The visit, where it is known that *actor* makes it; whoever is signed in elsewhere is not asked."""
        return self.made() or self._made(actor)

    def nobody(self) -> Visit:
        """A visit of nobody, for answers where who it is cannot be known. It is not kept."""
        return self._site.visit(web_request(), None)

    def forget(self) -> None:
        """Who makes the request has changed: ask again when it matters."""
        keep(self._key, None)

    def who(self) -> object:
        """Whom the application says it is; None for nobody, and where asking fails."""
        return self._asked(self._who)

    def _made(self, who: object) -> Visit:
        if self.whole:
            visit = self._site.visit_in(web_request(), who, rotate=cast("Rotate | None", self._rotate))
        else:
            organization = self._asked(self._organization, failed=_FAILED)
            if organization is _FAILED:  # another organization's proof must not do, and none is another one
                who = organization = None
            visit = self._site.visit(
                web_request(), who, organization=cast("str | None", organization), rotate=self._rotate
            )
        keep(self._key, visit)
        return visit

    def _asked(self, ask: Ask, failed: object = None) -> object:
        try:
            found = ask()
        except (HTTPException, StepUpError):
            raise
        except Exception:  # a login that fails lets nobody in, and the log says why
            logger.exception("asking who makes the request failed; it counts as nobody's")
            return failed
        return behind(found)


def behind(found: object) -> object:
    """What a proxy such as ``current_user`` stands for; anything else as it is."""
    if not _is_proxy(found):
        return found
    return cast("LocalProxy[object]", found)._get_current_object()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] -- its documented name


def _is_proxy(found: object) -> bool:
    return issubclass(type(found), LocalProxy)  # isinstance would be told the class of what is behind it


def _require_function(name: str, hook: object) -> None:
    if hook is None:
        return
    if _is_proxy(hook):
        raise ConfigurationError(f"{name}= is a proxy.", remedy=f"Write {name}=lambda: current_user.")
    if not callable(hook):
        raise ConfigurationError(f"{name}= is no function.", remedy=f"Write {name}=lambda: ...")
    bridge.refuse_async(name, hook)
