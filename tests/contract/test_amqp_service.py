"""What services do over AMQP: sign in, send messages to devices, receive feedback; and are told what is wrong."""

import json
from collections.abc import Callable

import pytest

from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, AmqpError, Rejected, Released
from tests.helpers.amqp_service import C2D, FEEDBACK, AmqpService
from tests.helpers.amqp_socket import SignInRefused
from tests.helpers.any_hub import AnyHub, sas
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice

Connect = Callable[..., MqttDevice]
WRONG_KEY = "A" * 43 + "="


def signed_in(hub: AnyHub, policy: str | None = None) -> AmqpService:
    return AmqpService(hub, user(hub, policy), hub.token(policy))


def user(hub: AnyHub, policy: str | None = None) -> str:
    """The name of a policy, as SASL PLAIN has it."""
    return f"{policy or hub.policy}@sas.root.{hub.host.partition('.')[0]}"


def condition_of(answer: object) -> str | None:
    error = answer.error if isinstance(answer, Rejected) else answer
    assert isinstance(error, AmqpError), answer
    return error.condition


def test_a_message_reaches_its_device_and_feedback_comes_back(hub: AnyHub, name: str, connect: Connect) -> None:
    device = connect(name)
    device.subscribe(f"devices/{name}/messages/devicebound/#", qos=1)
    with signed_in(hub) as service:
        outcome = service.send_to(name, b'{"a": 1}', "full", message_id=f"{name}-1", content_type="application/json")
        assert outcome == Accepted()
        topic, payload = device.next()
        assert payload == {"a": 1} and f"{name}-1" in topic
        assert service.attach_receiver(FEEDBACK) is None
        records: list[dict[str, str]] = []
        while not records:
            batch = service.receive()
            assert batch.message.properties.content_type == "application/vnd.microsoft.iothub.feedback.json"
            records = [each for each in json.loads(batch.message.body) if each["deviceId"] == name]
            service.settle(batch)
    assert [(each["originalMessageId"], each["statusCode"]) for each in records] == [(f"{name}-1", "Success")]


def test_a_token_that_is_put_on_cbs_lets_a_service_send(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    with AmqpService(hub) as service:
        assert condition_of(service.attach_sender(C2D)) == "amqp:unauthorized-access"
        assert service.put_token(hub.token())[0] == 200
        assert service.send_to(name, b"x") == Accepted()


def test_a_wrong_key_is_refused_by_sasl_and_on_cbs(hub: AnyHub) -> None:
    token = sas(WRONG_KEY, hub.host, policy=hub.policy)
    with pytest.raises(SignInRefused):
        AmqpService(hub, user(hub), token)
    with AmqpService(hub) as service:
        assert service.put_token(token)[0] == 401


@pytest.mark.local_hub("needs the keys of all policies")
def test_a_policy_without_service_connect_may_neither_send_nor_receive(hub: HubProcess) -> None:
    with signed_in(hub, "registryRead") as service:
        assert condition_of(service.attach_sender(C2D)) == "amqp:unauthorized-access"
        assert condition_of(service.attach_receiver(FEEDBACK)) == "amqp:unauthorized-access"


def test_a_message_to_nobody_is_rejected_and_the_link_stays(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    with signed_in(hub) as service:
        assert condition_of(service.send_to(f"{name}-gone", b"x")) == "amqp:not-found"
        assert service.send_to(name, b"x") == Accepted()


def test_events_are_read_elsewhere_and_where_is_said(hub: AnyHub) -> None:
    with signed_in(hub) as service:
        answer = service.attach_receiver("/messages/events/$management")
        assert condition_of(answer) == "amqp:link:redirect"
        assert answer is not None and answer.info is not None
        told = {str(name): value for name, value in answer.info.items()}
        assert told["address"].startswith(f"amqps://{told['hostname']}")
        assert told["address"].endswith("/$management")


@pytest.mark.local_hub("fills a queue with what only a local hub takes at once")
def test_a_full_queue_is_a_limit_of_resources(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    with signed_in(hub) as service:
        assert {type(service.send_to(name, b"x")) for _ in range(50)} == {Accepted}
        assert condition_of(service.send_to(name, b"x")) == "amqp:resource-limit-exceeded"
    assert hub.ok("GET", f"/twins/{name}")["cloudToDeviceMessageCount"] == 50


@pytest.mark.local_hub("takes all feedback of the hub, which others may want")
def test_feedback_that_is_released_comes_again_and_goes_to_another_when_the_link_ends(
    hub: HubProcess, name: str
) -> None:
    hub.new_device(name)
    with signed_in(hub) as service:
        service.attach_receiver(FEEDBACK)
        service.send_to(name, b"x", "full", message_id=name)
        hub.ok("DELETE", f"/devices/{name}/commands")
        first = service.receive()
        service.settle(first, Released())
        again = service.receive()
        assert json.loads(again.message.body) == json.loads(first.message.body)
    with signed_in(hub) as other:
        other.attach_receiver(FEEDBACK)
        last = other.receive()
        assert [each["originalMessageId"] for each in json.loads(last.message.body)] == [name]
        other.settle(last)


@pytest.mark.local_hub("the service has an endpoint of its own for Event Hubs clients")
def test_a_policys_name_and_key_sign_in_who_reads_events_and_nobody_else(hub: HubProcess) -> None:
    key = hub.key("service")
    with AmqpService(hub, "service", key) as service:
        assert service.attach_receiver("local-hub/ConsumerGroups/$Default/Partitions/0") is None
        assert condition_of(service.attach_sender(C2D)) == "amqp:unauthorized-access"
    with pytest.raises(SignInRefused):
        AmqpService(hub, "service", WRONG_KEY)
