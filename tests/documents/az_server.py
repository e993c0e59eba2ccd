"""What forks az for the pages: each `az` that is typed asks here, at a socket (`az_shim.py`)."""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.helpers.warm_az import WarmAz

MESSAGE_BYTES = 1 << 18
LOAD_LIMIT_S = 120.0


class Ended(NamedTuple):
    """An az command that has ended."""

    words: tuple[str, ...]
    code: int


class AzServer:
    """Forks az from one process, and keeps which commands have ended how."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        """path: of the socket.  environment: what every command gets, beside what is set where it is typed."""
        self.ended: list[Ended] = []
        self._az = WarmAz(environment, extension=True)
        # While azure-cli is loaded it makes its folder; a page that empties the home meanwhile would end it.
        code, _, errors = self._az.run(["version"], b"", path.parent, LOAD_LIMIT_S, {})
        assert code == 0, errors.decode()
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # whoever accepts is woken
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                typed, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(typed,), daemon=True).start()

    def _serve(self, typed: socket.socket) -> None:
        """Run one command to its end."""
        with typed:
            message, streams, _, _ = socket.recv_fds(typed, MESSAGE_BYTES, 3)
            asked = json.loads(message)
            stdin, stdout, stderr = streams
            with self._lock:
                command = self._az.command(
                    asked["words"],
                    Path(asked["folder"]),
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    environment=asked["environment"],
                )
            for each in streams:
                os.close(each)
            with contextlib.suppress(OSError):  # it was killed; az goes on, as a process without a parent does
                typed.send(str(command.pid).encode())
            code = command.wait()
            self.ended.append(Ended(tuple(asked["words"]), code))
            with contextlib.suppress(OSError):
                typed.send(str(code).encode())
