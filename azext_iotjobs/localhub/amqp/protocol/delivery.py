"""A message that a client has sent."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Delivery:
    """A whole message, put together from its parts."""

    delivery_id: int
    tag: bytes
    is_settled: bool  # the client does not want to know its outcome
    message_format: int  # 0: AMQP's own
    payload: bytes  # the encoded message
