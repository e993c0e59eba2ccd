"""Listening sockets on loopback: one port, every address that a hub has."""

import errno
import os
import socket

from azext_iotjobs.localhub.process.config import LocalHubConfig

BACKLOG = 1024  # queued by the system: many devices may connect at once
ACCEPTED_AT_ONCE = 10  # then other tasks run; each one costs a handshake, almost a millisecond


class PortTaken(Exception):
    """A port is in use or needs more rights, or its address is not this machine's."""


def listen(config: LocalHubConfig, port: int, option: str) -> list[socket.socket]:
    """Listening sockets on every address, on one port; without ::1 where it does not exist.

    port: 0 is any free one.  option: the option for the port, for the error.
    Raises PortTaken.
    """
    first = _bound(config.bind, port, option)
    others = (_bound_at_same_port(address, first, option) for address in config.addresses[1:])
    return [first, *(sock for sock in others if sock is not None)]


def listen_if_free(config: LocalHubConfig, port: int, option: str) -> list[socket.socket]:
    """As `listen`, but at any free port where the wanted one is taken. Raises PortTaken."""
    try:
        return listen(config, port, option)
    except PortTaken:
        return listen(config, 0, option)


def _bound_at_same_port(address: str, first: socket.socket, option: str) -> socket.socket | None:
    """A socket on the first one's port at another address; None where that address does not exist.

    If the port is taken there, that is an error: "localhost" would sometimes reach another program.
    """
    try:
        return _bound(address, first.getsockname()[1], option)
    except PortTaken:
        first.close()
        raise
    except OSError:  # no IPv6 here
        return None


def _bound(address: str, port: int, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if os.name != "nt":  # there the option lets two servers share a port
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except PermissionError as err:
        sock.close()
        raise PortTaken(f"Port {port} needs more rights than this user has: give another {option}.") from err
    except OSError as err:
        sock.close()
        if family == socket.AF_INET6 and err.errno != errno.EADDRINUSE:
            raise
        if err.errno == errno.EADDRNOTAVAIL:  # macOS has 127.0.0.1 alone
            hint = f"On macOS it becomes one with: sudo ifconfig lo0 alias {address}"
            raise PortTaken(f"{address} is not an address of this machine. {hint}") from err
        raise PortTaken(f"Port {port} on {address} is taken: give another {option}, or 0 for any free one.") from err
    return sock
