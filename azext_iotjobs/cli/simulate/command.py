"""Handler of az iot device simulate. What the device sees and does is printed on stdout, as it happens."""

import pprint
import sys
from collections.abc import Mapping
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.device_key import credential_of
from azext_iotjobs.cli.input.json_option import Given
from azext_iotjobs.cli.input.message_properties import (
    JSON_PROPERTIES,
    read_http_properties,
    read_mqtt_properties,
    text_bytes,
)
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.cli.message.receive import key_of
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.cli.output.terminal_safe import print_text
from azext_iotjobs.cli.simulate import http
from azext_iotjobs.cli.simulate.behaviour.options import BehaviourOptions
from azext_iotjobs.cli.simulate.device_options import OneDevice
from azext_iotjobs.cli.simulate.options import FleetOptions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_topics import reason_against
from azext_iotjobs.model.dtmi import check_dtmi
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.message import Settlement
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.simulate import event_loop as operation
from azext_iotjobs.simulator.events import Seen, What, Who
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.mqtt import MqttProtocol

logger = get_logger(__name__)

MAX_SHOWN_BYTES = 64 * 1024  # of one message: the hub's own limit for cloud-to-device messages


def simulate(
    cmd: Any,
    client: HubClient,
    our_device_id: str | None = None,
    body: str = "Ping from Az CLI IoT Extension",
    messages_to_send: int = 100,
    message_interval_s: int = 3,
    message_properties: str | None = None,
    wire: str = "mqtt",
    settle: str = "complete",
    answer_status: str | None = None,
    answer_payload: Given | None = None,
    first_reported: Given | None = None,
    model: str | None = None,
    symmetric_key: str | None = None,
    certificate_file_path: str | None = None,
    key_file_path: str | None = None,
    our_passphrase: str | None = None,
    websocket: bool = False,
    **kwargs: Any,
) -> dict[str, Any] | None:
    """Simulate a device until its messages are sent, or until Ctrl-C; or a fleet of them.

    kwargs: what BehaviourOptions and FleetOptions name. az looks for an argument of this name when it reads no more
    options from here.
    Gives what came of a fleet; None for one device.
    """
    behaviour = BehaviourOptions.taken_from(
        kwargs, answer_status=answer_status, answer_payload=answer_payload, first_reported=first_reported
    )
    fleet = FleetOptions(**kwargs)
    fleet.check(our_device_id)
    if wire == "http" and fleet.is_typed:
        raise ConflictingChoice("--protocol http simulates one device.", hint="Leave it out: a fleet speaks MQTT.")
    if wire == "http":
        _refuse_what_needs_mqtt(
            {
                "--method-response-code": answer_status,
                "--method-response-payload": answer_payload,
                "--init-reported-properties": first_reported,
                "--behaviour, --method and the like": behaviour.is_typed or None,
                "--model-id": model,
                "--certificate-file-path": certificate_file_path or key_file_path or our_passphrase,
                "--websocket": websocket or None,
            }
        )
    elif settle != "complete":
        raise ConflictingChoice(
            f"--receive-settle {settle} goes with --protocol http only.",
            hint="Over MQTT a message is always completed.",
        )
    if model is not None:
        check_dtmi(model, "--model-id")
    text_bytes(body, "--data")
    behaving = behaviour.read()
    read_properties = read_http_properties if wire == "http" else read_mqtt_properties
    plan = TelemetryPlan(
        text=body,
        count=at_least(messages_to_send, 1, "--msg-count"),
        interval_s=at_least(message_interval_s, 1, "--msg-interval"),
        properties=read_properties(message_properties, JSON_PROPERTIES),
    )
    if wire == "http":
        key = key_of(client, our_device_id, symmetric_key)
        with stopped_by_ctrl_c() as stop:
            http.simulate(client.device(our_device_id, key), our_device_id, plan, Settlement(settle), stop)
        return None
    one = OneDevice(
        device=our_device_id,
        behaving=behaving,
        plan=plan,
        sends=message_properties is not None or any(map(_was_typed, (body, messages_to_send, message_interval_s))),
        model=model,
        device_key=symmetric_key,
        certificate_path=certificate_file_path,
        key_path=key_file_path,
        key_passphrase=our_passphrase,
        way=MqttProtocol.WEBSOCKET if websocket else MqttProtocol.TLS,
    )
    if fleet.is_typed:
        from azext_iotjobs.cli.simulate import many_devices

        return many_devices.simulate(cmd, client, one, fleet)
    _simulate_one(client, one)
    return None


def _was_typed(value: Any) -> bool:
    """az marks defaults."""
    return not getattr(value, "is_default", False)


def _simulate_one(client: HubClient, one: OneDevice) -> None:
    device = str(one.device)
    if (reason := reason_against(device)) is not None:
        raise BadValue(
            reason,
            hint=Text(
                "Over HTTPS it sends and receives messages: ",
                command("iot device simulate", "--protocol", "http", "-d", device),
            ),
        )
    credential = credential_of(
        client, device, device_key=one.device_key, certificate_path=one.certificate_path, key_path=one.key_path,
        passphrase=one.key_passphrase,
    )  # fmt: skip
    behaviour = one.behaving.of_one(Who(device_id=device))
    simulated = operation.SimulatedDevice(
        device_id=device,
        credential=credential,
        behaviour=behaviour,
        plan=one.plan if one.sends or not behaviour.telemetry else None,
        model_id=one.model,
    )
    with stopped_by_ctrl_c() as stop:
        summary = operation.run(
            client.target, [simulated], _print_seen, SystemClock(), stop, one.way, one.behaving.seed
        )
    missing = summary.sent_count - summary.acknowledged_count
    logger.warning(
        "%s: %d messages sent%s.", device, summary.sent_count, ending(missing, was_stopped=summary.was_stopped)
    )


def ending(missing: int, *, was_stopped: bool) -> str:
    """What is said behind the count of messages; whoever stops a device often does so before the last answer comes."""
    if was_stopped:
        return f", stopped before the hub had answered {missing} of them" if missing else ", stopped"
    return f", {missing} of them not acknowledged" if missing else ""


def _refuse_what_needs_mqtt(given: Mapping[str, Any]) -> None:
    for option, value in given.items():
        if value is not None:
            raise ConflictingChoice(
                f"{option} does not go with --protocol http: there a device has a key, is not called and has no twin.",
                hint="Leave it out, or leave --protocol out for MQTT.",
            )


def _print_seen(device: str, seen: Seen) -> None:
    """One heading and one block a thing, in the reference's words, so that scripts which read them go on."""
    details = seen.details
    match seen.what:
        case What.METHOD:
            _print_block(
                "Method Request Handler [Received direct method invocation request]:",
                {
                    "Device Id": device,
                    "Method Request Id": details["rid"],
                    "Method Request Name": details["name"],
                    "Method Request Payload": details["payload"],
                },
            )
        case What.ANSWER:
            _print_block(
                "Method Response:",
                {
                    "Method Request Id": details["rid"],
                    "Status": details["status"],
                    "Payload": details["payload"],
                },
            )
        case What.DESIRED:
            _print_block("Twin patch handler [Updating device twin reported properties]:", details["patch"])
        case What.MESSAGE:
            _print_block(
                "C2D Message Handler [Received C2D message]:",
                {
                    "Topic": f"/devices/{device}/messages/devicebound",
                    "Payload": details["body"][:MAX_SHOWN_BYTES].decode("utf-8", "replace"),
                    "Message Properties": details["properties"],
                },
            )
        case What.SENT:
            _show_progress(details["number"], details.get("count"))
        case What.READY:
            logger.warning("%s: connected, listening.", device)
        case What.LOST:
            why = f" {details['reason']}" if "reason" in details else ""
            logger.warning("%s: connection lost; connecting again in %.1f s.%s", device, details["retry_in_s"], why)
        case What.NOT_CONNECTED:
            logger.warning("%s: %s Connecting again in %.1f s.", device, details["reason"], details["retry_in_s"])
        case What.REFUSED:
            pass  # the command's own error says so
        case What.REPORT_REFUSED:
            logger.warning("%s: the hub refused reported properties (%s).", device, details["status"])
        case What.DROPPED:
            logger.warning("%s: something was not sent: too much waits for the hub already.", device)
        case What.FETCH_REFUSED:
            logger.warning("%s: the hub refused to show its twin (%s); asking again.", device, details["status"])
        case What.UNANSWERED:
            logger.warning("%s: method %r is not answered: %s.", device, details["name"], details["reason"])
        case What.UNREADABLE:
            logger.warning("%s: unreadable message on %r.", device, details["topic"])


def _show_progress(number: int, count: int | None) -> None:
    if count is not None and sys.stderr.isatty():
        end = "\n" if number == count else "\r"
        wrote(sys.stderr, f"Device simulation in progress: {number}/{count}{end}")


def _print_block(heading: str, block: Mapping[str, Any]) -> None:
    # pprint shows text by repr: control characters from a device or hub never reach the terminal raw.
    print_text(f"\n{heading}\n{pprint.pformat(block, indent=2)}")
