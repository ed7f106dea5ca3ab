"""How long a sync call may take: a thread that shuts the socket of one that takes longer.

A driver waits for its server in C or in ``recv``, and no sync driver can be told from outside to stop. What ends the
wait is the end of the connection: the driver then raises, and the pool throws the connection away. One thread for the
process looks ten times a second while calls are under way, and sleeps on an event while none is. Opening a connection
has no socket to shut yet, so it happens in a thread that can be left behind.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_TICK: Final = 0.1
_MAX_OPENING: Final = 32


class Watch:
    """Calls under way, each with the descriptor of its socket and the moment at which it is shut."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)  # a child has none of its parent's threads, and no calls

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._busy = threading.Event()
        self._calls: dict[int, tuple[float, int]] = {}
        self._numbers = count()
        self._ended: set[int] = set()
        self._thread: threading.Thread | None = None

    def begin(self, descriptor: int, seconds: float) -> int:
        """Start to watch a call; the number it ends with."""
        with self._lock:
            number = next(self._numbers)
            self._calls[number] = (time.monotonic() + seconds, descriptor)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="stepup-deadlines", daemon=True)
                self._thread.start()
        self._busy.set()
        return number

    def end(self, number: int) -> bool:
        """Stop watching; whether the call was cut off. Afterwards its descriptor is never touched."""
        with self._lock:
            self._calls.pop(number, None)
            cut = number in self._ended
            self._ended.discard(number)
            return cut

    def _look(self) -> None:
        while True:
            self._busy.wait()
            with self._lock:
                if not self._calls:
                    self._busy.clear()
                now = time.monotonic()
                for number, (at, descriptor) in list(self._calls.items()):
                    if now >= at:
                        del self._calls[number]
                        self._ended.add(number)
                        _shut(descriptor)
            time.sleep(_TICK)


def _shut(descriptor: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as held:
        held.shutdown(socket.SHUT_RDWR)


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


_OPENING: Final = threading.BoundedSemaphore(_MAX_OPENING)


def within(seconds: float, work: Callable[[], T], discard: Callable[[T], object]) -> T:
    """What *work* answers, if it does so in time; what comes later is given to *discard*.

    Raises:
        TimeoutError: if it takes longer, or so many others hang already.
        Exception: whatever *work* raises.
    """
    end = time.monotonic() + seconds
    if not _OPENING.acquire(timeout=seconds):
        raise TimeoutError
    attempt = _Attempt(work, discard)

    def run() -> None:
        try:
            attempt.run()
        finally:
            _OPENING.release()

    threading.Thread(target=run, name="stepup-connecting", daemon=True).start()
    if not attempt.done.wait(max(0.0, end - time.monotonic())) and attempt.leave():
        raise TimeoutError
    if attempt.error is not None:
        raise attempt.error
    assert attempt.result is not None  # done, without an error
    return attempt.result
