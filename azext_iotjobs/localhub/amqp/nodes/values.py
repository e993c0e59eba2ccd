"""AMQP's simple values <-> the hub's: texts and instants. Pure."""

import base64
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from azext_iotjobs.localhub.amqp.wire.types import DecodeError, Timestamp
from azext_iotjobs.localhub.clock import EPOCH, render

MILLISECOND = timedelta(milliseconds=1)


def timestamp(at: datetime) -> Timestamp:
    """An instant, in milliseconds."""
    return Timestamp((at - EPOCH) // MILLISECOND)


def instant(milliseconds: int) -> datetime:
    """The instant, aware UTC. Raises DecodeError for one that is in no year from 1 to 9999."""
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise DecodeError("an instant in a message is not in the years 1 to 9999") from None


def as_text(value: Any) -> str | None:
    """The text for a simple value; None for null. Raises DecodeError for a list, a map and other values.

    Numbers are written in decimal, booleans as true and false, instants as ISO 8601, bytes in base64.
    """
    match value:
        case None:
            return None
        case str():
            return str(value)
        case bool():
            return "true" if value else "false"
        case Timestamp():
            return render(instant(value))
        case int():
            return str(int(value))
        case float():
            return repr(float(value))
        case UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
    raise DecodeError(f"a property of a message is of the type {type(value).__name__}")
