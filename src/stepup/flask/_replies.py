"""What the site itself replies: to calls of the protocol, and to whatever stepup raised."""

from __future__ import annotations

from flask import Response
from werkzeug.exceptions import HTTPException

from stepup._bridge import run_sync
from stepup.errors import StepUpError
from stepup.web.site import Site

from . import _requests as web
from ._visits import Visits


class Replies:
    """The replies of one site to its visits."""

    def __init__(self, site: Site, visits: Visits) -> None:
        self._site = site
        self._visits = visits

    def protocol(self, rest: str) -> Response:
        """To a call of the protocol; *rest* is what werkzeug takes the path below the prefix to be."""
        path = web.spelled(self._site.prefix, rest)
        visit = self._visits.nobody() if self._site.public(path) else self._visits.current()
        return web.web_response(run_sync(self._site.answer(visit, path, web.body())))

    def refusal(self, error: StepUpError) -> Response:
        """To a request that ended in *error*."""
        try:
            visit = self._visits.current()
        except (StepUpError, HTTPException):  # that who it is cannot be known may be the very error
            visit = self._visits.nobody()
        return web.web_response(self._site.refusal(visit, error))
