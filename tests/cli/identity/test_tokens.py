"""Connection strings of hubs and tokens: which policy's, which key's, of which hub. Resource Manager is a double."""

from typing import Any
from urllib.parse import parse_qs

import pytest

from azext_iotjobs.cli.hub_access.policies import UnresolvedHub
from azext_iotjobs.cli.hub_access.resolve import HubArguments, choose_hub
from azext_iotjobs.cli.identity.tokens import generate_sas_token, show_connection_string
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, NotFound
from azext_iotjobs.model.target import SasKey
from tests.helpers.azure_double import LIST, AzureDouble, hub_item, with_hubs

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER_KEY = "/wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HOST = "myhub-7f.azure-devices.net"
EVENTS = {"eventHubEndpoints": {"events": {"endpoint": "sb://ns.servicebus.windows.net/", "path": "p"}}}
LOGIN = f"HostName={HOST};SharedAccessKeyName=service;SharedAccessKey={KEY}"


def typed(azure: AzureDouble | None = None, *, environment: str | None = None, **arguments: Any) -> UnresolvedHub:
    return UnresolvedHub(arguments, None, (azure or AzureDouble()).login(), environment)


def azure(**properties: Any) -> AzureDouble:
    double = with_hubs([hub_item("other", "other.azure-devices.net"), hub_item("myHub", HOST, **properties)], KEY)
    for answer in double.answers.values():
        for item in answer[1]["value"]:
            if "keyName" in item:
                item["secondaryKey"] = OTHER_KEY
    return double


def shown(hub: UnresolvedHub, **more: Any) -> Any:
    result = show_connection_string(hub, **more)
    return result["connectionString"] if isinstance(result, dict) else result


def test_a_policy_of_a_hub_that_azure_knows_is_shown_with_either_key() -> None:
    owners = f"HostName={HOST};SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}"
    assert shown(typed(azure(), our_hub_name="MYHUB")) == owners
    assert shown(typed(azure(), our_hub_name="myHub"), our_policy_name="Service", our_key_type="secondary") == (
        f"HostName={HOST};SharedAccessKeyName=service;SharedAccessKey={OTHER_KEY}"
    )
    assert len(shown(typed(azure(), our_hub_name="myHub"), our_show_all=True)) == 5
    with pytest.raises(BadValue, match="hub myHub has no such policy; it has: iothubowner, service"):
        shown(typed(azure(), our_hub_name="myHub"), our_policy_name="mine")
    with pytest.raises(NotFound, match="no such hub"):
        shown(typed(azure(), our_hub_name="nobody"))


def test_what_a_typed_hub_resolves_with_can_ask_azure() -> None:
    double = azure()
    arguments = HubArguments(hub="myHub", login=None, group=None, auth=None)
    chosen = choose_hub(arguments, typed(double, our_hub_name="myHub").context())
    assert (chosen.target.authority, chosen.credential) == (HOST, SasKey(policy="iothubowner", key=KEY))
    assert double.sent[0] == ("GET", LIST)


def test_the_events_endpoint_is_shown_with_policies_that_may_read_from_it() -> None:
    string = shown(typed(azure(**EVENTS), our_hub_name="myHub"), our_default_eventhub=True, our_policy_name="service")
    endpoint = "Endpoint=sb://ns.servicebus.windows.net/"
    assert string == f"{endpoint};SharedAccessKeyName=service;SharedAccessKey={KEY};EntityPath=p"
    assert len(shown(typed(azure(**EVENTS), our_hub_name="myHub"), our_default_eventhub=True, our_show_all=True)) == 2
    with pytest.raises(BadValue, match="lacks ServiceConnect"):
        shown(typed(azure(**EVENTS), our_hub_name="myHub"), our_default_eventhub=True, our_policy_name="device")
    with pytest.raises(BadValue, match="--login does not say"):
        shown(typed(our_login=LOGIN), our_default_eventhub=True)


def test_without_a_name_every_hub_is_listed_and_those_that_cannot_be_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    double = azure()
    items = [hub_item("new", "", state="Activating"), hub_item("closed", "c.azure-devices.net", disableLocalAuth=True)]
    double.answers[LIST][1]["value"].extend(items)
    rows = shown(typed(double))
    assert [each["name"] for each in rows] == ["other", "myHub"]
    assert rows[1]["connectionString"].startswith(f"HostName={HOST};")
    assert "new is left out: it has no host name; its state is Activating" in caplog.text
    assert "closed is left out: Hub closed accepts no keys" in caplog.text
    assert shown(typed(double), our_policy_name="mine") == []


def test_the_environment_stands_for_a_hub_that_is_not_typed_and_for_its_own_name() -> None:
    for arguments in ({}, {"our_hub_name": HOST}, {"our_hub_name": "myhub-7F"}):
        double = azure()
        assert shown(typed(double, environment=LOGIN, **arguments)) == LOGIN
        assert double.sent == []
    assert "other.azure" in shown(typed(azure(), environment=LOGIN, our_hub_name="other"))


@pytest.mark.parametrize("more", [{"our_policy_name": "device"}, {"our_key_type": "secondary"}])
def test_a_connection_string_is_of_one_policy_and_one_key(more: dict[str, str]) -> None:
    with pytest.raises(BadValue, match="--login has"):
        shown(typed(our_login=LOGIN), **more)
    assert KEY not in repr(typed(our_login=LOGIN))


def test_a_token_of_a_hub_names_the_host_and_policy_named() -> None:
    token = generate_sas_token(typed(azure(), our_hub_name="myHub"), our_policy_name="service", our_duration=60)["sas"]
    fields = parse_qs(token.removeprefix("SharedAccessSignature "))
    assert (fields["sr"], fields["skn"]) == ([HOST], ["service"])


@pytest.mark.parametrize(
    ("string", "resource", "policy"),
    [
        ("HostName=h;SharedAccessKeyName=p;SharedAccessKey=", "h", ["p"]),
        ("HostName=h;DeviceId=d 1;SharedAccessKey=", "h/devices/d 1", None),
        ("HostName=h:8443;DeviceId=d;ModuleId=m;SharedAccessKey=", "h/devices/d/modules/m", None),
    ],
)
def test_a_token_is_made_of_any_connection_string_without_a_hub(
    string: str, resource: str, policy: list[str] | None
) -> None:
    token = generate_sas_token(typed(environment=LOGIN), our_connection_string=string + KEY)["sas"]
    fields = parse_qs(token.removeprefix("SharedAccessSignature "))
    assert (fields["sr"], fields.get("skn")) == ([resource], policy)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"our_module_id": "m"}, MissingChoice),
        ({"our_duration": 0}, BadValue),
        ({"our_connection_string": LOGIN, "our_device_id": "d"}, ConflictingChoice),
        ({"our_connection_string": LOGIN, "our_key_type": "secondary"}, ConflictingChoice),
        ({"our_connection_string": "HostName=h;DeviceId=d;x509=true"}, BadValue),
        ({"our_connection_string": f"HostName=h;SharedAccessKey={KEY}"}, BadValue),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        generate_sas_token(typed(), **arguments)
    assert KEY not in f"{raised.value} {getattr(raised.value, 'hint', '')}"
    with pytest.raises(ConflictingChoice):
        generate_sas_token(typed(our_login=LOGIN), our_connection_string=LOGIN)


@pytest.mark.parametrize("name", ["our_hub_name", "our_login", "resource_group"])
def test_an_empty_argument_is_refused(name: str) -> None:
    with pytest.raises(BadValue, match="is empty"):
        UnresolvedHub({name: " "}, None, AzureDouble().login(), None)


NAMES = {"deviceHostName": "myhub-7f.device.azure-devices.net", "serviceHostName": "myhub-7f.service.azure-devices.net"}
DEVICE_HOST, SERVICE_HOST = NAMES.values()


def host_in(string: str) -> str:
    return string.partition(";")[0].removeprefix("HostName=")


def resource_of(hub: UnresolvedHub, **more: Any) -> str:
    token = generate_sas_token(hub, **more)["sas"]
    return parse_qs(token.removeprefix("SharedAccessSignature "))["sr"][0]


@pytest.mark.parametrize(
    ("kind", "host"),
    [("auto", DEVICE_HOST), ("classic", HOST), ("device", DEVICE_HOST), ("service", SERVICE_HOST)],
)
def test_a_hub_is_shown_under_the_name_that_is_asked_for(kind: str, host: str) -> None:
    assert host_in(shown(typed(azure(**NAMES), our_hub_name="myHub"), our_hostname_type=kind)) == host
    assert host_in(shown(typed(our_login=LOGIN.replace(HOST, SERVICE_HOST)), our_hostname_type=kind)) == host
    rows = shown(typed(azure(**NAMES)), our_hostname_type=kind)
    assert host_in(rows[-1]["connectionString"]) == host


@pytest.mark.parametrize("kind", ["device", "service"])
def test_a_name_that_a_hub_has_not_is_an_error_that_names_those_it_has(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BadValue, match=f"has no {kind} host name; it is called {HOST}"):
        shown(typed(azure(), our_hub_name="myHub"), our_hostname_type=kind)
    with pytest.raises(BadValue, match=f"no {kind} host name"):
        generate_sas_token(typed(azure(), our_hub_name="myHub"), our_hostname_type=kind)
    with pytest.raises(BadValue, match=f"no {kind} host name"):
        generate_sas_token(typed(), our_connection_string=LOGIN.replace(HOST, "10.0.0.7"), our_hostname_type=kind)
    rows = shown(typed(azure(**NAMES)), our_hostname_type=kind)
    assert [each["name"] for each in rows] == ["myHub"] and f"other is left out: --hostname-type {kind}" in caplog.text


def test_a_classic_string_may_be_rewritten_and_its_port_stays() -> None:
    login = LOGIN.replace(HOST, f"{HOST}:8443")
    assert host_in(shown(typed(our_login=login))) == f"{HOST}:8443"
    assert host_in(shown(typed(our_login=login), our_hostname_type="device")) == f"{DEVICE_HOST}:8443"


def test_the_event_hubs_string_has_no_other_host() -> None:
    hub = typed(azure(**EVENTS, **NAMES), our_hub_name="myHub")
    assert shown(hub, our_default_eventhub=True, our_hostname_type="service").startswith(
        "Endpoint=sb://ns.servicebus.windows.net/;"
    )


def test_a_token_is_for_the_host_that_its_user_calls() -> None:
    hub = typed(azure(**NAMES), our_hub_name="myHub")
    assert resource_of(hub) == SERVICE_HOST
    assert resource_of(hub, our_hostname_type="classic") == HOST
    assert resource_of(hub, our_hostname_type="device") == DEVICE_HOST


@pytest.mark.parametrize("host", [HOST, DEVICE_HOST, SERVICE_HOST])
def test_the_name_in_a_string_stays_unless_another_is_asked_for(host: str) -> None:
    string = LOGIN.replace(HOST, host)
    for kind, meant in (("auto", host), ("classic", HOST), ("device", DEVICE_HOST), ("service", SERVICE_HOST)):
        assert resource_of(typed(our_login=string), our_hostname_type=kind) == meant
        assert resource_of(typed(), our_connection_string=string, our_hostname_type=kind) == meant
        device = f"HostName={host};DeviceId=d;SharedAccessKey={KEY}"
        assert resource_of(typed(), our_connection_string=device, our_hostname_type=kind) == f"{meant}/devices/d"
