"""The HTTP protocol, without a framework: requests and responses as values.

- ``Protocol`` and ``respond``: every call of the protocol, for either face.
- ``WebRequest``, ``WebResponse``: what a shim translates to and from.
- ``Voice``: refusals as problem documents (RFC 9457) and, for bearer tokens, challenges (RFC 9470).

Read on: ``http`` (values), ``bodies``, ``wire`` (strict reading), ``origins`` (other sites), ``problems`` (refusals),
``documents`` and ``answers`` (what clients read), ``api`` (the table of calls), ``flow`` and ``account`` (the calls),
``openapi`` (their description).
"""

from __future__ import annotations

from .api import Protocol, respond
from .http import WebRequest, WebResponse
from .origins import safe_return
from .problems import PROBLEMS, Answers, Voice

__all__ = ["PROBLEMS", "Answers", "Protocol", "Voice", "WebRequest", "WebResponse", "respond", "safe_return"]
