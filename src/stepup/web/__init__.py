"""The HTTP protocol, without a framework: requests and responses as values, and what every shim is built on.

For shims, with ``docs/how-to/write-a-shim.md``:

- ``Site``, with ``SiteOptions``: one gate behind one address. It makes visits, answers the protocol, and refuses.
- ``Visit``: one request to the application: who, in which session, with which token, and the cookies to set.
- ``WebRequest``, ``WebResponse``: what a shim translates from and to; ``Intake``, ``SAFE``: what it needs for that.
- ``run_sync``: what a shim without an event loop runs ``Site.answer`` with. ``actor_of``: a person from a user object.
- ``from_elsewhere``, ``safe_return``: other sites, and addresses to return to. ``network_of``: what an address counts
  as.

For the protocol alone: ``Protocol`` and ``respond``, for either face; ``Voice``, ``Answers`` and ``PROBLEMS``: refusals
as problem documents (RFC 9457) and, for bearer tokens, challenges (RFC 9470).

Read on: ``http`` (values), ``bodies``, ``wire`` (strict reading), ``origins`` (other sites), ``problems`` (refusals),
``documents`` and ``answers`` (what clients read), ``api`` (the table of calls), ``flow``, ``account`` and
``approvals`` (the calls),
``openapi`` (their description); ``ceremony``, ``pages``, ``refusals`` and ``html`` (without JavaScript); ``sessions``,
``cookies``, ``addresses``, ``people``, ``visits`` and ``site`` (what shims are built on).
"""

from __future__ import annotations

from stepup._bridge import run_sync

from .addresses import network_of
from .api import Protocol, respond
from .bodies import MAX_BODY, Intake
from .http import SAFE, WebRequest, WebResponse
from .origins import from_elsewhere, safe_return
from .people import actor_of
from .problems import PROBLEMS, Answers, Voice
from .site import Site, SiteOptions
from .visits import Visit

__all__ = [
    "MAX_BODY",
    "PROBLEMS",
    "SAFE",
    "Answers",
    "Intake",
    "Protocol",
    "Site",
    "SiteOptions",
    "Visit",
    "Voice",
    "WebRequest",
    "WebResponse",
    "actor_of",
    "from_elsewhere",
    "network_of",
    "respond",
    "run_sync",
    "safe_return",
]
