"""One hub for Microsoft's SDKs; each test uses devices and jobs of its own."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.helpers.driven import Driven
from tests.helpers.official_sdks import (
    ADDRESS,
    AMQP_PORT,
    HTTPS_PORT,
    MQTT_PORT,
    has_https_port,
    node_program,
    python_device,
)

_numbers = itertools.count(1)
Open = Callable[..., Driven]


@pytest.fixture(scope="session")
def hub() -> Iterator[LocalHub]:
    """A hub on the ports that SDKs dial; HTTPS on any port where 443 may not be bound."""
    https = str(HTTPS_PORT if has_https_port else 0)
    ports = ("--https-port", https, "--mqtt-port", str(MQTT_PORT), "--amqp-port", str(AMQP_PORT))
    with LocalHub("--bind", ADDRESS, *ports) as hub:
        yield hub


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"thing-{next(_numbers)}"


@pytest.fixture
def open_python(hub: LocalHub) -> Iterator[Open]:
    """Opens devices made of the Python SDK: open_python("id", webSocket=True, ...); they are closed at the end."""
    opened: list[Driven] = []

    def open_device(device: str, **options: Any) -> Driven:
        hub.create_device(device)
        opened.append(python_device())
        connection_string = hub.device_connection_string(device)
        opened[-1].do("open", {"connectionString": connection_string, "ca": hub.ca_certificate_path, **options})
        return opened[-1]

    yield open_device
    for each in opened:
        each.close()


@pytest.fixture
def open_node(hub: LocalHub) -> Iterator[Open]:
    """Opens devices made of the Node.js SDK: open_node("id", webSocket=True, ...); they are closed at the end."""
    opened: list[Driven] = []

    def open_device(device: str, **options: Any) -> Driven:
        hub.create_device(device)
        opened.append(node_program(hub, "device.js"))
        opened[-1].do("open", {"connectionString": hub.device_connection_string(device), **options})
        return opened[-1]

    yield open_device
    for each in opened:
        each.close()


@pytest.fixture
def open_amqp(hub: LocalHub) -> Iterator[Open]:
    """Opens devices made of the Node.js SDK over AMQP: open_amqp("id", ...); they are closed at the end."""
    opened: list[Driven] = []

    def open_device(device: str, **options: Any) -> Driven:
        hub.create_device(device)
        opened.append(node_program(hub, "device.js", "amqp"))
        opened[-1].do("open", {"connectionString": hub.device_connection_string(device), **options})
        return opened[-1]

    yield open_device
    for each in opened:
        each.close()


@pytest.fixture(scope="session")
def service(hub: LocalHub) -> Iterator[Driven]:
    """Microsoft's service SDK for Node.js."""
    with node_program(hub, "service.js") as program:
        yield program
