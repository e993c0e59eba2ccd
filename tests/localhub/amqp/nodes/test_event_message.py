"""Events as messages: the fast way gives what the general decoder reads, whatever devices send."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp.nodes.event_message import encode_event, encode_metrics
from azext_iotjobs.localhub.amqp.wire.message import decode_message
from azext_iotjobs.localhub.engine.event_log import PartitionState
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceEvent, DeviceMessage, Sender
from tests.helpers.event_logs import NOW
from tests.helpers.short_form import examples

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
SYSTEM = {
    "messageId": "message_id",
    "to": "to",
    "correlationId": "correlation_id",
    "contentType": "content_type",
    "contentEncoding": "content_encoding",
}
ANNOTATIONS = {"componentName": "dt-subject", "interfaceId": "iothub-interface-id"}
NAMES = st.sampled_from([*SYSTEM, *ANNOTATIONS, "userId", "outputName"])


@examples(200, 5000)
@given(
    body=st.binary(max_size=600),
    properties=st.dictionaries(TEXTS, st.none() | TEXTS, max_size=5),
    system=st.dictionaries(NAMES, TEXTS, max_size=8),
    number=st.integers(0, 2**40),
    module=st.none() | st.just("m"),
)
def test_what_a_device_sent_is_what_a_consumer_reads(
    body: bytes, properties: dict[str, str | None], system: dict[str, str], number: int, module: str | None
) -> None:
    sender = Sender(address=Address("d", module), auth_method=AuthMethod.DEVICE_KEY, generation_id="g")
    sent = DeviceMessage(body=body, properties=properties, system=system)
    event = DeviceEvent(
        number=1,
        partition=0,
        sequence_number=number,
        enqueued_at=NOW + timedelta(microseconds=1999),
        sender=sender,
        message=sent,
    )
    message = decode_message(encode_event(event))
    assert message.body == body
    assert message.application_properties == properties
    for name, field in SYSTEM.items():
        assert getattr(message.properties, field) == system.get(name)
    assert message.properties.user_id == (system["userId"].encode() if "userId" in system else None)
    annotations = message.annotations
    assert (annotations["x-opt-sequence-number"], annotations["x-opt-offset"]) == (number, event.offset)
    assert annotations["x-opt-enqueued-time"] == annotations["iothub-enqueuedtime"] == NOW.timestamp() * 1000 + 1
    assert {name: annotations.get(name) for name in ANNOTATIONS.values()} == {
        name: system.get(given) for given, name in ANNOTATIONS.items()
    }
    assert annotations.get("iothub-connection-module-id") == module


def test_metrics_stand_in_front_of_an_event() -> None:
    sender = Sender(address=Address("d"), auth_method=AuthMethod.DEVICE_KEY, generation_id="g")
    sent = DeviceMessage(body=b"x", properties={}, system={})
    event = DeviceEvent(number=1, partition=0, sequence_number=0, enqueued_at=NOW, sender=sender, message=sent)
    state = PartitionState(begin=0, last=7, last_enqueued_at=NOW, is_empty=False)
    message = decode_message(encode_metrics(state, NOW) + encode_event(event))
    assert message.delivery_annotations["last_enqueued_sequence_number"] == 7
    assert message.body == b"x"
