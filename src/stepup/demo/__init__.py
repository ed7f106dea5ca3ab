"""``python -m stepup demo``: an account-security page, and a small product around it, to see what guards are like.

It is an ordinary Starlette application that uses stepup as any other would, and can be read as an example: ``seed``
(the gate, and people with passwords, an authenticator and recovery codes), ``actions`` (what is guarded), ``app`` and
``pages`` (the application), ``serve`` (the server). Everything is on loopback. What would be mailed is printed, and can
be read at ``/demo/outbox``.
"""

from __future__ import annotations

from .serve import serve

__all__ = ["serve"]
