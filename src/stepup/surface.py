"""Who can answer, and for whom somebody acts: what an action says of callers that are not simply a person at a browser.

============ ========================================== ==================================
surface      the caller                                 without a word from the action
============ ========================================== ==================================
``browser``  a person, by the session's cookie          ask
``bearer``   a person's client, by a bearer token       ask
``script``   a program that a person runs               ask
``api_key``  a program, by a key of its own             refuse
``job``      a program that nobody waits for            refuse
============ ========================================== ==================================

A program cannot prove anything, but it can wait until others have decided: where their approval alone is enough, it is
asked for that.
``Action(surfaces={"job": "ask"})`` replaces a row for one action: ``allow`` lets the call pass without proof, ``ask``
asks as of anybody, ``refuse`` refuses whatever is presented. While somebody acts on behalf of somebody else
(``Actor.on_behalf_of``), ``Action(impersonation=...)`` says who has to prove what; the default refuses level 4.

Neither ever weakens a decision: ``allow`` ends where the risk of a call is raised, where the session's risk narrows the
methods, and while somebody is impersonated; it is not to be had at level 4.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, cast

from .errors import ConfigurationError

CRITICAL: Final = 4


class Surface(enum.StrEnum):
    """How a call comes in. The server says it (``Context.surface``), never the client."""

    BROWSER = "browser"
    BEARER = "bearer"
    API_KEY = "api_key"
    SCRIPT = "script"
    JOB = "job"


class Handling(enum.StrEnum):
    """What is done with a call on a surface."""

    ALLOW = "allow"
    ASK = "ask"
    REFUSE = "refuse"


class Impersonation(enum.StrEnum):
    """Who has to prove what while somebody acts on behalf of somebody else.

    ``REFUSE``: nothing opens it. ``PROVE``: the acting person proves it is them, with factors of their own.
    ``APPROVE``: they do, and somebody approves it besides.
    """

    REFUSE = "refuse"
    PROVE = "prove"
    APPROVE = "approve"


_UNATTENDED: Final = frozenset({Surface.API_KEY, Surface.JOB})


def surfaces_of(given: object, where: str, *, critical: bool) -> Mapping[Surface, Handling]:
    """*given*, as what an action says of its surfaces.

    Raises:
        ConfigurationError: for a surface or a handling that there is not, and for ``allow`` at level 4.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{where}: surfaces must be a mapping.", remedy='Write {"job": "refuse"}.')
    made: dict[Surface, Handling] = {}
    for surface, said in cast("Mapping[object, object]", given).items():
        try:
            made[Surface(cast("str", surface))] = Handling(cast("str", said))
        except ValueError as error:
            raise ConfigurationError(
                f"{where}: surfaces: {error}.", remedy=f"Allowed: {', '.join(Surface)}; {', '.join(Handling)}."
            ) from None
    if critical and Handling.ALLOW in made.values():
        raise ConfigurationError(
            f"{where} is critical and allowed on a surface without proof.", remedy='Use "ask", or lower the risk.'
        )
    return made


def handling(given: Mapping[Surface, Handling], surface: Surface, own: int, level: int, *, by_others: bool) -> Handling:
    """What is done with a call at *level* of an action whose own level is *own*.

    ``allow`` holds at the action's own level alone; where it is raised, what would hold without it does. *by_others*:
    the approval of others is enough at this level.
    """
    said = given.get(surface)
    if said is None or (said is Handling.ALLOW and level > own):
        return Handling.REFUSE if surface in _UNATTENDED and not by_others else Handling.ASK
    return said


def impersonating(given: Impersonation | None, level: int) -> Impersonation:
    """Who has to prove what at *level* while somebody is impersonated."""
    return given or (Impersonation.REFUSE if level >= CRITICAL else Impersonation.PROVE)
