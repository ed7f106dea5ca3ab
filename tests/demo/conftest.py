"""One demo for all tests of a module, over real HTTP."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, dict[str, Any]]]:
    directory = tmp_path_factory.mktemp("demo")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    store, creds = f"sqlite:///{directory}/demo.db", directory / "creds.json"
    words = ["--port", str(port), "--store", store, "--seed-file", str(creds)]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "stepup", "demo", *words], stdout=log, stderr=log, cwd=directory
        )
    try:
        until_it_answers(process, port, directory / "log")
        assert stat.S_IMODE(creds.stat().st_mode) == 0o600
        yield port, json.loads(creds.read_text())
    finally:
        process.terminate()
        process.wait(20)
    printed = (directory / "log").read_text()
    assert f"http://localhost:{port}" in printed
    assert "password" in printed
    assert "Traceback" not in printed


def until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the demo did not start: {log.read_text()}")
