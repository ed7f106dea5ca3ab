"""Four real servers for the black-box suite, started once: gunicorn with two workers, and uvicorn."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
GUNICORN = ("-m", "gunicorn", "--workers", "2", "--log-level", "warning", "--bind", "127.0.0.1:{port}")
UVICORN = ("-m", "uvicorn", "--log-level", "warning", "--no-proxy-headers", "--host", "127.0.0.1", "--port", "{port}")
COMMANDS = {
    "flask": (*GUNICORN, "flask_app:app"),
    "starlette": (*UVICORN, "starlette_app:app"),
    "fastapi": (*UVICORN, "fastapi_app:app"),
    "fastapi-sync": (*UVICORN, "fastapi_sync_app:app"),
}


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int, Path]]]:
    """Each server's port, and the directory with its store and its mails."""
    running: dict[str, tuple[subprocess.Popen[bytes], int, Path]] = {}
    try:
        for name, command in COMMANDS.items():
            directory, port = tmp_path_factory.mktemp(name), free_port()
            words = [word.format(port=port) for word in command]
            path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
            environment = {**os.environ, "STEPUP_BLACKBOX": str(directory), "PYTHONPATH": path}
            with (directory / "log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, *words], env=environment, stdout=log, stderr=log, cwd=directory
                )
            running[name] = process, port, directory
        for name, (process, port, directory) in running.items():
            wait_for(name, process, port, directory)
        yield {name: (port, directory) for name, (_, port, directory) in running.items()}
    finally:
        for process, _, _ in running.values():
            process.terminate()
        for process, _, _ in running.values():
            process.wait(20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(name: str, process: subprocess.Popen[bytes], port: int, directory: Path) -> None:
    """Until the server takes connections; it has to be up within a minute."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{name} did not start: {(directory / 'log').read_text()}")
