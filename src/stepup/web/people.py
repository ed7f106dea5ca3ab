"""Who is signed in, from whatever the application's login keeps: an ``Actor``, a user object, or nobody.

A user object is anything with an ``id`` (Flask-Security, most models), a ``get_id()`` (Flask-Login) or an ``identity``
(Starlette). ``id`` comes first, since it is the one that does not change with a password. An ``is_authenticated`` that
is not true means nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from stepup.context import Actor, Context
from stepup.errors import InvalidInput

_NO_USERS: tuple[type, ...] = (str, bytes, int, float, dict, list, tuple)
_REMEDY = "Return an Actor, a user object with an id, or None."


def actor_of(user: object) -> Actor | None:
    """The person; None for nobody.

    Raises:
        InvalidInput: for something that is no user, such as a text.
    """
    if user is None or isinstance(user, Actor):
        return user
    if isinstance(user, _NO_USERS):
        raise InvalidInput("user_of", f"gave a {type(user).__name__}", remedy=_REMEDY)
    if not _authenticated(user):
        return None
    found = _id(user)
    if found is None:
        raise InvalidInput("user_of", f"gave a {type(user).__name__} without an id", remedy=_REMEDY)
    email: object = getattr(user, "email", None)
    return Actor(found, email=email if isinstance(email, str) and email else None)


def told_of(user: object, context: Context | None) -> Context | None:
    """Whom it is about that something happened to *user*, told in a request of *context*; None for nobody.

    An ``Actor`` is meant as it is. A user of the login's own says no tenant: who that is to the gate, ``user_of``
    knows best, where it is the one who makes the request, or the one on whose behalf it is made.
    """
    about = actor_of(user)
    if about is None or context is None or isinstance(user, Actor):
        return None if about is None else Context(about)
    known = context.actor
    if about.id == known.on_behalf_of:
        return Context(replace(about, tenant=known.tenant))
    return replace(context, actor=replace(known, on_behalf_of=None)) if about.id == known.id else Context(about)


def _authenticated(user: object) -> bool:
    """Whether the login calls it signed in; an object that says nothing of that is."""
    said: object = getattr(user, "is_authenticated", True)
    return (cast("Callable[[], object]", said)() if callable(said) else said) is True


def _id(user: object) -> str | None:
    given: object = getattr(user, "id", None)
    if given is None and callable(ask := getattr(user, "get_id", None)):
        given = cast("Callable[[], object]", ask)()
    if given is None:
        given = _identity(user)
    if type(given).__name__ == "UUID":  # of the standard library or of a driver
        return str(given)
    return str(given) if isinstance(given, str | int) and not isinstance(given, bool) else None


def _identity(user: object) -> object:
    try:
        return getattr(user, "identity", None)
    except NotImplementedError:  # Starlette's SimpleUser and others leave it out
        return getattr(user, "username", None)
