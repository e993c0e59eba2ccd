"""`az`, first in the PATH of pages: it has local hubs take free ports, and else runs az with the words that were typed.

az itself is forked from a process that has loaded azure-cli (`az_server.py`), at the socket that PAGES_AZ_SOCKET names;
without one it is the real program. Standard library only, and little of it: it is started for each command.
"""

import os
import signal
import socket
import sys

SOCKET, REAL = "PAGES_AZ_SOCKET", "PAGES_AZ"
PORTS = ("--https-port", "--mqtt-port", "--amqp-port")
FIRST_FILES = "/dev/fd/"  # what bash's <(…) gives: files that are this process's alone


def with_free_ports(words: list[str]) -> list[str]:
    """A start of a local hub without ports gets free ones, where hubs of other tests have those of the page."""
    if words[:3] != ["iot", "local-hub", "start"] or {"-h", "--help"}.intersection(words):
        return words
    return [*words, *(word for option in PORTS if option not in words for word in (option, "0"))]


def main() -> None:
    words = with_free_ports(sys.argv[1:])
    path = os.environ.get(SOCKET)
    if path is None or any(FIRST_FILES in word for word in words):
        os.execv(os.environ[REAL], [os.environ[REAL], *words])
    sys.exit(_forked(path, words))


def _forked(path: str, words: list[str]) -> int:
    """Have az forked with this process's streams, folder and environment, pass signals on; gives its exit code."""
    import json

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(path)
        message = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(server, [json.dumps(message).encode()], [0, 1, 2])
        pid = int(server.recv(32))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda passed, _: os.kill(pid, passed))
        code = int(server.recv(32))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main()
