"""Microsoft's service SDK for Node.js over AMQP: messages to devices, and feedback on them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.conformance.conftest import Open
from tests.helpers.driven import ClientError, Driven
from tests.helpers.official_sdks import needs_amqp_port, needs_https_port, needs_node, node_program

pytestmark = [needs_node, needs_https_port, needs_amqp_port]

OpenService = Callable[..., Driven]


@pytest.fixture
def open_service(hub: LocalHub) -> Iterator[OpenService]:
    """Opens service clients: open_service(webSocket=True, ...); they are closed at the end."""
    opened: list[Driven] = []

    def open_client(**options: Any) -> Driven:
        opened.append(node_program(hub, "c2d.js"))
        opened[-1].do("open", options)
        return opened[-1]

    yield open_client
    for each in opened:
        each.close()


def refused(service: Driven, *words: Any) -> str:
    """The class of the error that the SDK gives for this call."""
    with pytest.raises(ClientError) as refusal:
        service.do(*words)
    return refusal.value.name


def feedback_on(service: Driven, device: str) -> dict[str, Any]:
    """The next batch that is about one device."""
    return service.event("feedback", lambda batch: bool(batch["body"][0]["deviceId"] == device))


@pytest.mark.parametrize("web_socket", [False, True], ids=["TLS", "WebSocket"])
def test_a_message_reaches_its_device_and_feedback_comes_back(
    open_service: OpenService, open_node: Open, name: str, web_socket: bool
) -> None:
    service, device = open_service(webSocket=web_socket), open_node(name)
    device.do("listenForMessages")
    service.do("feedback")
    system = {"messageId": f"{name}-1", "correlationId": "c", "contentType": "text/plain", "contentEncoding": "utf-8"}
    service.do("send", name, "Grüße", {**system, "ack": "full"}, {"site": "north & south"})
    received = device.event("message")
    assert (received["body"], received["properties"]["site"]) == ("Grüße", "north & south")
    batch = feedback_on(service, name)
    assert batch["contentType"] == "application/vnd.microsoft.iothub.feedback.json"
    assert (batch["user"], "iothub-enqueuedtime" in batch["annotations"]) == ("local-hub", True)
    (record,) = batch["body"]
    assert (record["originalMessageId"], record["statusCode"]) == (f"{name}-1", "Success")


def test_feedback_that_is_abandoned_comes_again(open_service: OpenService, hub: LocalHub, name: str) -> None:
    hub.create_device(name)
    service = open_service()
    service.do("feedback", "abandon")
    service.do("send", name, "x", {"messageId": name, "ack": "negative"})
    hub.request("DELETE", f"/devices/{name}/commands")
    first = feedback_on(service, name)
    assert feedback_on(service, name)["body"] == first["body"]
    assert first["body"][0]["statusCode"] == "Purged"


def test_what_is_refused_has_the_name_that_is_caught(open_service: OpenService, hub: LocalHub, name: str) -> None:
    hub.create_device(name)
    service = open_service()
    assert refused(service, "send", f"{name}-gone", "x") == "DeviceNotFoundError"
    assert refused(service, "send", name, "x", {"ack": "perhaps"}) == "ArgumentError"
    assert refused(service, "send", name, "x" * 65_600) == "MessageTooLargeError"
    for number in range(50):
        service.do("send", name, str(number))
    assert refused(service, "send", name, "one more") == "DeviceMaximumQueueDepthExceededError"
    hub.request("DELETE", f"/devices/{name}/commands")
    service.do("send", name, "after that")


@pytest.mark.parametrize(
    ("key", "policy", "said"), [("A" * 43 + "=", "service", "signature"), (None, "nobody", "policy that this hub")]
)
def test_a_wrong_key_or_policy_is_an_unauthorized_error(
    hub: LocalHub, open_service: OpenService, key: str | None, policy: str, said: str
) -> None:
    own_key = hub.connection_string.partition("SharedAccessKey=")[2]
    wrong = f"HostName={hub.host_name};SharedAccessKeyName={policy};SharedAccessKey={key or own_key}"
    with pytest.raises(ClientError, match=said) as refusal:
        open_service(connectionString=wrong)
    assert refusal.value.name == "UnauthorizedError"


def test_a_service_is_told_of_an_uploaded_file(
    open_service: OpenService, open_node: Open, hub: LocalHub, name: str
) -> None:
    service, device = open_service(), open_node(name)
    service.do("files")
    device.do("upload", "log.txt", "uploaded")
    told = service.event("file", lambda each: bool(each["body"]["deviceId"] == name))
    assert told["contentType"] == "application/vnd.microsoft.iothub.filenotification.json"
    assert (told["body"]["blobName"], told["body"]["blobSizeInBytes"]) == (f"{name}/log.txt", 8)
