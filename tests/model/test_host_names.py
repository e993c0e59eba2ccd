"""The three host names of one hub: each follows from each, and what is no hub's name is left alone."""

import pytest

from azext_iotjobs.model.host_names import (
    HostKind,
    canonical_authority,
    canonical_host,
    host_of_kind,
    is_loopback,
    is_name_of,
    kind_of,
    name_to_look_up,
    names_that_follow,
)
from azext_iotjobs.model.target import HubTarget

ENDS = ["azure-devices.net", "azure-devices.cn", "azure-devices.us", "azure-devices-int.net", "localhost"]


@pytest.mark.parametrize("end", ENDS)
def test_each_name_leads_to_all_three_and_keeps_its_end(end: str) -> None:
    names = (f"my-hub.{end}", f"my-hub.device.{end}", f"my-hub.service.{end}")
    for name, kind in zip(names, HostKind, strict=True):
        assert kind_of(name) is kind
        assert tuple(names_that_follow(name)) == names
        assert host_of_kind(host_of_kind(name, HostKind.DEVICE) or "", kind) == name


def test_the_case_of_a_name_is_kept_and_does_not_matter() -> None:
    assert host_of_kind("MyHub.Device.Azure-Devices.NET", HostKind.SERVICE) == "MyHub.service.Azure-Devices.NET"
    assert kind_of("MYHUB.SERVICE.AZURE-DEVICES.NET") is HostKind.SERVICE


NO_HUBS = """
    api.service.consul x.device.example.com 10.0.0.7 127.0.0.9 localhost ::1 a.b.device.azure-devices.net device.service
""".split()


@pytest.mark.parametrize("host", [*NO_HUBS, "", "my hub.device.azure-devices.net"])
def test_what_is_no_hubs_name_has_no_other(host: str) -> None:
    assert kind_of(host) is HostKind.CLASSIC
    assert tuple(names_that_follow(host)) == (host, None, None)


def test_a_hub_may_be_called_device_or_service() -> None:
    for word in ("device", "service"):
        assert kind_of(f"{word}.azure-devices.net") is HostKind.CLASSIC
        assert host_of_kind(f"{word}.azure-devices.net", HostKind.DEVICE) == f"{word}.device.azure-devices.net"
        assert host_of_kind(f"{word}.{word}.azure-devices.net", HostKind.CLASSIC) == f"{word}.azure-devices.net"


def test_a_hub_is_known_again_under_every_name() -> None:
    for name in ("h.azure-devices.net", "H.device.azure-devices.net", "h.Service.azure-devices.net"):
        assert canonical_host(name) == "h.azure-devices.net"
        assert is_name_of("h", name) and is_name_of("h.service.azure-devices.net", name)
        assert not is_name_of("h.service.azure-devices.cn", name) and not is_name_of("g", name)
    for name in ("localhost", "127.0.0.1", "::1", "[::1]", "any.localhost", "any.service.localhost"):
        assert canonical_authority(f"{name}:8443" if name != "::1" else "[::1]:8443") == "localhost:8443"
    assert canonical_authority("127.0.0.9:8443") == "127.0.0.9:8443"
    assert canonical_authority("H.device.azure-devices.net") == "h.azure-devices.net"


def test_names_below_localhost_are_this_machine_and_names_that_begin_like_an_address_are_not() -> None:
    assert is_loopback("any.device.localhost") and is_loopback("127.8.9.10")
    assert not is_loopback("127.evil.example") and not is_loopback("localhost.example")
    assert name_to_look_up("any.device.localhost") == "localhost"
    assert name_to_look_up("h.device.azure-devices.net") == "h.device.azure-devices.net"


@pytest.mark.parametrize("kind", ["device", "service"])
def test_services_and_devices_of_a_split_name_go_to_their_own_host(kind: str) -> None:
    target = HubTarget.named(f"h.{kind}.azure-devices.net", 444)
    assert (target.authority, target.for_devices.authority) == (
        "h.service.azure-devices.net:444",
        "h.device.azure-devices.net:444",
    )
    assert target.canonical == target.for_devices.canonical == "h.azure-devices.net:444"


def test_a_classic_name_stays_as_it_is() -> None:
    target = HubTarget.named("h.azure-devices.net")
    assert (target.host, target.for_devices.host) == ("h.azure-devices.net", "h.azure-devices.net")
