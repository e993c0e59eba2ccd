"""Which ports a hub listens at."""

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from azext_iotjobs.localhub.process.config import AMQP_PORT, LocalHubConfig
from azext_iotjobs.localhub.process.sockets import HubSockets, listen_for_all
from tests.helpers.official_sdks import own_address

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have 127.0.0.1 alone")


@contextmanager
def listening(address: str, *, amqp_plain_port: int | None = None) -> Iterator[HubSockets]:
    """The sockets of a hub at an address of its own."""
    config = LocalHubConfig(
        https_port=0,
        mqtt_port=0,
        amqp_plain_port=amqp_plain_port,
        bind=address,
        data_dir=Path("unused"),
    )
    sockets = listen_for_all(config)
    try:
        yield sockets
    finally:
        for each in sockets:
            for sock in each:
                sock.close()


def test_amqp_has_its_usual_port_and_none_without_tls() -> None:
    with listening(own_address(7)) as sockets:
        assert (sockets.ports.amqp, sockets.ports.amqp_plain) == (AMQP_PORT, None)


def test_amqp_has_another_port_where_its_usual_one_is_taken_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server((own_address(8), AMQP_PORT)), caplog.at_level(logging.WARNING):
        with listening(own_address(8), amqp_plain_port=0) as sockets:
            ports = sockets.ports
            assert ports.amqp not in (AMQP_PORT, ports.amqp_plain) and ports.amqp_plain is not None
    (line,) = [each.getMessage() for each in caplog.records]
    assert str(AMQP_PORT) in line and str(ports.amqp) in line
