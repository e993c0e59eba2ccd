"""What became of messages to devices: the records that a hub gives to services. Pure."""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.model.late_dataclass import dataclass

SUCCESS = "Success"  # the device has completed the message


@dataclass(frozen=True, kw_only=True)
class FeedbackRecord:
    """What became of one message."""

    message_id: str
    device_id: str
    status: str  # Success, Expired, DeliveryCountExceeded, Rejected, Purged
    document: Mapping[str, Any]  # as the hub sent it

    @property
    def is_success(self) -> bool:
        """Whether the device has completed it."""
        return self.status.lower() == SUCCESS.lower()
