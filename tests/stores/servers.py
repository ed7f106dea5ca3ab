"""Private database servers that a test may freeze, kill and starve: PostgreSQL and MariaDB, on loopback.

- ``PostgreSQL``, ``MariaDB``: one server each, in a folder of its own, on a free port; a standby is a ``PostgreSQL``
  that was copied from another. They run as whoever runs the tests, or, since neither likes root, as the user that
  their package made. They end with the process that started them, however that ends.
- ``needed``: skips a test where the programs are not installed, as ``sql_backends.need`` does for a server.

``freeze`` stops every process of a server in its tracks (SIGSTOP): connections stay open, and nothing answers.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pytest
import sqlalchemy as sa

from sql_backends import MUST, not_exercised

PATIENCE: Final = 30.0
"""Seconds after which a server that does not come up is a failure."""

_PR_SET_PDEATHSIG: Final = 1
_POSTGRES_FOLDERS: Final = "/usr/lib/postgresql/*/bin"


def until(what: str, holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until *holds* answers something true; *what* says what did not come about."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def needed(*programs: str) -> None:
    """Skip the test where one of *programs* is not installed; fail it where every store has to be tested."""
    missing = [name for name in programs if program(name) is None]
    if not missing:
        return
    not_exercised.add(f"no {missing[0]} to start a server of one's own")
    if MUST:
        pytest.fail(f"not installed: {', '.join(missing)}")
    pytest.skip(f"not installed: {', '.join(missing)}")


def program(name: str) -> str | None:
    """Where a program is: PostgreSQL's server is seldom on the path, but stands beside ``initdb``."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        beside = shutil.which("initdb")
        folders = [Path(beside).resolve().parent] if beside else []
        folders += sorted(Path("/").glob(_POSTGRES_FOLDERS.lstrip("/")), reverse=True)
        found = next((str(folder / name) for folder in folders if (folder / name).exists()), None)
    return found


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return cast(int, probe.getsockname()[1])


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """A server in a folder of its own. ``options`` are given to it at every start."""

    user = ""
    scheme = ""

    def __init__(self, *options: str) -> None:
        self.options = options
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="stepup-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            who = pwd.getpwnam(self.user)
            os.chown(self.folder, who.pw_uid, who.pw_gid)
            self._as = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """User, host, port and database, as they stand in a URL."""
        return f"{self.login}@127.0.0.1:{self.port}/{self.database}"

    login = ""
    database = "stepup"

    def command(self) -> list[str]:
        """What starts it, in the foreground."""
        raise NotImplementedError

    def start(self, *extra: str) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = self._popen([*self.command(), *self.options, *extra], log)
        until(f"{self.user} answers", self._answers)

    def _popen(self, command: Sequence[str], log: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            preexec_fn=_die_with_parent,
            **self._as,
        )

    def run(self, *command: str) -> None:
        """Run one of the server's own programs to its end."""
        with (self.folder / "log").open("ab") as log:
            code = self._popen([program(command[0]) or command[0], *command[1:]], log).wait(PATIENCE)
        if code != 0:
            raise AssertionError(f"{command[0]} ended with {code}: {(self.folder / 'log').read_text()[-1000:]}")

    def _answers(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            raise AssertionError(f"{self.user} has ended: {(self.folder / 'log').read_text()[-1000:]}")
        try:
            self.ask("SELECT 1")
        except sa.exc.DBAPIError:
            return False
        return True

    def ask(self, *statements: str) -> list[sa.Row[tuple[object, ...]]]:
        """Run statements as the superuser, each for itself; the rows of the last."""
        engine = sa.create_engine(
            f"{self.scheme}://{self.superuser}@127.0.0.1:{self.port}/{self.database}",
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": 5},
        )
        rows: list[sa.Row[tuple[object, ...]]] = []
        with engine.connect() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement)
                rows = list(result.all()) if result.returns_rows else []
        return rows

    superuser = ""

    @property
    def running(self) -> bool:
        """Whether its first process lives."""
        return self._process is not None and self._process.poll() is None

    def freeze(self) -> None:
        """Stop every process of it in its tracks, the first one first: it starts the others.

        A shell thaws them when its input ends, so that none stays behind frozen, even if this process is killed.
        """
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        family = [self._process.pid, *_children(self._process.pid)]
        thawing = ["/bin/sh", "-c", 'read _; kill -CONT "$@"', "thaw", *map(str, family)]
        self._frozen = subprocess.Popen(thawing, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for pid in family[1:]:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._frozen is not None:
            self._frozen.communicate()
            self._frozen = None

    def kill(self) -> None:
        """End every process of it at once, as a power cut would."""
        self.thaw()
        assert self._process is not None
        family = [self._process.pid, *_children(self._process.pid)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._ended(family)

    def stop(self) -> None:
        """End it in good order, connections or not."""
        if self.running:
            assert self._process is not None
            self.thaw()
            family = [self._process.pid, *_children(self._process.pid)]
            os.kill(self._process.pid, self.goodbye)
            self._ended(family)

    goodbye = signal.SIGTERM

    def _ended(self, family: Iterable[int]) -> None:
        assert self._process is not None
        self._process.wait(PATIENCE)
        until("its processes have ended", lambda: not any(_alive(pid) for pid in family))

    def remove(self) -> None:
        """Stop it for good, and delete what it kept."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def as_it_was(self) -> None:
        """Running and answering, whatever a test did to it."""
        self.thaw()
        if not self.running:
            self.start()


def _stat(pid: int) -> list[str]:
    """State, parent and so on of a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return _stat(pid)[0] != "Z"
    return False


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int(_stat(int(entry.name))[1]) == parent:
                    found.append(int(entry.name))
    return found


class PostgreSQL(Server):
    """A PostgreSQL server whose acknowledged writes are on disk."""

    user = "postgres"
    scheme = "postgresql+psycopg"
    login = superuser = "postgres"
    database = "postgres"
    goodbye = signal.SIGINT
    needs = ("initdb", "postgres")

    @classmethod
    def made(cls, *options: str) -> PostgreSQL:
        """A new one, started."""
        needed(*cls.needs)
        server = cls(*options)
        data = str(server.folder / "data")
        server.run(
            "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
            "--no-sync", "--no-instructions",
        )  # fmt: skip
        server.start()
        return server

    def standby(self, *options: str) -> PostgreSQL:
        """A copy of this one that follows it, started; it takes no writes."""
        needed("pg_basebackup")
        copy = PostgreSQL(*options)
        source = f"host=127.0.0.1 port={self.port} user=postgres"
        copy.run(
            "pg_basebackup", "-d", source, "-D", str(copy.folder / "data"), "-R", "-X", "stream", "-c", "fast", "-N"
        )
        copy.start()
        return copy

    def command(self) -> list[str]:
        """As ``Server.command``."""
        settings = {
            "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder), "max_connections": "100",
            "shared_buffers": "16MB", "wal_level": "replica", "max_wal_senders": "4", "deadlock_timeout": "100ms",
        }  # fmt: skip
        made = [str(program("postgres")), "-D", str(self.folder / "data"), "-p", str(self.port)]
        return [*made, *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))]


class MariaDB(Server):
    """A MariaDB server whose acknowledged writes are on disk. Tests log in as a user without special rights."""

    user = "mysql"
    scheme = "mysql+pymysql"
    login = "stepup"
    superuser = "root"
    needs = ("mariadb-install-db", "mariadbd")

    @classmethod
    def made(cls, *options: str) -> MariaDB:
        """A new one, started. It keeps what it was made with: files of InnoDB have the size they were given."""
        needed(*cls.needs)
        server = cls(*options)
        (server.folder / "tmp").mkdir(mode=0o777)
        (server.folder / "tmp").chmod(0o777)
        data = f"--datadir={server.folder / 'data'}"
        server.run(
            "mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db",
            *options,
        )  # fmt: skip
        (server.folder / "init.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS stepup CHARACTER SET utf8mb4;\n"
            "CREATE USER IF NOT EXISTS 'stepup'@'%';\nGRANT ALL ON stepup.* TO 'stepup'@'%';\n"
            "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';\nGRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        server.start()
        return server

    def command(self) -> list[str]:
        """As ``Server.command``."""
        return [
            str(program("mariadbd")), "--no-defaults", f"--datadir={self.folder / 'data'}", "--bind-address=127.0.0.1",
            f"--port={self.port}", f"--socket={self.folder / 's'}", f"--pid-file={self.folder / 'pid'}",
            f"--tmpdir={self.folder / 'tmp'}", f"--init-file={self.folder / 'init.sql'}", "--skip-name-resolve",
            "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=1",
            "--skip-log-bin", "--performance-schema=0",
        ]  # fmt: skip


# -- children -----------------------------------------------------------------------

forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def in_child(work: Callable[[], object]) -> int:
    """Do *work* in a child process; its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def ended_well(children: list[int]) -> bool:
    """Whether all children come to a good end; waits for them."""
    codes: dict[int, int] = {}

    def ended() -> bool:
        for child in set(children) - set(codes):
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                codes[pid] = os.waitstatus_to_exitcode(status)
        return len(codes) == len(children)

    until("the children have ended", ended)
    return set(codes.values()) == {0}
