"""The sockets of many devices on one selector, which another thread can wake."""

import selectors
import socket
from typing import TYPE_CHECKING

from azext_iotjobs.model.device_credentials import DeviceCertificate
from azext_iotjobs.transport.handshake import READ, Handshake

if TYPE_CHECKING:
    import paho.mqtt.client as paho

WAKE_BYTE = b"\0"


class Link:
    """One device's connection."""

    __slots__ = ("certificate", "client", "device", "ends_at", "handshake", "is_under_way", "number", "watched")

    def __init__(self, device: str, client: "paho.Client", certificate: DeviceCertificate | None) -> None:
        self.device = device
        self.client = client
        self.certificate = certificate
        self.handshake: Handshake | None = None  # None: no connection, or it is paho's
        self.is_under_way = False  # from `connect` to CONNACK
        self.ends_at = 0.0  # when CONNACK must be there
        self.number = -1  # of the socket
        self.watched = 0  # READ, WRITE or both, as the selector knows it; 0: it does not know the socket


class LinkSelector:
    """Says whose socket is ready. One thread calls everything but `wake`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._selector.register(self._reader, READ)

    def select(self, timeout_s: float) -> list[tuple[Link | None, int]]:
        """Who is ready for READ or WRITE within `timeout_s`; None is `wake`."""
        return [(key.data, ready) for key, ready in self._selector.select(timeout_s)]

    def set(self, link: Link, number: int, wanted: int) -> None:
        """Watch the link's socket, whose file number is `number`, for `wanted`: READ, WRITE or both."""
        if link.watched == 0:
            self._selector.register(number, wanted, link)
        elif link.watched != wanted:
            self._selector.modify(number, wanted, link)
        link.number, link.watched = number, wanted

    def forget(self, link: Link) -> None:
        """Stop watching the link's socket; call it before the socket is closed."""
        if link.watched:
            self._selector.unregister(link.number)
            link.watched = 0

    def wake(self) -> None:
        """End a `select`; from any thread."""
        try:
            self._writer.send(WAKE_BYTE)
        except OSError:  # full: the loop is awake anyway; closed: nobody waits any more
            pass

    def clear_wake(self) -> None:
        """Take the wake-up out of the selector: it has been dealt with."""
        self._reader.recv(4096)

    def close(self) -> None:
        self._selector.close()
        self._reader.close()
        self._writer.close()
