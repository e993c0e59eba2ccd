"""Feedback on cloud-to-device messages, as services receive it."""

from typing import Any

from azext_iotjobs.localhub.clock import parse
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.locked_queue import LockedBatch, News
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.store.messages import Feedback

CONTENT_TYPE = "application/vnd.microsoft.iothub.feedback.json"


class FeedbackQueue:
    """The feedback of all devices as a queue of batches."""

    def __init__(self, c2d_queue: C2dQueue) -> None:
        self._c2d_queue = c2d_queue

    @property
    def news(self) -> News:
        """Those who wait for feedback."""
        return self._c2d_queue.feedback_news

    def take(self) -> LockedBatch | None:
        """Lock the oldest feedback; None when there is none."""
        batch = self._c2d_queue.feedback()
        if batch is None:
            return None
        return LockedBatch(
            lock_token=batch.lock_token,
            body=dump_json([feedback_document(each) for each in batch.records]).encode(),
            content_type=CONTENT_TYPE,
            enqueued_at=parse(batch.records[-1].at),
        )

    def complete(self, lock_token: str) -> None:
        """Remove feedback that was read. Raises HubError 412002 when the lock is lost."""
        self._c2d_queue.complete_feedback(lock_token)

    def abandon(self, lock_token: str) -> None:
        """Unlock feedback, to be read again. Raises HubError 412002 when the lock is lost."""
        self._c2d_queue.abandon_feedback(lock_token)


def feedback_document(feedback: Feedback) -> dict[str, Any]:
    """What became of a cloud-to-device message."""
    return {
        "originalMessageId": feedback.message_id,
        "enqueuedTimeUtc": feedback.at,
        "statusCode": feedback.outcome.value,
        "description": feedback.outcome.value,
        "deviceId": feedback.device_id,
        "deviceGenerationId": feedback.generation_id,
    }
