"""One simulated device over MQTT; its activities are printed on stdout as they happen, in the reference's words."""

import pprint
import sys
from collections.abc import Mapping
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.cli.output.terminal_safe import print_text
from azext_iotjobs.cli.simulate.device_options import DeviceSettings
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_topics import reason_against
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Text, command, counted
from azext_iotjobs.operations.simulate import event_loop as operation
from azext_iotjobs.simulator.events import Activity, ActivityKind, DeviceInfo

logger = get_logger(__name__)

MAX_SHOWN_BYTES = 64 * 1024  # of one message: the hub's own limit for cloud-to-device messages


def simulate(client: HubClient, device: str, settings: DeviceSettings) -> None:
    """Simulate a device until its messages are sent, or until Ctrl-C.

    device: its id.  settings: what was typed about it.
    Raises UserError, HubAnswer, LinkError.
    """
    if (reason := reason_against(device)) is not None:
        raise BadValue(
            reason,
            hint=Text(
                "Over HTTPS it sends and receives messages: ",
                command("iot device simulate", "--protocol", "http", "-d", device),
            ),
        )
    behaviour = settings.behaviour.of_one(DeviceInfo(device_id=device))
    simulated = operation.SimulatedDevice(
        device_id=device,
        credential=settings.sign_in.credential(client, device),
        behaviour=behaviour,
        plan=settings.plan if settings.sends or not behaviour.telemetry else None,
        model_id=settings.model_id,
    )
    with stopped_by_ctrl_c() as stop:
        summary = operation.run(
            client.target,
            [simulated],
            _print_activity,
            SystemClock(),
            stop,
            settings.way,
            settings.behaviour.seed,
        )
    missing = summary.sent_count - summary.acknowledged_count
    end = ending(missing, was_stopped=summary.was_stopped)
    logger.warning("%s: %s sent%s; no longer connected.", device, counted(summary.sent_count, "message"), end)


def ending(missing: int, *, was_stopped: bool) -> str:
    """The text behind the count of messages; many stop a device before the last acknowledgement has arrived."""
    if was_stopped:
        return f", stopped before the hub had answered {missing} of them" if missing else ", stopped"
    return f", {missing} of them not acknowledged" if missing else ""


def _print_activity(device: str, activity: Activity) -> None:
    """Print a heading and a block for each thing, in the reference's words, so that scripts can still read them."""
    details = activity.details
    match activity.kind:
        case ActivityKind.METHOD:
            _print_block(
                "Method Request Handler [Received direct method invocation request]:",
                {
                    "Device Id": device,
                    "Method Request Id": details["rid"],
                    "Method Request Name": details["name"],
                    "Method Request Payload": details["payload"],
                },
            )
        case ActivityKind.ANSWER:
            _print_block(
                "Method Response:",
                {"Method Request Id": details["rid"], "Status": details["status"], "Payload": details["payload"]},
            )
        case ActivityKind.DESIRED:
            _print_block("Twin patch handler [Updating device twin reported properties]:", details["patch"])
        case ActivityKind.MESSAGE:
            _print_block(
                "C2D Message Handler [Received C2D message]:",
                {
                    "Topic": f"/devices/{device}/messages/devicebound",
                    "Payload": details["body"][:MAX_SHOWN_BYTES].decode("utf-8", "replace"),
                    "Message Properties": details["properties"],
                },
            )
        case ActivityKind.SENT:
            _show_progress(details["number"], details.get("count"))
        case _:
            if (text := _text_of(activity)) is not None:
                logger.warning("%s: %s", device, text)


def _text_of(activity: Activity) -> str | None:
    """What stderr says about an activity; None: nothing. A refusal is the command's own error."""
    details = activity.details
    match activity.kind:
        case ActivityKind.READY:
            return "connected, listening."
        case ActivityKind.LOST:
            why = f" {details['reason']}" if "reason" in details else ""
            return f"connection lost; connecting again in {details['retry_in_s']:.1f} s.{why}"
        case ActivityKind.NOT_CONNECTED:
            return f"{details['reason']} Connecting again in {details['retry_in_s']:.1f} s."
        case ActivityKind.REPORT_REFUSED:
            return f"the hub refused reported properties ({details['status']})."
        case ActivityKind.DROPPED:
            return "something was not sent: too much waits for the hub already."
        case ActivityKind.FETCH_REFUSED:
            return f"the hub refused to show its twin ({details['status']}); asking again."
        case ActivityKind.UNANSWERED:
            return f"method {details['name']!r} is not answered: {details['reason']}."
        case ActivityKind.UNREADABLE:
            return f"unreadable message on {details['topic']!r}."
    return None


def _show_progress(number: int, count: int | None) -> None:
    if count is not None and sys.stderr.isatty():
        end = "\n" if number == count else "\r"
        wrote(sys.stderr, f"Device simulation in progress: {number}/{count}{end}")


def _print_block(heading: str, block: Mapping[str, Any]) -> None:
    # pprint shows texts by repr, so no control character from a device or hub reaches the terminal as it is.
    print_text(f"\n{heading}\n{pprint.pformat(block, indent=2)}")
