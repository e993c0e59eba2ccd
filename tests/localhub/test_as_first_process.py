"""The hub as the first process of a container: no signal ends that one by itself, so the hub has to listen for them."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers.az import REPOSITORY
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="only root of Linux can start a first process of its own (unshare --pid)",
)


class FirstProcess:
    """A hub that is process 1 for itself."""

    def __init__(self, folder: Path) -> None:
        words = ("--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0", "--data-dir", str(folder / "data"))
        self.around = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", "azext_iotjobs.localhub", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until("it is there", self._children)
        (self.pid,) = self._children()

    def end(self) -> tuple[int, str]:
        """Send SIGTERM; gives the exit code, and what was written to stderr."""
        os.kill(self.pid, signal.SIGTERM)
        _, errors = self.around.communicate(timeout=60)
        return self.around.returncode, errors

    def _children(self) -> list[int]:
        return [
            int(each) for each in Path(f"/proc/{self.around.pid}/task/{self.around.pid}/children").read_text().split()
        ]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FirstProcess]:
    hub = FirstProcess(tmp_path)
    yield hub
    hub.around.kill()
    hub.around.wait()


def connected(port: int, ca: str) -> ssl.SSLSocket:
    sock = socket.create_connection(("127.0.0.1", port))
    return ssl.create_default_context(cafile=ca).wrap_socket(sock, server_hostname="localhost")


def test_sigterm_ends_it_cleanly_while_clients_are_connected_and_idle(hub: FirstProcess) -> None:
    assert hub.around.stdout is not None
    info = json.loads(hub.around.stdout.readline())
    assert info["pid"] == 1
    with ExitStack() as at_end:
        for port in ("httpsPort", "httpsPort", "mqttPort", "amqpPort"):
            client = at_end.enter_context(connected(info[port], info["caCertificatePath"]))
        asked = at_end.enter_context(connected(info["httpsPort"], info["caCertificatePath"]))
        asked.sendall(b"GET /_local/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert asked.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert hub.end() == (0, "")
        assert client.recv(1) == b"", "its end was said to clients"


def test_sigterm_while_it_starts_ends_it_cleanly_too(hub: FirstProcess) -> None:
    wait_until("it listens for it", lambda: _catches(hub.pid, signal.SIGTERM))
    assert hub.end() == (0, "")


def _catches(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)
