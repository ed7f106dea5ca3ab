"""The programs that tests start: where the browser is, a port for a server, and waiting until it answers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest


def chromium() -> str | None:
    """Where the browser is; None for nowhere."""
    return os.environ.get("STEPUP_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")


def a_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for *process* to listen on *port*; fail with its *log* if it ends instead."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"it did not start: {log.read_text()}")
        else:
            return
