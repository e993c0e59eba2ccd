"""A host's addresses, looked up on a thread: a slow name server must not stop a loop."""

import errno
import queue
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.host_names import name_to_look_up
from azext_iotjobs.transport.handshake import Address
from azext_iotjobs.transport.open_files import lack_of_files

FRESH_S = 60.0  # a hub that fails over keeps its name and moves
AGAIN_S = 5.0  # at least, between two look-ups


class HostAddresses:
    """The addresses of one host. All but the look-up itself is for one thread."""

    def __init__(self, host: str, port: int, clock: Clock, wake: Callable[[], None]) -> None:
        """wake: called on another thread when `take` has something to take."""
        self._host = name_to_look_up(host)
        self._port = port
        self._clock = clock
        self._wake = wake
        self._known: list[Address] = []
        self._is_looking = False
        self._asked_at = -FRESH_S
        self._is_doubted = False
        self._found: queue.SimpleQueue[list[Address] | OSError] = queue.SimpleQueue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="names")

    def known(self) -> list[Address]:
        """What is known, the best first; [] when that is still being looked up."""
        age_s = self._clock.monotonic() - self._asked_at
        is_stale = age_s > FRESH_S or (self._is_doubted and age_s > AGAIN_S)
        if not self._is_looking and (not self._known or is_stale):
            self._is_looking = True
            self._asked_at = self._clock.monotonic()
            self._thread.submit(self._look)
        return self._known

    def take(self) -> OSError | None:
        """Take in what was found; gives the error if there was one and nothing is known."""
        error: OSError | None = None
        while not self._found.empty():
            self._is_looking = self._is_doubted = False
            found = self._found.get()
            if isinstance(found, OSError):
                error = None if self._known else found
            else:
                self._known = [*(each for each in self._known[:1] if each in found)]
                self._known += [each for each in found if each not in self._known]
        return error

    def prefer(self, address: Address) -> None:
        """`address` led to the host: begin with it."""
        if address in self._known and address != self._known[0]:
            self._known = [address, *(each for each in self._known if each != address)]

    def doubt(self) -> None:
        """No address led to the host: look again soon."""
        self._is_doubted = True

    def close(self) -> None:
        """A look-up that still hangs ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> None:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._found.put([(family, protocol, where) for family, _, protocol, _, where in found])
        except (OSError, UnicodeError) as err:
            lack = lack_of_files(err)
            known = err if isinstance(err, OSError) else OSError(f"{self._host!r} is no host name")
            self._found.put(known if lack is None else OSError(errno.EMFILE, lack))
        self._wake()
