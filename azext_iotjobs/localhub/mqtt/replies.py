"""What a device has published -> what the hub does about it, and what it answers."""

import logging
from collections.abc import Mapping

from azext_iotjobs.localhub.engine.links import Links, MethodAnswer
from azext_iotjobs.localhub.errors import (
    BAD_GATEWAY,
    SERVER_ERROR,
    SERVICE_UNAVAILABLE,
    HubError,
    StoreDamaged,
    StoreTrouble,
)
from azext_iotjobs.localhub.mqtt import packets, session, topics
from azext_iotjobs.localhub.mqtt.backend import DeviceSide
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.job import MAX_PAYLOAD_BYTES
from azext_iotjobs.localhub.rules.json_values import Json, dump_json, parse_json
from azext_iotjobs.localhub.store.events import DeviceMessage

logger = logging.getLogger(__name__)

WILL_PROPERTY = ("iothub-MessageType", "Will")
RETAIN_PROPERTY = ("mqtt-retain", "true")


def reply(hub: DeviceSide, links: Links, address: Address, received: session.Received) -> packets.Publish | None:
    """Do what a device's packet means; gives what its twin answers, None for what has no answer.

    Raises HubError for a message that the hub does not take.
    """
    publish = received.publish
    match received.meaning:
        case topics.Telemetry():
            retained = dict([RETAIN_PROPERTY]) if publish.retain else {}
            _take_message(hub, address, received.meaning, retained, publish.payload)
        case topics.MethodResponse(status, rid):
            links.answer(address, rid, _method_answer(status, publish.payload))
        case topics.TwinGet(rid):
            return _twin(hub, address, rid)
        case topics.ReportedPatch(rid):
            return _reported(hub, address, rid, publish.payload)
    return None


def twin_error(rid: str, err: HubError) -> packets.Publish:
    """A twin's answer to what was refused."""
    return _twin_answer(err.fault.http_status, rid, {"errorCode": err.fault.number, "message": err.text})


def take_will(hub: DeviceSide, address: Address, will: packets.Will) -> None:
    """Take the message that a device has left for its end. Raises HubError."""
    meaning = topics.parse(address, will.topic)
    assert isinstance(meaning, topics.Telemetry)  # CONNECT with any other will was refused
    _take_message(hub, address, meaning, dict([WILL_PROPERTY]), will.payload)


def _take_message(
    hub: DeviceSide, address: Address, meaning: topics.Telemetry, more: Mapping[str, str | None], body: bytes
) -> None:
    hub.telemetry(
        address, DeviceMessage(body=body, properties={**meaning.properties, **more}, system=meaning.system)
    )  # fmt: skip


def _method_answer(status: int, payload: bytes) -> MethodAnswer | HubError:
    try:
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"more than {MAX_PAYLOAD_BYTES} bytes")
        return MethodAnswer(status, parse_json(payload) if payload.strip() else None)
    except ValueError as err:
        return HubError(BAD_GATEWAY, f"The device's answer cannot be read: {err}.", info={})


def _twin(hub: DeviceSide, address: Address, rid: str) -> packets.Publish:
    try:
        return _twin_answer(200, rid, hub.twin_document(address))
    except (HubError, StoreTrouble, StoreDamaged) as err:
        return twin_error(rid, _as_refusal(err))


def _reported(hub: DeviceSide, address: Address, rid: str, payload: bytes) -> packets.Publish:
    try:
        version = hub.patch_reported(address, parse_json(payload))
    except ValueError:
        return _twin_answer(400, rid, {"errorCode": 400000, "message": "The body is not JSON."})
    except (HubError, StoreTrouble, StoreDamaged) as err:
        return twin_error(rid, _as_refusal(err))
    return packets.Publish(topics.twin_answer_topic(204, rid, version), b"")


def _twin_answer(status: int, rid: str, document: Json) -> packets.Publish:
    return packets.Publish(topics.twin_answer_topic(status, rid), dump_json(document).encode())


def _as_refusal(err: HubError | StoreTrouble | StoreDamaged) -> HubError:
    match err:
        case HubError():
            return err
        case StoreTrouble():
            return HubError(SERVICE_UNAVAILABLE, err.text)
        case StoreDamaged():
            logger.error("a device was not answered: %s", err.text)
            return HubError(SERVER_ERROR, err.text)
