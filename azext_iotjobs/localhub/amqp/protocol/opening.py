"""What the two sides tell each other when a connection is opened. Pure. Source: AMQP 2.4, 2.7.1."""

from dataclasses import dataclass

from azext_iotjobs.localhub.amqp.protocol.faults import ConnectionFault
from azext_iotjobs.localhub.amqp.protocol.limits import (
    CHANNEL_MAX,
    IDLE_TIMEOUT_S,
    MAX_FRAME_BYTES,
    MIN_IDLE_TIMEOUT_S,
)
from azext_iotjobs.localhub.amqp.wire.conditions import NOT_ALLOWED
from azext_iotjobs.localhub.amqp.wire.frames import MIN_MAX_FRAME_BYTES
from azext_iotjobs.localhub.amqp.wire.performatives import Open


@dataclass(frozen=True)
class ClientLimits:
    """What a client takes; before it has opened the connection, what every client takes."""

    max_frame_bytes: int = MIN_MAX_FRAME_BYTES
    max_channel: int = 0
    idle_timeout_s: float | None = None  # it drops the hub after this silence; None: never


def hub_open(container_id: str) -> Open:
    """The hub's Open."""
    return Open(
        container_id,
        max_frame_size=MAX_FRAME_BYTES,
        channel_max=CHANNEL_MAX,
        idle_time_out=int(IDLE_TIMEOUT_S * 1000),
    )


def client_limits(opened: Open) -> ClientLimits:
    """What the client of an Open takes. Raises ConnectionFault for what the hub cannot serve."""
    timeout_s = (opened.idle_time_out or 0) / 1000
    if 0 < timeout_s < MIN_IDLE_TIMEOUT_S:
        raise ConnectionFault(NOT_ALLOWED, f"An idle time-out is less than {MIN_IDLE_TIMEOUT_S:g} s.")
    frame_bytes = MAX_FRAME_BYTES if opened.max_frame_size is None else opened.max_frame_size
    if frame_bytes < MIN_MAX_FRAME_BYTES:
        raise ConnectionFault(NOT_ALLOWED, f"A max-frame-size is less than {MIN_MAX_FRAME_BYTES}.")
    return ClientLimits(
        max_frame_bytes=min(frame_bytes, MAX_FRAME_BYTES),
        max_channel=min(CHANNEL_MAX, CHANNEL_MAX if opened.channel_max is None else opened.channel_max),
        idle_timeout_s=timeout_s or None,
    )
