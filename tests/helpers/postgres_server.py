"""A private PostgreSQL server for tests: its own folder, a socket in it, nobody's but the tests'."""

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import quote

from tests.helpers.waiting import wait_until

USER = "me"
OF_ROOT = "postgres"  # the server refuses to run as root
# What was written is there as long as the machine runs: here it is processes that end.
QUICK = ("fsync=off", "full_page_writes=off", "max_connections=60", "autovacuum_naptime=5s", "shared_buffers=32MB")


def binaries() -> Path | None:
    """Where PostgreSQL's programs are; None: it is not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda each: int(each.split("/")[4]))
    return Path(places[-1]).parent if places else None


class PostgresServer:
    """A server that runs; `url` leads to a store of its own for each test."""

    def __init__(self, folder: Path, programs: Path, more: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self._programs = programs
        self._more = more
        self.tcp = False  # whether it listens on the loopback interface, too
        self.port = 5432
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def initialize(self) -> None:
        """Make its folder. Its order of texts is a language's, as a team's is: ours does not depend on it."""
        self._run("initdb", "-D", "data", "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [f"unix_socket_directories={self.folder}", *QUICK, *self._more]
        if self.tcp:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            settings += ["listen_addresses=127.0.0.1", f"port={self.port}"]
        else:
            settings += ["listen_addresses="]
        words = [str(self._programs / "postgres"), "-D", "data", *(word for each in settings for word in ("-c", each))]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, cwd=self.folder, stdout=log, stderr=log, **_user())  # type: ignore[call-overload]
        wait_until("PostgreSQL answers", self._answers)

    def kill(self) -> None:
        """End it as a power cut does: none of its processes says anything to anybody."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for each in (self._process.pid, *map(int, children)):
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it at once; whoever is connected is told."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """Of the server, whose children serve its connections."""
        assert self._process is not None
        return self._process.pid

    @property
    def socket(self) -> str:
        """Where it listens."""
        return str(self.folder / f".s.PGSQL.{self.port}")

    def url(self, schema: str | None = None, user: str = USER) -> str:
        """Of a store that nobody has made yet, or of the one in this schema."""
        name = f"s{next(self._numbers)}" if schema is None else schema
        return f"postgresql://{user}@/postgres?host={quote(str(self.folder))}&schema={name}"

    def sql(self, statements: str, database: str = "postgres") -> str:
        """What psql prints, unaligned."""
        ran = self._run("psql", *self._way(), "-U", USER, "-d", database, "-AtX", "-c", statements)
        return ran.stdout.decode().strip()

    def _way(self) -> tuple[str, ...]:
        return "-h", str(self.folder), "-p", str(self.port)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        asked = subprocess.run(
            [str(self._programs / "pg_isready"), "-q", *self._way()],
            check=False,
            timeout=20,
        )
        return asked.returncode == 0

    def _run(self, program: str, *words: str) -> "subprocess.CompletedProcess[bytes]":
        command = [str(self._programs / program), *words]
        ran: subprocess.CompletedProcess[bytes] = subprocess.run(  # type: ignore[call-overload]
            command, cwd=self.folder, check=True, capture_output=True, **_user()
        )
        return ran


def _user() -> dict[str, object]:
    if os.name == "nt" or os.geteuid() != 0:
        return {}
    return {"user": OF_ROOT, "group": OF_ROOT, "extra_groups": []}


@contextmanager
def postgres_server(*more: str) -> Iterator[PostgresServer]:
    """A server that runs. more: settings of it. Its folder is short: a socket's path has 107 characters at most."""
    programs = binaries()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    server = PostgresServer(folder, programs, more)
    try:
        if _user():
            shutil.chown(folder, OF_ROOT, OF_ROOT)
        server.initialize()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
