"""A process that may open no more files says so, and blames neither the host nor its name."""

import os
import resource
from collections.abc import Iterator

import pytest

from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import CannotConnect
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport.http import HttpTransport, Request
from azext_iotjobs.transport.mqtt import MqttTransport
from azext_iotjobs.transport.mqtt_events import Failed, MqttLogin
from azext_iotjobs.transport.open_files import too_few_files

GET = Request(method="GET", path="/devices")


@pytest.fixture
def no_more_files(request: pytest.FixtureRequest) -> Iterator[None]:
    """All files that may be open are; what the test itself needs is open already."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 5, before[1]))
    taken: list[int] = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    yield
    for each in taken:
        os.close(each)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "no-such-host.invalid"])
def test_an_https_request_says_when_no_file_may_be_opened(no_more_files: None, host: str) -> None:
    transport = HttpTransport(HubTarget(host=host, https_port=9), SasKey(policy="p", key="YQ=="), SystemClock())
    with pytest.raises(CannotConnect, match="may open no more files") as raised:
        transport.send(GET)
    assert "ulimit -n" in str(raised.value.hint)


@pytest.fixture
def transport() -> Iterator[MqttTransport]:
    transport = MqttTransport(HubTarget(host="127.0.0.1", mqtt_port=9), SystemClock())
    yield transport
    transport.close()


def test_an_mqtt_connection_says_when_no_file_may_be_opened(transport: MqttTransport, no_more_files: None) -> None:
    transport.connect("d", MqttLogin(client_id="d", username="u", password="p"))
    seen: list[object] = []
    for _ in range(100):
        seen += transport.receive(0.1)
        if seen:
            break
    (event,) = seen
    assert isinstance(event, Failed)
    assert "may open no more files" in str(event.error) and "ulimit -n" in str(event.error.hint)


@pytest.mark.parametrize(
    ("devices", "said"), [(1, "1 device needs 20 open files"), (2, "2 devices need 20 open files")]
)
def test_one_device_needs_and_several_need(devices: int, said: str) -> None:
    assert str(too_few_files(devices, 20, 10)).startswith(said)
