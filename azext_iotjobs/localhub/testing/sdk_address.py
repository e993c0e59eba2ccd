"""Where a hub can be that Microsoft's SDKs reach: they connect to 443, 8883 and 5671, whatever they are told.

Strategy: each test process takes a loopback address of its own. It is reserved by a UDP socket that is bound there: the
system gives it to one process, of whichever user, and takes it back when that ends, however it ends.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from azext_iotjobs.localhub.testing.process import LocalHub

PORTS = HTTPS_PORT, MQTT_PORT, AMQP_PORT = 443, 8883, 5671
ADDRESSES = [f"127.0.83.{last}" for last in range(1, 255)]
LAST_ADDRESS = "127.0.0.1"  # the only one that is up on macOS
WORKER = "PYTEST_XDIST_WORKER"  # gw0, gw1, …
RESERVING_PORT = MQTT_PORT  # of UDP; nothing else uses it
NOT_ALLOWED = (
    f"Microsoft's SDKs connect to port {HTTPS_PORT}, which this user may not listen on. Run as root, as containers do, "
    f"or once: sudo sysctl net.ipv4.ip_unprivileged_port_start={HTTPS_PORT}"
)
NOT_ALLOWED_ON_MACOS = f"Microsoft's SDKs connect to port {HTTPS_PORT}, which only root may listen on: run with sudo."
ALL_TAKEN = (
    f"Microsoft's SDKs connect to ports {HTTPS_PORT}, {MQTT_PORT} and {AMQP_PORT}. At each of {ADDRESSES[0]} to "
    f"{ADDRESSES[-1]} and {LAST_ADDRESS}, one of them is taken, or the address is not up. Stop what listens on all "
    "addresses at one of these ports."
)
ONE_TAKEN_ON_MACOS = (
    f"Only {LAST_ADDRESS} is up on macOS, and another program or test process has its ports. Run without -n, or give "
    f"each process an address: sudo ifconfig lo0 alias {ADDRESSES[0]} up, and so on."
)


class NoAddress(Exception):
    """No hub can be on those ports; the text says why, and what to do."""


@contextmanager
def own_address() -> Iterator[str]:
    """An address that is this process's until the block ends. Raises NoAddress."""
    for address in _candidates():
        reservation = _reserved(address)
        if reservation is not None:
            with reservation:
                yield address
            return
    raise NoAddress(ONE_TAKEN_ON_MACOS if sys.platform == "darwin" else ALL_TAKEN)


def sdk_hub(address: str) -> LocalHub:
    """Describe a hub on the ports of Microsoft's SDKs."""
    ports = {"--https-port": HTTPS_PORT, "--mqtt-port": MQTT_PORT, "--amqp-port": AMQP_PORT}
    return LocalHub("--bind", address, *(word for option, port in ports.items() for word in (option, str(port))))


def _candidates() -> list[str]:
    """All addresses; each worker of a run begins elsewhere, so that few are tried."""
    number = int(os.environ.get(WORKER, "gw0").removeprefix("gw")) % len(ADDRESSES)
    return [*ADDRESSES[number:], *ADDRESSES[:number], LAST_ADDRESS]


def _reserved(address: str) -> socket.socket | None:
    """What reserves an address; None when another process has it or one of its ports. Raises NoAddress."""
    reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        reservation.bind((address, RESERVING_PORT))
        for port in PORTS:
            socket.create_server((address, port)).close()
    except OSError as err:
        reservation.close()
        if isinstance(err, PermissionError) and sys.platform != "win32":  # there, a port that is taken is one too
            raise NoAddress(NOT_ALLOWED_ON_MACOS if sys.platform == "darwin" else NOT_ALLOWED) from err
        return None
    return reservation
