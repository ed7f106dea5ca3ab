"""``python -m stepup demo``: a small web application with one person, to see what a guarded action is like.

It is an ordinary Starlette application that uses stepup as any other would, and can be read as an example: ``seed``
(the gate, and a person with a password, an authenticator and recovery codes), ``app`` (the application), ``serve``
(the server). Everything is on loopback. What would be mailed is printed, and can be read at ``/demo/outbox``.
"""

from __future__ import annotations

from .serve import serve

__all__ = ["serve"]
