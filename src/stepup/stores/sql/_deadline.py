"""How long a sync call may take: a thread that shuts the socket of one that takes longer.

A driver waits for its server in C or in ``recv``, and no sync driver can be told from outside to stop. What ends the
wait is the end of the connection: the driver then raises, and the pool throws the connection away. One thread for the
process (``WATCH``) looks ten times a second while calls are under way, and sleeps on an event while none is. Opening a
connection has no socket to shut yet, so it happens in a thread that can be left behind (``within``), unless one is
there that can be had ``at_once``.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from itertools import count
from typing import Final, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

T = TypeVar("T")
_TICK: Final = 0.1
_MAX_OPENING: Final = 32


class Call(NamedTuple):
    """A call under way: the driver's descriptor, when its socket is shut, and a descriptor of the watch's own for it.

    The driver may close its descriptor at any moment, and in the next the number may be another file's.
    """

    number: int
    descriptor: int
    at: float
    held: int


class Watch:
    """Calls under way, by the descriptor of their socket: a connection serves one call at a time."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)  # a child has none of its parent's threads, and no calls

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._busy = threading.Event()
        self._calls: dict[int, Call] = {}
        self._numbers = count()
        self._ended: set[Call] = set()
        self._thread: threading.Thread | None = None

    def begin(self, descriptor: int, seconds: float) -> Call:
        """Start to watch a call. What was watched of this connection before is over."""
        with self._lock:
            self._drop(descriptor)
            call = Call(next(self._numbers), descriptor, time.monotonic() + seconds, os.dup(descriptor))
            self._calls[descriptor] = call
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="stepup-deadlines", daemon=True)
                self._thread.start()
        self._busy.set()
        return call

    def has_cut(self, call: Call) -> bool:
        """Whether it has been cut off already; it is watched on."""
        with self._lock:
            return call in self._ended

    def end(self, call: Call) -> bool:
        """Stop watching; whether it was cut off. Afterwards its socket is never touched."""
        with self._lock:
            if self._calls.get(call.descriptor) is call:
                self._drop(call.descriptor)
            cut = call in self._ended
            self._ended.discard(call)
            return cut

    def _drop(self, descriptor: int) -> None:
        call = self._calls.pop(descriptor, None)
        if call is not None:
            os.close(call.held)

    def _look(self) -> None:
        while True:
            self._busy.wait()
            with self._lock:
                if not self._calls:
                    self._busy.clear()
                now = time.monotonic()
                for descriptor, call in list(self._calls.items()):
                    if now >= call.at:
                        del self._calls[descriptor]
                        self._ended.add(call)
                        _shut(call.held)
            time.sleep(_TICK)


def _shut(held: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=held) as connection:
        connection.shutdown(socket.SHUT_RDWR)


WATCH: Final = Watch()


def descriptor_of(connection: object) -> int | None:
    """The descriptor of a driver's socket; None where it has none, or does not tell."""
    for candidate in (connection, getattr(connection, "_sock", None)):
        fileno = getattr(candidate, "fileno", None)
        if callable(fileno):
            try:
                found = fileno()
            except Exception:  # noqa: BLE001, S112 -- a closed connection: the call itself will say so
                continue
            if isinstance(found, int) and found >= 0:
                return found
    return None


# -- opening ------------------------------------------------------------------------


def openings() -> threading.BoundedSemaphore:
    """Room for the connections that one store opens at a time: those that hang do not grow without end."""
    return threading.BoundedSemaphore(_MAX_OPENING)


class _Attempt(Generic[T]):
    """Opening one connection in a thread of its own, with somebody waiting or nobody any more."""

    def __init__(self, work: Callable[[], T], discard: Callable[[T], object]) -> None:
        self._work = work
        self._discard = discard
        self._lock = threading.Lock()
        self._left = False
        self.done = threading.Event()
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            self.error = error
            self.done.set()
            return
        with self._lock:
            self.result = result
            left = self._left
            self.done.set()
        if left:
            self._discard(result)

    def leave(self) -> bool:
        """Wait no longer; False if it has just come."""
        with self._lock:
            self._left = not self.done.is_set()
            return self._left


def within(seconds: float, work: Callable[[], T], discard: Callable[[T], object], room: threading.Semaphore) -> T:
    """What *work* answers, if it does so in time; what comes later is given to *discard*.

    Raises:
        TimeoutError: if it takes longer, or so many others hang already.
        Exception: whatever *work* raises.
    """
    end = time.monotonic() + seconds
    if not room.acquire(timeout=seconds):
        raise TimeoutError
    attempt = _Attempt(work, discard)

    def run() -> None:
        try:
            attempt.run()
        finally:
            room.release()

    try:
        threading.Thread(target=run, name="stepup-connecting", daemon=True).start()
    except RuntimeError:
        room.release()  # the machine has no thread to spare
        raise
    try:
        came = attempt.done.wait(max(0.0, end - time.monotonic()))
    except BaseException:
        attempt.leave()  # interrupted
        raise
    if not came and attempt.leave():
        raise TimeoutError
    if attempt.error is not None:
        raise attempt.error
    assert attempt.result is not None  # done, without an error
    return attempt.result


# -- having one already -------------------------------------------------------------


class _NotIdle(Exception):
    """Taking a connection of the pool would have meant to open one."""


class _Here(threading.local):
    """Whether this thread wants no other connection than an open one."""

    only_idle = False


_HERE: Final = _Here()
_LISTENING: Final[weakref.WeakSet[sa.Dialect]] = weakref.WeakSet()
_ASKED: Final[weakref.WeakSet[sa.Dialect]] = weakref.WeakSet()


def at_once(engine: sa.Engine) -> PoolProxiedConnection | None:
    """An idle connection of the pool, if there is one to be had without a word to the server; None otherwise.

    A place in the pool may be empty, its connection due for a new one, or another thread's by now. The pool then opens
    one, which can hang; ``_on_connect`` keeps it from that, where it is known to be asked (an engine with a
    ``creator`` of its own does not ask).
    """
    pool, dialect = engine.pool, engine.dialect
    if dialect not in _LISTENING:
        _LISTENING.add(dialect)
        event.listen(engine, "do_connect", _on_connect)
    pings = getattr(pool, "_pre_ping", True) or pool.dispatch.checkout
    if pings or dialect not in _ASKED or not isinstance(pool, QueuePool) or pool.checkedin() == 0:
        return None
    _HERE.only_idle = True
    try:
        return engine.raw_connection()
    except _NotIdle:
        return None
    finally:
        _HERE.only_idle = False


def _on_connect(dialect: sa.Dialect, *_: object) -> None:
    _ASKED.add(dialect)
    if _HERE.only_idle:
        raise _NotIdle
