"""Handler of az iot hub monitor-feedback: what became of messages to devices."""

from contextlib import closing
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.amqp_access import AmqpAccess
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.live_documents import format_of, printer
from azext_iotjobs.clients.service_messages import ServiceMessagesClient
from azext_iotjobs.model.feedback import FeedbackRecord
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.text import counted, printable
from azext_iotjobs.operations.message.feedback import follow

logger = get_logger(__name__)


class FeedbackOptions(NamedTuple):
    """Which feedback is shown, as typed."""

    our_device_id: str | None = None
    our_message_id: str | None = None
    our_transport: str | None = None
    exit_zero: bool = False
    our_repair: bool = False  # of earlier versions of the reference; without effect
    our_yes: bool = False  # the same


@takes_option_groups
def monitor_feedback(cmd: Any, client: AmqpAccess, *, options: FeedbackOptions) -> None:
    """Show feedback until Ctrl-C, or until there is some about one message."""
    hub = client.open(options.our_transport)
    try:
        show_feedback(cmd, hub, options.our_device_id, options.our_message_id, exit_zero=options.exit_zero)
    finally:
        hub.close()


def show_feedback(
    cmd: Any, hub: ServiceMessagesClient, device_id: str | None, message_id: str | None, *, exit_zero: bool
) -> None:
    """Show the feedback that comes, and set the exit code if it is of one message.

    cmd: az's command.  hub: a connection to the hub.  device_id: whose; None: all devices'.
    message_id: of the message that is waited for; None: until Ctrl-C.  exit_zero: the code is 0 in any case.
    """
    show = printer(cmd, format_of(cmd, default="yaml"))  # as the reference has it
    record, shown = None, 0
    with stopped_by_ctrl_c() as stop, closing(follow(hub, device_id=device_id, message_id=message_id)) as records:
        hub.follow_feedback()
        _say_beginning(device_id)
        for each in records:
            if each is not None:
                record, shown = each, shown + 1
                if not show({"feedback": dict(each.document)}):
                    break
            elif stop.is_set():
                break
    logger.warning("%s.", counted(shown, "record"))
    if message_id is not None:
        leave_with(cmd, _outcome(record), exit_zero=exit_zero)


def _say_beginning(device_id: str | None) -> None:
    filtering = "" if device_id is None else f" filtering on device: {printable(device_id)},"
    logger.warning("Starting C2D feedback monitor,%s use ctrl-c to stop...", filtering)


def _outcome(record: FeedbackRecord | None) -> Outcome:
    if record is None:
        return Outcome.WAIT_OVER  # the message may still reach its device
    return Outcome.SUCCESS if record.is_success else Outcome.DEVICES_FAILED
