"""Messages to devices and feedback, as the hub has them over AMQP."""

import json
from datetime import datetime, timezone

import pytest

from azext_iotjobs.clients.feedback_codec import parse_feedback, render_c2d_message
from azext_iotjobs.clients.service_messages import DEVICEBOUND, FEEDBACK, ServiceMessagesClient
from azext_iotjobs.model.amqp import AmqpEndpoint, AmqpMessage
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.model.message import Ack, NewC2dMessage
from azext_iotjobs.model.target import SasKey
from tests.helpers.amqp_double import AmqpDouble
from tests.helpers.clock_double import ClockDouble

KEY = SasKey(policy="service", key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
RECORD = {"originalMessageId": "m1", "deviceId": "Pump-1", "statusCode": "Success", "description": "Success"}


def feedback(*records: object) -> AmqpMessage:
    return AmqpMessage(body=json.dumps(records).encode())


def test_a_message_has_the_properties_that_were_given() -> None:
    made = render_c2d_message(
        NewC2dMessage(
            body=b"x",
            properties={"site": "north"},
            message_id="m1",
            content_type="text/plain",
            expires_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
            ack=Ack.FULL,
        ),
        "pump-1",
    )
    assert made.properties == {
        "message_id": "m1",
        "to": "/devices/pump-1/messages/devicebound",
        "content_type": "text/plain",
        "absolute_expiry_time": 1767225600000,
    }
    assert (made.body, made.application) == (b"x", {"site": "north", "iothub-ack": "full"})


def test_without_ack_no_feedback_is_asked_for() -> None:
    made = render_c2d_message(NewC2dMessage(body=b"", properties={}, message_id="m"), "d")
    assert made.application == {"iothub-ack": "none"}


def test_feedback_is_a_list_of_records() -> None:
    (record,) = parse_feedback(feedback(RECORD))
    assert (record.message_id, record.device_id, record.is_success) == ("m1", "Pump-1", True)
    assert record.document == RECORD
    (expired,) = parse_feedback(feedback({"originalMessageId": "m2", "statusCode": "Expired"}))
    assert not expired.is_success


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000])
def test_what_is_no_feedback_is_a_fault(body: bytes) -> None:
    with pytest.raises(HubFault, match="feedback"):
        parse_feedback(AmqpMessage(body=body))


def test_the_client_sends_and_receives_over_one_connection() -> None:
    link = AmqpDouble()
    client = ServiceMessagesClient(AmqpEndpoint("hub"), KEY, ClockDouble(), link)
    client.send(NewC2dMessage(body=b"x", properties={}, message_id="m1"), "pump-1")
    assert [address for address, _ in link.sent] == [DEVICEBOUND]
    assert link.opened_with is not None and link.opened_with[1].audience == "hub"
    client.follow_feedback()
    (receiver,) = link.receivers
    receiver.put(feedback(RECORD))
    (batch,) = client.feedback()
    assert (receiver.address, receiver.accepted) == (FEEDBACK, [])
    batch.accept()
    assert receiver.accepted == [0] and len(link.receivers) == 1
    client.close()
    assert link.is_closed
