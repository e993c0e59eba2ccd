"""The options of a message to a device -> the message."""

from datetime import datetime
from typing import NamedTuple

from azext_iotjobs.cli.input.scalars import key_values
from azext_iotjobs.model.clock import parse_millis_or_instant
from azext_iotjobs.model.message import Ack, NewC2dMessage


class C2dOptions(NamedTuple):
    """The properties of a cloud-to-device message, as typed."""

    our_message_id: str | None = None
    our_correlation_id: str | None = None
    our_user_id: str | None = None
    our_content_type: str | None = None
    our_content_encoding: str = "utf-8"
    our_expiry_time_utc: str | None = None
    our_ack: str | None = None

    def message(self, body: bytes, properties: str | None) -> NewC2dMessage:
        """The message with these properties.

        body: what it holds.  properties: the application's, as typed.  Raises BadValue.
        """
        return NewC2dMessage(
            body=body,
            properties={} if properties is None else key_values(properties, "--properties"),
            message_id=self.our_message_id,
            correlation_id=self.our_correlation_id,
            user_id=self.our_user_id,
            content_type=self.our_content_type,
            content_encoding=self.our_content_encoding,
            expires_at=self._expires_at(),
            ack=None if self.our_ack is None else Ack(self.our_ack),
        )

    def _expires_at(self) -> datetime | None:
        text = self.our_expiry_time_utc
        return None if text is None else parse_millis_or_instant(text, "--expiry-time-utc")
