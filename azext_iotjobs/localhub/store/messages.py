"""Cloud-to-device messages and feedback on them: rows.

A message is locked for the device that received it: over MQTT until the connection ends (no end of the lock is stored),
over HTTPS until the lock expires.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from azext_iotjobs.localhub.clock import parse, render
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import Ack, MessageOutcome, NewMessage
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import BYTES, NUMBER, TEXT, TEXT_OR_NULL, RowReader, RowValues, read_object

AT = "device_id = ? AND module_id = ?"


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message in a device's queue."""

    sequence_number: int
    address: Address
    sent: NewMessage = field(repr=False)
    enqueued_at: datetime
    delivery_count: int
    lock_token: str | None


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """The outcome of a message whose sender requested feedback."""

    message_id: str
    device_id: str
    generation_id: str
    outcome: MessageOutcome
    at: str


@dataclass(frozen=True)
class FeedbackBatch:
    """Feedback that was locked together."""

    lock_token: str
    records: tuple[Feedback, ...]


class Messages:
    """The queues in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, address: Address, sent: NewMessage, now: datetime) -> int:
        """Add a message at the end of a device's queue; gives its sequence number."""
        (row,) = self._database.rows(
            "INSERT INTO messages (device_id, module_id, message, body, ack, enqueued_at, expires_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING row_id",
            (*address.key, _document(sent), sent.body, sent.ack.value, render(now), render(sent.expires_at)),
        )
        return int(row["row_id"])

    def count(self, address: Address) -> int:
        """How many are in a device's queue, locked ones included."""
        row = self._database.row(f"SELECT count(*) FROM messages WHERE {AT}", address.key)
        assert row is not None  # an aggregate always has its row
        return int(row[0])

    def take(self, address: Address, token: str, until: datetime | None) -> Message | None:
        """Lock the oldest message that is not locked; None when there is none.

        until: when the lock expires, aware UTC; None: when the connection ends.
        """
        rows = self._database.rows(
            "UPDATE messages SET lock_token = ?, locked_until = ?, delivery_count = delivery_count + 1 WHERE row_id = "
            f"(SELECT min(row_id) FROM messages WHERE {AT} AND lock_token IS NULL) RETURNING *",
            (token, render(until) if until else None, *address.key),
        )
        return _message_of(rows[0]) if rows else None

    def locked(self, address: Address, token: str) -> Message | None:
        """The message that a token locks, or None."""
        row = self._database.row(f"SELECT * FROM messages WHERE {AT} AND lock_token = ?", (*address.key, token))
        return _message_of(row) if row else None

    def queue(self, address: Address) -> list[Message]:
        """All of a device's messages, oldest first."""
        rows = self._database.rows(f"SELECT * FROM messages WHERE {AT} ORDER BY row_id", address.key)
        return [_message_of(row) for row in rows]

    def held(self, address: Address | None = None) -> list[Message]:
        """Messages that MQTT connections hold: a device's, or all."""
        where, values = ("TRUE", ()) if address is None else (AT, address.key)
        sql = f"SELECT * FROM messages WHERE {where} AND lock_token IS NOT NULL AND locked_until IS NULL"
        return _message_of.all(self._database.rows(sql, values))

    def overdue_locks(self, now: datetime) -> list[Message]:
        """Messages whose lock has ended."""
        rows = self._database.rows("SELECT * FROM messages WHERE locked_until <= ?", (render(now),))
        return _message_of.all(rows)

    def expired(self, now: datetime) -> list[Message]:
        """Messages that have expired."""
        rows = self._database.rows("SELECT * FROM messages WHERE expires_at <= ?", (render(now),))
        return _message_of.all(rows)

    def unlock(self, message: Message) -> None:
        """Unlock a message; it keeps its place in the queue."""
        self._database.change(
            "UPDATE messages SET lock_token = NULL, locked_until = NULL WHERE row_id = ?", (message.sequence_number,)
        )

    def remove(self, message: Message) -> None:
        """Remove a message from its queue."""
        self._database.change("DELETE FROM messages WHERE row_id = ?", (message.sequence_number,))

    def add_feedback(self, feedback: Feedback) -> None:
        """Add feedback on a message."""
        self._database.change(
            "INSERT INTO feedback (message_id, device_id, generation_id, fate, at) VALUES (?, ?, ?, ?, ?)",
            (feedback.message_id, feedback.device_id, feedback.generation_id, feedback.outcome.value, feedback.at),
        )

    def take_feedback(self, count: int, token: str, now: datetime, lock: timedelta) -> FeedbackBatch | None:
        """Lock the oldest feedback that is not locked; None when there is none."""
        rows = self._database.rows(
            "UPDATE feedback SET lock_token = ?, locked_until = ? WHERE row_id IN (SELECT row_id FROM feedback "
            "WHERE lock_token IS NULL OR locked_until <= ? ORDER BY row_id LIMIT ?) RETURNING *",
            (token, render(now + lock), render(now), count),
        )
        ordered = sorted(rows, key=lambda row: int(row["row_id"]))
        return FeedbackBatch(token, tuple(_feedback_of(row) for row in ordered)) if rows else None

    def has_overdue_feedback(self, now: datetime) -> bool:
        """Whether there is feedback whose lock has ended."""
        return self._database.row("SELECT 1 FROM feedback WHERE locked_until <= ? LIMIT 1", (render(now),)) is not None

    def remove_feedback(self, token: str, now: datetime) -> bool:
        """Remove locked feedback; gives whether the token still locked any."""
        sql = "DELETE FROM feedback WHERE lock_token = ? AND locked_until > ?"
        return self._database.change(sql, (token, render(now))) > 0

    def unlock_feedback(self, token: str, now: datetime) -> bool:
        """Unlock feedback; gives whether the token still locked any."""
        sql = "UPDATE feedback SET lock_token = NULL, locked_until = NULL WHERE lock_token = ? AND locked_until > ?"
        return self._database.change(sql, (token, render(now))) > 0


def _document(sent: NewMessage) -> str:
    return dump_json(
        {
            "message_id": sent.message_id,
            "correlation_id": sent.correlation_id,
            "user_id": sent.user_id,
            "content_type": sent.content_type,
            "content_encoding": sent.content_encoding,
            "properties": sent.properties,
            "is_expiry_asked": sent.has_expiry,
        }
    )


def _read_message(row: RowValues) -> Message:
    return Message(
        sequence_number=row["row_id"],
        address=Address(row["device_id"], row["module_id"] or None),
        sent=NewMessage(
            **_described(row["message"]),
            body=row["body"],
            ack=Ack(row["ack"]),
            expires_at=parse(row["expires_at"]),
        ),
        enqueued_at=parse(row["enqueued_at"]),
        delivery_count=row["delivery_count"],
        lock_token=row["lock_token"],
    )


def _read_feedback(row: RowValues) -> Feedback:
    return Feedback(
        message_id=row["message_id"],
        device_id=row["device_id"],
        generation_id=row["generation_id"],
        outcome=MessageOutcome(row["fate"]),
        at=row["at"],
    )


def _described(text: str) -> dict[str, Any]:
    """What `_document` wrote. Raises ValueError, TypeError."""
    described = read_object(text)
    properties = described.get("properties")
    plain = [value for name, value in described.items() if name not in ("properties", "is_expiry_asked")]
    if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
        raise TypeError("properties are not texts")
    if not all(value is None or isinstance(value, str) for value in plain):
        raise TypeError("a member is not a text")
    described["has_expiry"] = described.pop("is_expiry_asked", False)
    return described


_message_of = RowReader(
    "message {row_id} to device {device_id}, module {module_id}",
    {
        **dict.fromkeys(("device_id", "module_id", "message", "ack", "enqueued_at", "expires_at"), TEXT),
        **dict.fromkeys(("lock_token", "locked_until"), TEXT_OR_NULL),
        "body": BYTES,
        "delivery_count": NUMBER,
    },
    _read_message,
)
_feedback_of = RowReader(
    "feedback {row_id} of device {device_id}",
    dict.fromkeys(("message_id", "device_id", "generation_id", "fate", "at"), TEXT),
    _read_feedback,
)
