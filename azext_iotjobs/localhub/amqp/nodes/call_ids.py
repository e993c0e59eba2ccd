"""The ids of method calls on one connection of a device: the hub's request ids <-> UUIDs. Pure."""

import secrets
from uuid import UUID

_SALT_BITS, _NUMBER_BITS = 64, 62  # the two bits between them, and four of the salt, say which kind of UUID it is


class CallIds:
    """UUIDs of version 4, which hold the request id and what no other connection has."""

    __slots__ = ("_salt",)

    def __init__(self) -> None:
        self._salt = secrets.randbits(_SALT_BITS) << _SALT_BITS

    def uuid_of(self, rid: str) -> UUID:
        """The id of a call, for its correlation id."""
        return UUID(int=self._salt | int(rid), version=4)

    def rid_of(self, correlation_id: object) -> str | None:
        """The request id in the correlation id of a response; None when it is of no call on this connection.

        correlation_id: a UUID, or its 16 bytes or text, which some clients send.
        """
        try:
            match correlation_id:
                case UUID():
                    given = correlation_id
                case bytes():
                    given = UUID(bytes=correlation_id)
                case str():
                    given = UUID(correlation_id)
                case _:
                    return None
        except ValueError:
            return None
        rid = str(given.int & ((1 << _NUMBER_BITS) - 1))
        return rid if self.uuid_of(rid) == given else None
