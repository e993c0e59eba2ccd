"""Messages between devices and services."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from azext_iotjobs.model.late_dataclass import dataclass


class Settlement(Enum):
    """What a device does with a message that it has received."""

    COMPLETE = "complete"
    ABANDON = "abandon"
    REJECT = "reject"


class Ack(Enum):
    """Which outcomes the sender of a message wants to know; the value is the hub's word."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    FULL = "full"


@dataclass(frozen=True, kw_only=True)
class DeviceMessage:
    """What a device sends."""

    body: bytes = field(repr=False)
    properties: Mapping[str, str]  # system properties as $.ct, $.mid, …


@dataclass(frozen=True, kw_only=True)
class ReceivedMessage:
    """What a device was sent, locked for it."""

    lock_token: str  # the hub's etag
    body: bytes = field(repr=False)
    content_encoding: str | None
    properties: Mapping[str, str]  # the application's
    system: Mapping[str, str]  # by the hub's header names


@dataclass(frozen=True, kw_only=True)
class NewC2dMessage:
    """What a service sends to a device."""

    body: bytes = field(repr=False)
    properties: Mapping[str, str]
    message_id: str | None = None  # None: the hub makes one
    correlation_id: str | None = None
    user_id: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    expires_at: datetime | None = None  # aware UTC; None: the hub's default
    ack: Ack | None = None


@dataclass(frozen=True, kw_only=True)
class HubEvent:
    """A message from a device, as a local hub stores it."""

    number: int  # counts from 1 since the hub's start
    device_id: str
    body: bytes = field(repr=False)
    document: Mapping[str, Any]  # all that the hub says of it, but for the body


class HubEvents(NamedTuple):
    """Some of the messages from devices."""

    events: Sequence[HubEvent]  # the oldest first
    next_after: int  # the number after which there may be more
