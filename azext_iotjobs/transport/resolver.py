"""A host's addresses, looked up on a thread: a slow name server must not block the loop."""

import errno
import queue
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.host_names import name_to_look_up
from azext_iotjobs.transport.handshake import SocketAddress
from azext_iotjobs.transport.open_files import lack_of_files

FRESH_S = 60.0  # a hub that fails over keeps its name and moves
RETRY_AFTER_S = 5.0  # at least, between two look-ups


class HostResolver:
    """The addresses of one host. All but the look-up itself is for one thread."""

    def __init__(self, host: str, port: int, clock: Clock, wake: Callable[[], None]) -> None:
        """wake: called on another thread when a look-up has ended."""
        self._host = name_to_look_up(host)
        self._port = port
        self._clock = clock
        self._wake = wake
        self._known: list[SocketAddress] = []
        self._is_resolving = False
        self._begun_at = -FRESH_S
        self._is_doubtful = False
        self._found: queue.SimpleQueue[list[SocketAddress] | OSError] = queue.SimpleQueue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="resolver")

    def addresses(self) -> list[SocketAddress]:
        """What is known, the best first; [] while they are still being looked up."""
        age_s = self._clock.monotonic() - self._begun_at
        is_stale = age_s > FRESH_S or (self._is_doubtful and age_s > RETRY_AFTER_S)
        if not self._is_resolving and (not self._known or is_stale):
            self._is_resolving = True
            self._begun_at = self._clock.monotonic()
            self._thread.submit(self._resolve)
        return self._known

    def take_result(self) -> OSError | None:
        """Take over what a look-up found; gives its error if it failed and no address is known."""
        error: OSError | None = None
        while not self._found.empty():
            self._is_resolving = self._is_doubtful = False
            found = self._found.get()
            if isinstance(found, OSError):
                error = None if self._known else found
            else:
                self._known = [*(each for each in self._known[:1] if each in found)]
                self._known += [each for each in found if each not in self._known]
        return error

    def prefer(self, address: SocketAddress) -> None:
        """`address` worked: try it first from now on."""
        if address in self._known and address != self._known[0]:
            self._known = [address, *(each for each in self._known if each != address)]

    def mark_doubtful(self) -> None:
        """No address worked: look the host up again soon."""
        self._is_doubtful = True

    def close(self) -> None:
        """Stop; a look-up that still hangs ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _resolve(self) -> None:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._found.put([(family, protocol, where) for family, _, protocol, _, where in found])
        except (OSError, UnicodeError) as err:
            lack = lack_of_files(err)
            known = err if isinstance(err, OSError) else OSError(f"{self._host!r} is not a host name")
            self._found.put(known if lack is None else OSError(errno.EMFILE, lack))
        self._wake()
