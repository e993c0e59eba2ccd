"""Eclipse mosquitto as a peer of the hub's MQTT side: a broker in C, here with TLS and nothing else.

Debian's package is `mosquitto`. It has no tokens to check and no messages to keep, so that it does less than the hub.
"""

import shutil
import socket
import subprocess
import time
from pathlib import Path

START_LIMIT_S = 10.0
CONFIGURATION = """
user root
listener {port} 127.0.0.1
certfile {certificate}
keyfile {key}
allow_anonymous true
persistence false
set_tcp_nodelay true
log_dest none
"""


def program() -> str | None:
    """Where it is; Debian has it where only root looks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def why_not() -> str:
    """Why it cannot be measured; "" when it can."""
    return "" if program() else "mosquitto is not installed (apt-get install mosquitto), so it is not compared"


class Mosquitto:
    """A broker on a free port, as long as the block lasts."""

    def __init__(self, folder: Path, certificate: Path, key: Path) -> None:
        """folder: an existing one, for its configuration."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._file = folder / "mosquitto.conf"
        self._file.write_text(CONFIGURATION.format(port=self.port, certificate=certificate, key=key), encoding="utf-8")

    def __enter__(self) -> "Mosquitto":
        found = program()
        assert found is not None, why_not()
        self._process = subprocess.Popen([found, "-c", str(self._file)], stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise OSError(f"it does not listen on port {self.port}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
