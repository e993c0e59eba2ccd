"""The packets that a connection has received and not processed yet."""

from collections import deque

from azext_iotjobs.localhub.mqtt.codec import Decoder
from azext_iotjobs.localhub.mqtt.packets import MalformedPacket, Packet


class IncomingPackets:
    """A queue of packets, fed with bytes; `error` is set once the bytes after its packets are no MQTT."""

    __slots__ = ("_decoder", "_packets", "error")

    def __init__(self, max_packet_bytes: int) -> None:
        self._decoder = Decoder(max_packet_bytes)
        self._packets: deque[Packet] | None = None  # an empty deque takes 760 bytes: None while there are no packets
        self.error: MalformedPacket | None = None

    def feed(self, data: bytes) -> None:
        """Add the packets that these bytes complete."""
        added = self._packets or deque()
        try:
            added.extend(self._decoder.feed(data))
        except MalformedPacket as err:
            added.extend(err.before)
            self.error = err
        self._packets = added or None

    def next(self) -> Packet:
        """Take the oldest packet."""
        assert self._packets is not None
        packet = self._packets.popleft()
        self._packets = self._packets or None
        return packet

    def __len__(self) -> int:
        return len(self._packets or ())
