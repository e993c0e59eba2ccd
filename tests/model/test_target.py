import base64

import pytest

from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.target import DeviceKey, HubTarget, SasKey, parse_connection_string

KEY = base64.b64encode(bytes(range(31))).decode()  # ends in "=="
SERVICE = f"HostName=myhub.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}"


def test_a_service_string_is_read_with_the_equals_signs_of_its_key() -> None:
    read = parse_connection_string(SERVICE)
    assert (read.host, read.https_port, read.policy, read.key) == ("myhub.azure-devices.net", 443, "iothubowner", KEY)
    assert read.sas_key() == SasKey(policy="iothubowner", key=KEY)


def test_a_port_after_the_host_is_read() -> None:
    read = parse_connection_string(SERVICE.replace("myhub.azure-devices.net", "localhost:8443"))
    assert (read.host, read.https_port, read.authority) == ("localhost", 8443, "localhost:8443")


def test_a_module_string_is_read() -> None:
    read = parse_connection_string(f"HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey={KEY}")
    assert (read.device_id, read.module_id, read.policy) == ("d", "m", None)


@pytest.mark.parametrize(
    "text",
    [
        SERVICE.lower().replace(KEY.lower(), KEY),
        f"  {SERVICE}\n",
        f'"{SERVICE}"',
        f"'{SERVICE}'",
        f"{SERVICE};",
        SERVICE.replace(";", "; "),
    ],
)
def test_case_quotes_and_white_space_do_not_matter(text: str) -> None:
    assert parse_connection_string(text).key == KEY


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "HostName"),
        (f"SharedAccessKey={KEY}", "HostName"),
        (f"HostName=;SharedAccessKey={KEY}", "HostName"),
        (f"HostName=h:x;SharedAccessKey={KEY}", "port"),
        (f"HostName=h:70000;SharedAccessKey={KEY}", "port"),
        (f"{SERVICE};SharedAccessKey={KEY}", "SharedAccessKey twice"),
        (f"{SERVICE};Colour={KEY}", "none of"),
        (f"HostName=h;{KEY}", "none of"),
        (f"HostName=h;SharedAccessKeyName=p;SharedAccessKey=%{KEY}", "SharedAccessKey is not base64"),
    ],
)
def test_a_broken_string_is_refused_by_part_and_never_shows_a_key(text: str, named: str) -> None:
    with pytest.raises((BadValue, MissingChoice), match=named) as raised:
        parse_connection_string(text)
    assert KEY not in f"{raised.value!r} {raised.value} {raised.value.hint}"


def test_a_device_string_holds_no_policy_key() -> None:
    with pytest.raises(MissingChoice, match="SharedAccessKeyName"):
        parse_connection_string(f"HostName=h;DeviceId=d;SharedAccessKey={KEY}").sas_key()


def test_secrets_do_not_show() -> None:
    for holder in (SasKey(policy="p", key=KEY), DeviceKey(device_id="d", key=KEY), parse_connection_string(SERVICE)):
        assert KEY not in f"{holder!r} {holder}"


def test_the_authority_has_a_port_only_where_it_is_not_443() -> None:
    assert HubTarget(host="h").authority == "h"
    assert HubTarget(host="h", https_port=8443).authority == "h:8443"
