"""Where a hub's built-in endpoint is, with which key, and over which transport. Resource Manager is a double."""

import json
import socket
from pathlib import Path

import pytest

from azext_iotjobs.cli.hub_access.amqp_access import EventsAccess, access_of, over
from azext_iotjobs.cli.hub_access.policies import UnresolvedHub
from azext_iotjobs.model.amqp import AmqpEndpoint
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, Forbidden
from azext_iotjobs.model.target import SasKey
from tests.helpers.azure_double import AzureDouble, hub_item, with_hubs

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HOST = "myhub-7f.azure-devices.net"
LOGIN = f"HostName={HOST};SharedAccessKeyName=service;SharedAccessKey={KEY}"
NAMESPACE = "ihsuprod.servicebus.windows.net"
EVENTS = f"Endpoint=sb://{NAMESPACE}/;SharedAccessKeyName=service;SharedAccessKey={KEY};EntityPath=iothub-ehub-1"
TOKEN = f"HostName={HOST};SharedAccessSignature=SharedAccessSignature sr={HOST}&sig=abc&se=9999999999&skn=service"
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


def azure(**rights: str) -> AzureDouble:
    endpoints = {"events": {"endpoint": f"sb://{NAMESPACE}/", "path": "iothub-ehub-1"}}
    item = hub_item("myHub", HOST, eventHubEndpoints=endpoints)
    return with_hubs(
        [item], KEY, rights or {"iothubowner": "RegistryWrite, ServiceConnect", "service": "ServiceConnect"}
    )


def access(azure_double: AzureDouble | None = None, **typed: str) -> EventsAccess:
    """typed: hub, login, group; environment: the connection string in the environment."""
    arguments = {
        "our_hub_name": typed.get("hub"),
        "our_login": typed.get("login"),
        "resource_group": typed.get("group"),
    }
    return access_of(UnresolvedHub(arguments, None, (azure_double or AzureDouble()).login(), typed.get("environment")))


def test_azure_says_where_the_endpoint_is_and_with_which_key() -> None:
    found = access(azure(), hub="myHub")
    hub = found.event_hub(None)
    assert (hub.endpoint.authority, hub.name, hub.key.key) == (f"{NAMESPACE}:5671", "iothub-ehub-1", KEY)
    assert found.client is not None and found.client.target.host == HOST


def test_a_policy_has_to_have_the_right_to_read() -> None:
    with pytest.raises(Forbidden, match="ServiceConnect"):
        access(azure(device="DeviceConnect"), hub="myHub")


def test_a_connection_string_of_a_hub_has_to_ask_it() -> None:
    found = access(login=LOGIN)
    assert found.known is None and found.hub == AmqpEndpoint(HOST)
    assert found.key == SasKey(policy="service", key=KEY)


def test_the_environments_hub_is_asked_too_where_none_is_typed() -> None:
    assert access(environment=LOGIN).hub == AmqpEndpoint(HOST)


def test_an_endpoints_own_string_is_all_that_is_needed() -> None:
    found = access(login=EVENTS, environment=LOGIN)
    assert found.client is None and found.hub is None
    assert found.event_hub(None).endpoint.authority == f"{NAMESPACE}:5671"


@pytest.mark.parametrize("used", ["amqpPort", "amqpPlainPort"])
def test_both_strings_of_a_local_hub_lead_to_its_port_with_tls(
    used: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as https:
        ports = {"httpsPort": https.getsockname()[1], "mqttPort": 2, "amqpPort": 3, "amqpPlainPort": 4}
        hub = {"hostName": "localhost:8443", "bind": "127.0.0.1", "connectionString": LOGIN}
        file = tmp_path / "iotjobs" / "hubs" / "hub.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({**hub, **ports, "caCertificatePath": "ca.pem"}))
        access_key = f"SharedAccessKeyName=service;SharedAccessKey={KEY};EntityPath=local-hub"
        string = f"Endpoint=sb://localhost:{ports[used]};{access_key};UseDevelopmentEmulator=true"
        endpoint = access(login=string).event_hub(None).endpoint
    assert (endpoint.authority, endpoint.ca_file) == ("localhost:3", "ca.pem")


@pytest.mark.parametrize("option", ["hub", "group"])
def test_an_endpoint_and_a_hub_are_two(option: str) -> None:
    with pytest.raises(ConflictingChoice, match="names the endpoint"):
        access(None, login=EVENTS, **{option: "myHub"})


def test_a_finished_token_does_not_open_the_endpoint() -> None:
    with pytest.raises(BadValue, match="policy's key"):
        access(login=TOKEN)


@pytest.mark.parametrize(
    ("transport", "environment", "is_websocket"),
    [
        (None, {}, False),
        (None, {"HTTPS_PROXY": "http://proxy:3128"}, True),
        (None, {"ALL_PROXY": "http://proxy:3128"}, True),
        (None, {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".servicebus.windows.net"}, False),
        (None, {"HTTPS_PROXY": "not://a proxy"}, True),
        ("amqp", {"HTTPS_PROXY": "http://proxy:3128"}, False),
        ("amqp_ws", {}, True),
    ],
)
def test_behind_a_proxy_amqp_goes_through_a_websocket(
    transport: str | None, environment: dict[str, str], is_websocket: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert over(AmqpEndpoint(NAMESPACE), transport).is_websocket is is_websocket


def test_a_local_hub_is_never_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert not over(AmqpEndpoint("local-hub.service.localhost"), None).is_websocket
    assert over(AmqpEndpoint("localhost"), "amqp_ws").is_websocket
