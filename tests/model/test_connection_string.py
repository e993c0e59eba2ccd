import base64
from datetime import datetime, timezone

import pytest

from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.entra import AadLogin, BearerToken
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.target import HubTarget, SasKey, SasToken

KEY = base64.b64encode(bytes(range(31))).decode()  # ends in "=="
SIGNED = "SharedAccessSignature sr=myhub.azure-devices.net&sig=a%2Bb%3D&se=1900000000"
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
        (f"HostName=h;SharedAccessKey={KEY};SharedAccessSignature={SIGNED}", "give one of them"),
        (f"HostName=h;SharedAccessSignature={KEY}", "not a shared access signature"),
        (
            f"HostName=h;SharedAccessSignature=SharedAccessSignature sr=h&sig={KEY}&se=soon",
            "not a shared access signature",
        ),
        (f"HostName=h;SharedAccessSignature=SharedAccessSignature sr=h2&sig={KEY}&se=1", "is for 'h2'"),
    ],
)
def test_a_broken_string_is_refused_by_part_and_never_shows_a_key(text: str, named: str) -> None:
    with pytest.raises((BadValue, MissingChoice), match=named) as raised:
        parse_connection_string(text)
    assert KEY not in f"{raised.value!r} {raised.value} {raised.value.hint}"


def test_a_device_string_holds_no_policy_key() -> None:
    with pytest.raises(MissingChoice, match="SharedAccessKeyName"):
        parse_connection_string(f"HostName=h;DeviceId=d;SharedAccessKey={KEY}").sas_key()


def test_a_policys_token_is_read_with_its_end_and_stays_as_it_was() -> None:
    text = f"{SIGNED}&skn=iot%20hub"
    read = parse_connection_string(f"HostName=myHub.azure-devices.net;SharedAccessSignature={text}")
    ends = datetime.fromtimestamp(1900000000, tz=timezone.utc)
    assert read.credential() == read.token == SasToken(policy="iot hub", expires_at=ends, text=text)


def test_a_devices_token_is_no_service_credential() -> None:
    read = parse_connection_string(f"HostName=myhub.azure-devices.net;SharedAccessSignature={SIGNED}")
    assert read.token is None
    with pytest.raises(MissingChoice):
        read.credential()


def test_secrets_do_not_show() -> None:
    ends = datetime.fromtimestamp(0, tz=timezone.utc)
    token = BearerToken(expires_at=ends, text=KEY)
    holders = (
        SasKey(policy="p", key=KEY),
        DeviceKey(device_id="d", key=KEY),
        parse_connection_string(SERVICE),
        token,
        SasToken(policy="p", expires_at=ends, text=KEY),
        AadLogin(fetch=lambda: token),
    )
    for holder in holders:
        assert KEY not in f"{holder!r} {holder}"


def test_the_authority_has_a_port_only_where_it_is_not_443() -> None:
    assert HubTarget(host="h").authority == "h"
    assert HubTarget(host="h", https_port=8443).authority == "h:8443"


@pytest.mark.parametrize("named", ["myhub.device.azure-devices.net", "myhub.service.azure-devices.net"])
@pytest.mark.parametrize("signed", ["myhub.service.azure-devices.net", "myhub.azure-devices.net"])
def test_a_policys_token_is_used_at_the_host_that_it_is_for(named: str, signed: str) -> None:
    text = f"SharedAccessSignature sr={signed}&sig=a%3D&se=1900000000&skn=p"
    read = parse_connection_string(f"HostName={named};SharedAccessSignature={text}")
    assert HubTarget.named(read.host).host == signed


def test_a_policys_token_for_the_device_host_is_refused_with_the_name_that_services_call() -> None:
    host = "myhub.device.azure-devices.net"
    text = f"SharedAccessSignature sr={host}&sig=a%3D&se=1900000000&skn=p"
    with pytest.raises(BadValue, match=r"services call myhub\.service\.azure-devices\.net") as raised:
        parse_connection_string(f"HostName={host};SharedAccessSignature={text}")
    assert "hostname_type=service" in str(raised.value.hint) and "a%3D" not in f"{raised.value}"
    own = text.removesuffix("&skn=p")
    assert parse_connection_string(f"HostName={host};DeviceId=d;SharedAccessSignature={own}").host == host


@pytest.mark.parametrize("host", ["h/x", "h?x", "h#x", "user@h", "h\\x", "h y", "h\r\nX-Evil: 1", "h%2fx", "h/x:443"])
def test_a_host_that_would_be_more_than_a_host_in_a_url_is_refused(host: str) -> None:
    with pytest.raises(BadValue, match="HostName=.*give a host name"):
        parse_connection_string(f"HostName={host};SharedAccessKeyName=p;SharedAccessKey={KEY}")


@pytest.mark.parametrize("more", ["\r\nX-Evil: 1", "\x00", "\u00e9", "\U0001f642"])
def test_a_signature_that_no_header_carries_is_refused_and_not_shown(more: str) -> None:
    signed = f"SharedAccessSignature sr=myhub.azure-devices.net&sig=c2VjcmV0&se=1900000000&skn=p{more}x"
    with pytest.raises(BadValue, match="not a shared access signature") as caught:
        parse_connection_string(f"HostName=myhub.azure-devices.net;SharedAccessSignature={signed}")
    assert "c2VjcmV0" not in f"{caught.value} {caught.value.hint}"
