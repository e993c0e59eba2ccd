"""Where a hub may listen, and by which names."""

from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.process.config import BadConfig, LocalHubConfig, read_dns_names


def config(**values: Any) -> LocalHubConfig:
    return LocalHubConfig(data_dir=Path("unused"), **values)


@pytest.mark.parametrize(
    ("bind", "addresses"),
    [
        ("127.0.0.1", ("127.0.0.1", "::1")),
        ("127.0.0.9", ("127.0.0.9",)),
        ("0.0.0.0", ("0.0.0.0", "::1")),
        ("192.168.1.5", ("192.168.1.5", "127.0.0.1", "::1")),
    ],
)
def test_a_hub_with_a_name_for_others_listens_where_it_is_told_and_at_localhost(
    bind: str, addresses: tuple[str, ...]
) -> None:
    hub = config(bind=bind, dns_names=("iothub",))
    assert hub.addresses == addresses
    assert hub.is_local is bind.startswith("127.")


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.168.1.5", "8.8.8.8"])
def test_beyond_loopback_it_needs_a_name_that_others_can_trust(bind: str) -> None:
    with pytest.raises(BadConfig, match=rf"^--bind {bind}: others .* --bind {bind} --dns-name iothub\.$"):
        config(bind=bind)


@pytest.mark.parametrize("bind", ["", "::", "::1", "localhost", "0", "127.1", "127.0.0.1/8"])
def test_an_address_is_one_of_ipv4(bind: str) -> None:
    with pytest.raises(BadConfig, match="give an IPv4 address"):
        config(bind=bind, dns_names=("iothub",))


def test_without_tls_nothing_is_served_beyond_loopback() -> None:
    with pytest.raises(BadConfig, match="--amqp-plain-port and --bind"):
        config(bind="0.0.0.0", dns_names=("iothub",), amqp_plain_port=0)
    config(dns_names=("iothub",), amqp_plain_port=0)


def test_names_are_read_once_each_and_a_bad_one_is_said_with_its_option() -> None:
    assert read_dns_names(["Hub.test", "iothub", "hub.test"]) == ("hub.test", "iothub")
    with pytest.raises(BadConfig, match="^--dns-name com: "):
        read_dns_names(["iothub", "com"])
    with pytest.raises(BadConfig, match="^--dns-name: 11 names; a hub has at most 10"):
        config(dns_names=tuple(f"hub-{number}" for number in range(11)))
