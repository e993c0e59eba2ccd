"""Under which names a hub answers, and which of them is for whom."""

import pytest

from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.host_names import ClientKind, HostNames

NAMES = HostNames("127.0.0.1", 8443, 8883)


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "127.0.0.1",
        "::1",
        "[::1]",
        "local-hub.localhost",
        "Local-Hub.Device.localhost",
        "x.service.localhost",
    ],
)
@pytest.mark.parametrize("port", ["", ":8443", ":8883"])
def test_a_hub_answers_under_its_names_with_and_without_its_ports(name: str, port: str) -> None:
    assert f"{name}{port}" in NAMES


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localhost:443",
        "h.azure-devices.net",
        "h.device.azure-devices.net",
        "127.0.0.2",
        "localhost.example",
        "a.b.localhost",
        "a.device.service.localhost",
        ".localhost",
        "x.device.localhost:1",
    ],
)
def test_it_answers_under_no_other(name: str) -> None:
    assert name not in NAMES


def test_a_hub_at_another_address_is_not_localhost_itself() -> None:
    other = HostNames("127.0.0.9", 8443, 8883)
    assert "127.0.0.9:8443" in other and "localhost" not in other and "127.0.0.1" not in other


@pytest.mark.parametrize("side", ClientKind)
def test_a_name_that_is_for_one_side_refuses_the_other_and_names_the_right_one(side: ClientKind) -> None:
    (other,) = {*ClientKind} - {side}
    for host in ("localhost:8443", "h.localhost", f"h.{side.value}.localhost:8443", "10.0.0.1", "device.localhost"):
        NAMES.check_client(host, side)
    with pytest.raises(HubError, match=rf"h\.{side.value}\.localhost"):
        NAMES.check_client(f"H.{other.value}.localhost:8443", side)


ELSEWHERE = HostNames("0.0.0.0", 8443, 8883, dns_names=["iothub", "hub.test"])


@pytest.mark.parametrize(
    "name", ["iothub", "IoTHub:8443", "hub.test:8883", "localhost", "127.0.0.1:8443", "a.localhost"]
)
def test_a_hub_that_others_reach_has_the_names_that_it_was_given_and_those_of_this_machine(name: str) -> None:
    assert name in ELSEWHERE


@pytest.mark.parametrize("name", ["0.0.0.0", "x.iothub", "test", "iothub.test", "iothub.device.localhost.x"])
def test_a_name_that_was_given_brings_no_other_with_it(name: str) -> None:
    assert name not in ELSEWHERE and "iothub" not in NAMES


@pytest.mark.parametrize("side", ClientKind)
def test_a_name_that_was_given_is_for_devices_and_services(side: ClientKind) -> None:
    ELSEWHERE.check_client("iothub:8443", side)


@pytest.mark.parametrize(
    ("called", "known"),
    [("iothub", "iothub"), ("HUB.test:8883", "hub.test"), ("localhost:8443", "localhost"), (None, "localhost")],
)
def test_a_client_is_sent_on_to_a_name_that_it_knows(called: str | None, known: str) -> None:
    assert ELSEWHERE.known_to(called) == known
    assert HostNames("127.0.0.9", 8443, dns_names=["iothub"]).known_to("127.0.0.9") == "127.0.0.9"


def test_a_hub_that_has_names_by_request_may_be_reached_through_any_port_as_published_ones_of_a_container_are() -> None:
    assert all(name in ELSEWHERE for name in ("localhost:32768", "iothub:40000", "127.0.0.1:1", "::1", "[::1]:32768"))
    assert "localhost:32768" not in NAMES and "elsewhere:32768" not in ELSEWHERE
