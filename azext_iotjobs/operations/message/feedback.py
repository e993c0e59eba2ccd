"""Follow the feedback about messages to devices."""

from collections.abc import Generator, Iterator
from typing import Protocol

from azext_iotjobs.model.feedback import FeedbackRecord


class FeedbackBatch(Protocol):
    """Records that the hub gave at once."""

    records: list[FeedbackRecord]

    def accept(self) -> None:
        """Let the hub forget them."""


class FeedbackSource(Protocol):
    """A connection that feedback comes on."""

    def feedback(self) -> Iterator[FeedbackBatch]:
        """What has come, after a moment of waiting."""


def follow(
    source: FeedbackSource, *, device_id: str | None, message_id: str | None
) -> Generator[FeedbackRecord | None]:
    """Every record that is wanted, as it comes, and None after each round; ends behind the record of `message_id`.

    device_id: whose, in any case; None: all devices'.  message_id: of the message that is waited for; None: there is no
    end. A batch that holds a record which is not wanted stays with the hub, for whoever wants it.
    Raises HubAnswer, LinkError.
    """
    while True:
        for batch in source.feedback():
            wanted = [each for each in batch.records if _is_wanted(each, device_id, message_id)]
            yield from wanted
            if len(wanted) == len(batch.records):
                batch.accept()
            if message_id is not None and wanted:
                return
        yield None


def _is_wanted(record: FeedbackRecord, device_id: str | None, message_id: str | None) -> bool:
    is_of_device = device_id is None or record.device_id.lower() == device_id.lower()
    return is_of_device and message_id in (None, record.message_id)
