"""Which names a hub's certificate may have by request: none that somebody can have on the Internet."""

import pytest

from azext_iotjobs.localhub.rules.dns_names import BadDnsName, beyond_localhost, read_dns_name


@pytest.mark.parametrize(
    "name",
    [
        "iothub",
        "iot-hub-1",
        "test",
        "my.localhost",
        "printer.local",
        "host.docker.internal",
        "iothub.default.svc.cluster.local",
        "hub.test",
        "a.b.example",
        "hub.home.arpa",
        f"{'a' * 63}.test",
    ],
)
def test_names_that_nobody_has_elsewhere_are_taken(name: str) -> None:
    assert read_dns_name(name) == name


def test_a_name_is_taken_in_lower_case() -> None:
    assert read_dns_name("IoTHub") == "iothub"


@pytest.mark.parametrize(
    "name",
    [
        "login.microsoftonline.com",
        "myhub.azure-devices.net",
        "example.com",
        "hub.corp.contoso.com",
        "nottest.nolocal",
        "x.notlocal",
        "x.arpa",
        "hub.dev",
        "hub.localhost.com",
    ],
)
def test_a_name_that_somebody_may_have_on_the_internet_is_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(BadDnsName, match=rf"^{name}: somebody may have this name .*\(iothub\).*\.local,.*\.home\.arpa"):
        read_dns_name(name)


@pytest.mark.parametrize("name", ["com", "COM", "net", "app", "dev", "broker", "de", "io", "x", "xn--p1ai"])
def test_a_domain_of_the_internet_is_refused(name: str) -> None:
    with pytest.raises(BadDnsName, match=rf"^{name.lower()}: this is a domain of the Internet"):
        read_dns_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        ".test",
        "hub.",
        "hub..test",
        "*",
        "*.test",
        "a b",
        "hub_1",
        "-hub",
        "hub-.test",
        "127.0.0.1",
        "10.1",
        "7",
        "::1",
        "[::1]",
        "hub:8443",
        "https://hub",
        "hub/x",
        "hüb",
        "iothu\u212a",  # a k, in lower case
        "hub\n",
        "\x1b[31m",
        f"{'a' * 64}.test",
        f"{'a.' * 130}test",
    ],
)
def test_what_is_no_name_of_a_host_is_refused_in_plain_ascii(name: str) -> None:
    with pytest.raises(BadDnsName, match="this is not the name of a host") as refusal:
        read_dns_name(name)
    assert str(refusal.value).isascii() and str(refusal.value).isprintable()


def test_a_ca_needs_no_permission_for_what_is_below_localhost() -> None:
    assert beyond_localhost(("my.localhost", "iothub", "localhost", "hub.test", "iothub")) == ("hub.test", "iothub")
