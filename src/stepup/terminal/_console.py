"""Where the person is asked: the ``Terminal`` protocol, and ``Console``, the terminal of this process."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Protocol

from stepup.errors import NotInteractive

_INPUT, _OUTPUT = ("CONIN$", "CONOUT$") if os.name == "nt" else ("/dev/tty", "/dev/tty")


class Terminal(Protocol):
    """Where the person is asked. Give ``confirm`` your own to ask elsewhere than on the terminal.

    ``ask`` and ``secret`` return one line without its end. They raise ``EOFError`` where the person closes the
    input and ``KeyboardInterrupt`` where they interrupt; both mean no.
    """

    def say(self, text: str, /) -> None:
        """Show *text*, which may have several lines."""
        ...

    def ask(self, question: str, /) -> str:
        """Ask for something that may be seen."""
        ...

    def secret(self, question: str, /) -> str:
        """Ask for something that must not be seen, and show nothing of it."""
        ...


class Console:
    """The terminal this process was started from, whatever its standard output and error are sent to.

    Raises:
        NotInteractive: where standard input is not a terminal, or there is no terminal to ask on.
    """

    def __init__(self) -> None:
        try:
            seated = sys.stdin is not None and sys.stdin.isatty()  # None without a console on Windows
        except ValueError:  # it was closed
            seated = False
        if not seated:
            raise NotInteractive("Somebody must confirm this at a terminal, and standard input is not one.")
        try:
            self._write("")
        except OSError:
            raise NotInteractive(
                "Somebody must confirm this at a terminal, and this process has no controlling terminal."
            ) from None

    def say(self, text: str, /) -> None:
        """Show *text*."""
        with _hung_up():
            self._write(f"{text}\n")

    def ask(self, question: str, /) -> str:
        """Ask for something that may be seen."""
        with _hung_up(), self._on_a_new_line():
            self._write(question)
            with Path(_INPUT).open(encoding="locale", errors="replace") as device:
                line = device.readline()
            if not line:
                raise EOFError
            return line.removesuffix("\n")

    def secret(self, question: str, /) -> str:
        """Ask without echo.

        Raises:
            NotInteractive: if the terminal cannot be kept from showing what is typed.
        """
        while True:
            with _hung_up(), self._on_a_new_line(), warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)
                try:
                    return getpass.getpass(question)
                except getpass.GetPassWarning:
                    raise NotInteractive("This terminal cannot hide what is typed.") from None
                except UnicodeDecodeError:
                    self._write("\nThat is not text in this terminal's encoding. Please type it again.\n")

    def _write(self, text: str) -> None:
        with Path(_OUTPUT).open("w", encoding="locale", errors="backslashreplace") as device:
            device.write(text)

    @contextlib.contextmanager
    def _on_a_new_line(self) -> Generator[None, None, None]:
        """After Ctrl-C or Ctrl-D the cursor still stands behind the question."""
        try:
            yield
        except (KeyboardInterrupt, EOFError):
            self._write("\n")
            raise


@contextlib.contextmanager
def _hung_up() -> Generator[None, None, None]:
    """A terminal that has gone away is an input that was closed."""
    try:
        yield
    except OSError as error:
        raise EOFError("the terminal has gone away") from error
