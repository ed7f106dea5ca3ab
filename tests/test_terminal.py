"""``terminal.confirm`` at a real pseudo-terminal: what a person sees, types, and does not see."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from aiosmtpd.controller import Controller

HERE = Path(__file__).parent
SCRIPT = HERE.parent / "examples" / "operator_script.py"
CHILD = HERE / "terminal_child.py"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
PATIENCE = 30.0

SEATED = (
    "import fcntl, os, signal, sys, termios\n"
    "os.setsid()\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "if sys.argv[1] == 'seated': fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.executable, [sys.executable, '-W', 'error', *sys.argv[2:]])\n"
)
"""Makes the terminal at standard input the controlling one, and becomes the program.

What a shell starts in the background ignores Ctrl-C, and so does all that it starts; at a terminal nobody does.
"""


class Seat:
    """A program at a terminal of its own, with standard output in a pipe."""

    def __init__(self, *arguments: str, seated: bool = True) -> None:
        self.master, slave = os.openpty()
        self.seen, self.reached = "", 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", SEATED, "seated" if seated else "homeless", *arguments],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            env={**os.environ, "PYTHONPATH": str(HERE.parent / "src"), "PYTHONUTF8": "1"},
        )
        os.close(slave)

    def expect(self, text: str) -> None:
        """Read what the terminal shows until *text* stands behind what was expected before."""
        end = time.monotonic() + PATIENCE
        while (found := self.seen.find(text, self.reached)) < 0:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} was not shown: {self.seen!r}"
            assert self._read(left), f"the program ended without {text!r}: {self.seen!r}"
        self.reached = found + len(text)

    def _read(self, patience: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], patience)
        if not ready:
            return True
        try:
            chunk = os.read(self.master, 4096)
        except OSError:  # the other side is closed
            return False
        self.seen += chunk.decode(errors="replace")
        return bool(chunk)

    def type(self, text: str | bytes) -> None:
        os.write(self.master, text if isinstance(text, bytes) else text.encode())

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def end(self) -> tuple[int, str]:
        """Wait for the end: the exit status, and everything on standard output."""
        stdout, _ = self.process.communicate(timeout=PATIENCE)
        while self._read(0.0) and select.select([self.master], [], [], 0.0)[0]:
            pass
        return self.process.returncode, stdout.decode()

    def left_by(self, key: str) -> tuple[int, str]:
        """Press *key* until the script ends, as a person does: a signal that comes just before the read is not seen."""
        for _ in range(5):
            self.type(key)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE / 5)
                break
        return self.end()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with self.process:  # closes the pipe and waits
            os.close(self.master)


Sit = Callable[..., Seat]


@pytest.fixture
def sit() -> Iterator[Sit]:
    """Starts a program at a terminal."""
    seats: list[Seat] = []

    def start(*arguments: object, seated: bool = True) -> Seat:
        seats.append(Seat(*map(str, arguments), seated=seated))
        return seats[-1]

    yield start
    for seat in seats:
        seat.close()


def right() -> str:
    return pyotp.TOTP(SECRET).now()


def wrong() -> str:
    """A code of the right form that no step near now has."""
    near = {pyotp.TOTP(SECRET).at(int(time.time()) + 30 * step) for step in range(-3, 4)}
    return next(code for code in (f"{digit}" * 6 for digit in range(10)) if code not in near)


# -- the operator's script --------------------------------------------------------


def test_the_right_code_opens_and_is_never_shown(sit: Sit) -> None:
    """The operator sees what will happen, types the code unseen, and the script's output holds only its own line."""
    seat, code = sit(SCRIPT, "prod"), right()
    seat.expect("Enter to cancel")
    seat.type(f"{code}\n")

    assert seat.end() == (0, "prod: wiped\n")
    assert "Please confirm: Wipe a database" in seat.seen
    assert "critical" in seat.seen
    assert "database prod" in seat.seen
    assert "ops-1" in seat.seen
    assert code not in seat.seen
    assert seat.echoes


@pytest.mark.parametrize(("key", "way"), [("\x03", "Ctrl-C"), ("\x04", "Ctrl-D"), ("\n", "an empty answer")])
def test_a_person_can_leave(sit: Sit, key: str, way: str) -> None:
    """Ctrl-C, Ctrl-D and an empty answer all end without damage and leave the terminal as it was."""
    seat = sit(SCRIPT, "prod")
    seat.expect("Enter to cancel")
    assert not seat.echoes

    assert seat.left_by(key) == (130, ""), way
    assert "Cancelled. Nothing was done." in seat.seen
    assert seat.echoes


def test_a_wrong_code_leaves_tries(sit: Sit) -> None:
    """After a wrong code the person is told how many tries are left, and the right one still opens."""
    seat, first, second = sit(SCRIPT, "prod"), wrong(), right()
    seat.expect("Enter to cancel")
    seat.type(f"{first}\n")
    seat.expect("That was not accepted; 4 tries left.")
    seat.expect("Enter to cancel")
    seat.type(f"{second}\n")

    assert seat.end() == (0, "prod: wiped\n")
    assert first not in seat.seen
    assert second not in seat.seen


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """A code piped in is not a person at a terminal: refused with why and what to do, and nothing runs."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), "prod"],
        input=f"{right()}\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(HERE.parent / "src")},
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert "standard input is not" in done.stderr
    assert "Run the script at a terminal" in done.stderr


def test_a_process_without_a_terminal_is_refused(sit: Sit) -> None:
    """A terminal at standard input that is not the process's own cannot hide what is typed, so it is refused."""
    seat = sit(SCRIPT, "prod", seated=False)

    assert seat.end() == (1, "")
    assert "no controlling terminal" in seat.seen


# -- other programs ---------------------------------------------------------------


def test_all_of_takes_two_steps(sit: Sit) -> None:
    """Where two proofs are asked for, the person picks the first by its number and is told what is still needed."""
    seat, code = sit(CHILD, "all_of"), right()
    seat.expect("Which one?")
    seat.type("2\n")
    seat.expect("Enter to cancel")
    seat.type("correct horse\n")
    seat.expect("Still needed: code from your authenticator app.")
    seat.expect("Enter to cancel")
    seat.type(f"{code}\n")

    assert seat.end() == (0, "allowed password+totp\n")
    assert "correct horse" not in seat.seen
    assert code not in seat.seen


def test_enter_takes_the_strongest(sit: Sit) -> None:
    """Where several methods would do, the strongest stands first and Enter takes it."""
    seat = sit(CHILD, "either")
    seat.expect("Which one?")
    assert seat.seen.index("authenticator") < seat.seen.index("password")
    seat.type("\n")
    seat.expect("Code from your authenticator app")
    seat.type(f"{right()}\n")

    assert seat.end() == (0, "allowed totp\n")


def test_q_leaves_where_methods_are_offered(sit: Sit) -> None:
    """What is typed at the choice is visible, unknown answers are asked again, and q leaves."""
    seat = sit(CHILD, "either")
    seat.expect("Which one?")
    seat.type("nonsense\n")
    seat.expect("Please answer with a number from 1 to 2, or q.")
    seat.type("q\n")

    assert seat.end() == (0, "cancelled cancelled\n")
    assert "nonsense" in seat.seen


def test_what_is_no_text_is_asked_for_again(sit: Sit) -> None:
    """Keys in another encoding than the terminal's are not an answer: nothing is counted, and nothing is shown."""
    seat = sit(CHILD, "password")
    seat.expect("Enter to cancel")
    seat.type(b"caf\xe9\n")
    seat.expect("That is not text in this terminal's encoding.")
    seat.expect("Enter to cancel")
    seat.type("correct horse\n")

    assert seat.end() == (0, "allowed password\n")
    assert "caf" not in seat.seen
    assert "not accepted" not in seat.seen


def test_a_terminal_that_goes_away_is_a_no(sit: Sit) -> None:
    """A terminal that is closed while the question stands ends the program, with nothing done."""
    seat = sit(SCRIPT, "prod")
    seat.expect("Enter to cancel")
    os.close(seat.master)
    seat.master = os.open(os.devnull, os.O_RDWR)
    stdout, _ = seat.process.communicate(timeout=PATIENCE)

    assert stdout == b""
    assert seat.process.returncode != 0


def test_a_locked_person_is_told_until_when(sit: Sit) -> None:
    """Whoever is locked out is told for how long, and is asked for nothing."""
    seat = sit(CHILD, "locked")

    assert seat.end() == (0, "denied locked_out\n")
    assert re.search(r"Locked after too many failures\. Try again at \d\d:\d\d:\d\d UTC, in 15 min\.", seat.seen)
    assert "Enter to cancel" not in seat.seen


class Letters:
    """What a mail server was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 -- the server's own name
        self.texts.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture
def letters() -> Iterator[tuple[Letters, int]]:
    """A mail server on a loopback port, and the port."""
    kept = Letters()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(kept, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE)
    controller.start()
    yield kept, port
    controller.stop(no_assert=True)


def test_a_mailed_code_opens(sit: Sit, letters: tuple[Letters, int]) -> None:
    """The code goes out by real mail before it is asked for; the terminal names the address only masked."""
    kept, port = letters
    seat = sit(CHILD, "mail", port)
    seat.expect("Mailed code")
    (text,) = kept.texts
    (code,) = set(re.findall(r"^@northstar\.example #(\d{6})", text, re.M))
    seat.type(f"{code}\n")

    assert seat.end() == (0, "allowed email_code\n")
    assert "A code is on its way to o\N{BULLET}\N{BULLET}\N{BULLET}@northstar.example" in seat.seen
    assert code not in seat.seen
    assert "olivia@" not in seat.seen
