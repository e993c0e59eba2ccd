"""What a connection has to write, until its transport takes it. Pure."""

from collections.abc import Callable

from azext_iotjobs.localhub.amqp.protocol.limits import MAX_OUTPUT_BYTES


class Output:
    """Encoded frames, in their order.

    on_output: called when there is something to write after there was nothing.
    """

    def __init__(self, on_output: Callable[[], None]) -> None:
        self._on_output = on_output
        self._waiting: list[bytes] = []
        self._size_bytes = 0
        self._is_announced = False
        self.is_writable = True  # whether the transport takes what is written

    @property
    def has_room(self) -> bool:
        """Whether little enough of what was sent is still on its way."""
        return self.is_writable and self._size_bytes < MAX_OUTPUT_BYTES

    def announce(self) -> None:
        """There is, or will be, something to write."""
        if not self._is_announced:
            self._is_announced = True
            self._on_output()

    def write(self, data: bytes) -> None:
        """Add a frame or a header."""
        self.announce()
        self._waiting.append(data)
        self._size_bytes += len(data)

    def take(self) -> bytes:
        """All that waits."""
        taken = b"".join(self._waiting)
        self._waiting, self._size_bytes, self._is_announced = [], 0, False
        return taken
