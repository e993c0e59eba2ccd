"""A way to a server that breaks when a test says so: a listener on the loopback interface in front of a socket."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CutConnection:
    """Connections through it; `port` is the listener's."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._is_mute = False
        self._start(self._accept)

    def cut(self) -> None:
        """Break all connections; new ones are taken."""
        self._is_mute = False
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mute(self) -> None:
        """From here on what the server answers is lost, and the first answer breaks the connection."""
        self._is_mute = True

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for each in self._threads:
            each.join(10)
        for connection in self._open:
            connection.close()

    def _start(self, target: "object", *given: "object") -> None:
        thread = threading.Thread(target=target, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            self._open += [client, server]
            self._start(self._pass, client, server, False)
            self._start(self._pass, server, client, True)

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_answer and self._is_mute:
                    self.cut()
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def cut_connection(target: str) -> Iterator[CutConnection]:
    """target: the path of a server's socket."""
    found = CutConnection(target)
    try:
        yield found
    finally:
        found.close()
