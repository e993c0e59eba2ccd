"""One simulated device over HTTPS; its messages are printed on stdout, in the reference's words."""

import pprint
import sys
import threading

from knack.log import get_logger

from azext_iotjobs.cli.output.received_message import message_document
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.cli.output.terminal_safe import print_text
from azext_iotjobs.clients.device import DeviceClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.message import Settlement
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.simulate import http as operation
from azext_iotjobs.operations.simulate.http import HttpActivity
from azext_iotjobs.simulator.telemetry import TelemetryPlan

logger = get_logger(__name__)

HEADING = "C2D Message Handler"
SETTLING = {
    Settlement.COMPLETE: "Completing message",
    Settlement.ABANDON: "Abandoning message",
    Settlement.REJECT: "Rejecting message",
}


def simulate(
    device: DeviceClient, device_id: str, plan: TelemetryPlan, settlement: Settlement, stop: threading.Event
) -> None:
    """Simulate a device over HTTPS until its messages are sent, or `stop` is set.

    settlement: what to do with each message that is received.
    Raises HubAnswer, LinkError.
    """

    def show(activity: HttpActivity) -> None:
        if activity.received is not None:
            block = pprint.pformat(message_document(activity.received), indent=2)
            print_text(f"\n{HEADING} [Received C2D message]:\n{block}")
            done = "Its lock had ended" if activity.settlement is None else SETTLING[activity.settlement]
            print_text(f"{HEADING} [{done}]")
        elif sys.stderr.isatty():
            end = "\n" if activity.sent_number == plan.count else "\r"
            wrote(sys.stderr, f"Sending and receiving events via https: {activity.sent_number}/{plan.count}{end}")

    summary = operation.run(device, plan, settlement, show, SystemClock(), stop)
    end = ", stopped" if summary.was_stopped else ""
    sent = counted(summary.sent_count, "message")
    logger.warning("%s: %s sent, %d received%s.", device_id, sent, summary.received_count, end)
