"""Messages that devices sent to a local hub and received from it, read by its own routes."""

import base64
from typing import Any

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.helpers.waiting import wait_until


def events_of(hub: LocalHub, device: str) -> list[dict[str, Any]]:
    """What a device sent, oldest first; bodies are decoded."""
    number, found = 0, []
    while page := hub.request("GET", f"/_local/events?after={number}")["events"]:
        assert page[0]["number"] > number, "a page that was there already"
        found += [{**each, "body": base64.b64decode(each["body"]).decode()} for each in page]
        number = page[-1]["number"]
    return [each for each in found if each["deviceId"] == device]


def wait_for_events(hub: LocalHub, device: str, count: int = 1) -> list[dict[str, Any]]:
    wait_until(f"{count} messages of {device}", lambda: len(events_of(hub, device)) >= count)
    return events_of(hub, device)


def send_message(hub: LocalHub, device: str, body: str, **members: Any) -> None:
    """Send a device a message, as the hub's own route takes it."""
    encoded = base64.b64encode(body.encode()).decode()
    hub.request("POST", f"/_local/devices/{device}/messages", {"body": encoded, **members})


def wait_for_feedback(hub: LocalHub, message: str) -> str:
    """What became of a message that was sent with ack full."""
    found: list[str] = []

    def look() -> bool:
        batch = hub.request("GET", "/messages/serviceBound/feedback") or []
        found.extend(each["statusCode"] for each in batch if each["originalMessageId"] == message)
        return bool(found)

    wait_until(f"feedback on {message}", look)
    return found[0]
