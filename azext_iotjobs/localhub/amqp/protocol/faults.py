"""What a client does against the protocol, by what has to end because of it."""

from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError


class Fault(Exception):
    """An error of the client; `error` is what it is told.

    condition: one of wire/conditions.py.  description: one sentence for people.
    """

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.error = AmqpError(condition, description)


class ConnectionFault(Fault):
    """The connection has to end."""


class SessionFault(Fault):
    """The session has to end."""


class LinkFault(Fault):
    """The link has to end."""
