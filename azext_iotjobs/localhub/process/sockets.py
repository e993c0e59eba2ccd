"""Listening sockets: one port, every address that a hub has."""

import errno
import logging
import os
import socket
from typing import NamedTuple

from azext_iotjobs.localhub.process.config import AMQP_PORT, LocalHubConfig
from azext_iotjobs.localhub.rules.host_names import is_loopback

logger = logging.getLogger(__name__)

BACKLOG = 1024  # queued by the system: many devices may connect at once
ACCEPTED_AT_ONCE = 10  # then other tasks run; each one costs a handshake, almost a millisecond


class PortTaken(Exception):
    """A port is in use or needs more rights, or its address is not this machine's."""


class Ports(NamedTuple):
    """The ports that a running hub listens at."""

    https: int
    mqtt: int
    amqp: int
    amqp_plain: int | None  # None: none


class HubSockets(NamedTuple):
    """The listening sockets of a hub."""

    https: list[socket.socket]
    mqtt: list[socket.socket]
    amqp: list[socket.socket]
    amqp_plain: list[socket.socket]  # may be empty

    @property
    def ports(self) -> Ports:
        """Their ports."""
        plain = _port_of(self.amqp_plain) if self.amqp_plain else None
        return Ports(_port_of(self.https), _port_of(self.mqtt), _port_of(self.amqp), plain)


def listen_for_all(config: LocalHubConfig) -> HubSockets:
    """All listening sockets of a hub. Raises PortTaken."""
    plain_port = config.amqp_plain_port
    return HubSockets(
        https=listen(config, config.https_port, "--https-port"),
        mqtt=listen(config, config.mqtt_port, "--mqtt-port"),
        amqp=_listen_for_amqp(config),
        amqp_plain=[] if plain_port is None else listen(config, plain_port, "--amqp-plain-port"),
    )


def listen(config: LocalHubConfig, port: int, option: str) -> list[socket.socket]:
    """Listening sockets on every address, on one port; without ::1 where it does not exist.

    port: 0 is any free one.  option: the option for the port, for the error.
    Raises PortTaken.
    """
    first = _bound(config.bind, port, option)
    others = (_bound_at_same_port(address, first, option) for address in config.addresses[1:])
    return [first, *(sock for sock in others if sock is not None)]


def _listen_for_amqp(config: LocalHubConfig) -> list[socket.socket]:
    """At the port that was given; without one at AMQP's own, or at any free one where that is taken."""
    if config.amqp_port is not None:
        return listen(config, config.amqp_port, "--amqp-port")
    try:
        return listen(config, AMQP_PORT, "--amqp-port")
    except PortTaken:
        sockets = listen(config, 0, "--amqp-port")
        logger.warning(
            "port %d is taken: AMQP has port %d, which clients have to be told", AMQP_PORT, _port_of(sockets)
        )
        return sockets


def _port_of(sockets: list[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])


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
        if err.errno == errno.EADDRNOTAVAIL:
            raise PortTaken(f"{address} is not an address of this machine.{_how_to_add(address)}") from err
        raise PortTaken(f"Port {port} on {address} is taken: give another {option}, or 0 for any free one.") from err
    return sock


def _how_to_add(address: str) -> str:
    """What to say of an address that this machine does not have: macOS has 127.0.0.1 alone of loopback's."""
    return f" On macOS it becomes one with: sudo ifconfig lo0 alias {address}" if is_loopback(address) else ""
