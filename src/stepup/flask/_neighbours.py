"""The extensions that stepup meets in an application: Flask-WTF, Flask-Login, Flask-Security. None is needed.

Only what is loaded already is looked at, so that nothing heavy is imported for an application without it. This is done
when the shim is given the application and once more before its first request: the order of their making is no matter.

==================== ================================================================================================
neighbour            what is done
==================== ================================================================================================
``CSRFProtect``      the protocol's blueprint is exempt: it refuses other sites' calls itself, and calls are JSON
``user_logged_in``   a sign-in, if the session is fresh; a remembered cookie alone is none
``confirm_login``    a sign-in
``user_logged_out``  what was opened in the session is revoked, and stepup's cookies go
``authn_via``        of Flask-Security: what the sign-in proved, as far as that is certain
``CHANGES``          of Flask-Security: a password, an address or a factor has changed, so what was opened ends
==================== ================================================================================================
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from flask import Blueprint, Flask, session

from stepup.decide.signal import Signal

PROVED: Final[Mapping[str, str]] = {"password": "password", "authenticator": "totp"}
"""What Flask-Security calls a way to sign in, and the method it is. A link in a mail, a text message or another site's
word is no method; a security key may not have asked who holds it."""

CHANGES: Final[Mapping[str, Signal]] = {
    "password_changed": Signal.PASSWORD_CHANGED,
    "password_reset": Signal.PASSWORD_CHANGED,
    "tf_profile_changed": Signal.FACTOR_CHANGED,
    "tf_disabled": Signal.FACTOR_CHANGED,
    "us_profile_changed": Signal.FACTOR_CHANGED,
    "wan_registered": Signal.FACTOR_CHANGED,
    "wan_deleted": Signal.FACTOR_CHANGED,
    "change_email_confirmed": Signal.FACTOR_CHANGED,
}
"""The signals of Flask-Security that tell of a change, and what each is told as; one that a release lacks is none."""

Record = Callable[[object, tuple[str, ...]], None]


class Neighbours:
    """Ties a shim to the extensions of its applications. Kept as long as the shim: signals hold their receivers weakly.

    *signed_in*, *changed* and *signed_out* are told of logins, *signal* of changes; *method* is what a login of
    Flask-Login proves.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        *,
        signed_in: Record,
        changed: Callable[[], None],
        signed_out: Callable[[], None],
        signal: Callable[[Signal, object], None],
        method: str | None,
    ) -> None:
        self._blueprint = blueprint
        self._signed_in = signed_in
        self._changed = changed
        self._signed_out = signed_out
        self._signal = signal
        self._changes = {name: self._telling(one) for name, one in CHANGES.items()}
        self._methods = () if method is None else (method,)

    def meet(self, app: Flask) -> None:
        """Tie to what is there now; doing it again changes nothing."""
        self._exempt(app)
        login, security = sys.modules.get("flask_login"), sys.modules.get("flask_security")
        if login is not None:
            login.user_logged_in.connect(self._logged_in, app)
            login.user_login_confirmed.connect(self._confirmed, app)
            login.user_logged_out.connect(self._logged_out, app)
        if security is not None:
            security.user_authenticated.connect(self._authenticated, app)
            for name, receiver in self._changes.items():
                if (sent := getattr(security, name, None)) is not None:
                    sent.connect(receiver, app)

    def _exempt(self, app: Flask) -> None:
        found: Any = app.extensions.get("csrf")
        known = sys.modules.get("flask_wtf.csrf")
        if known is not None and isinstance(found, known.CSRFProtect):
            found.exempt(self._blueprint)

    def _telling(self, signal: Signal) -> Callable[..., None]:
        def tell(_app: Flask, user: object, **_more: Any) -> None:
            self._signal(signal, user)

        return tell

    def _logged_in(self, _app: Flask, user: object, **_more: Any) -> None:
        if session.get("_fresh") is True:
            self._signed_in(user, self._methods)
        else:
            self._changed()

    def _confirmed(self, _app: Flask, **_more: Any) -> None:
        login = sys.modules["flask_login"]
        self._signed_in(login.current_user, self._methods)

    def _logged_out(self, _app: Flask, **_more: Any) -> None:
        self._signed_out()

    def _authenticated(self, _app: Flask, user: object, authn_via: Iterable[str] | None = None, **_more: Any) -> None:
        """Flask-Security has logged in, which Flask-Login has told already: now it is known by what."""
        self._signed_in(user, tuple(PROVED[way] for way in authn_via or () if way in PROVED))
