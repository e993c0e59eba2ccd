"""Which hub is meant and how to get in: names, Azure's look-up, Microsoft Entra. Resource Manager is a double."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.commands import all_commands
from azext_iotjobs.cli.hub_access import running_hubs
from azext_iotjobs.cli.hub_access.passed_login import ENVIRONMENT_VARIABLE
from azext_iotjobs.cli.hub_access.policies import UnresolvedHub, policies_of_hub
from azext_iotjobs.cli.hub_access.policy_rights import ALL_RIGHTS
from azext_iotjobs.cli.hub_access.resolve import (
    ChosenHub,
    HubArguments,
    ResolveContext,
    choose_hub,
)
from azext_iotjobs.cli.hub_access.running_hubs import HOW_TO_REACH_ANOTHERS, pick, pick_typed
from azext_iotjobs.model.entra import AadLogin
from azext_iotjobs.model.errors import (
    BadValue,
    ConflictingChoice,
    Forbidden,
    HubFault,
    MissingChoice,
    NotFound,
    Unauthorized,
)
from azext_iotjobs.model.target import SasKey, SasToken
from tests.helpers.azure_double import (
    LIST,
    OLD_LIST,
    PREVIEW_LIST,
    AzureDouble,
    hub_item,
    hub_path,
    keys,
    refusal,
    with_hubs,
)

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HOST = "myhub-7f.azure-devices.net"  # not the name and the cloud's suffix
LOGIN = f"HostName={HOST};SharedAccessKeyName=service;SharedAccessKey={KEY}"
RIGHTS = {words: row.rights for words, _, row in all_commands()}
LIST_KEYS = f"{hub_path('myHub')}/listkeys?api-version=2021-07-02"


def azure() -> AzureDouble:
    return with_hubs([hub_item("other", "other.azure-devices.net"), hub_item("myHub", HOST)], KEY)


def choose(
    double: AzureDouble,
    hub: str | None = None,
    *,
    environment: str | None = None,
    configured: str | None = None,
    needed: frozenset[str] = ALL_RIGHTS,
    **typed: str,
) -> ChosenHub:
    arguments = HubArguments(hub=hub, login=typed.get("login"), group=typed.get("group"), auth=typed.get("auth"))
    return choose_hub(arguments, ResolveContext(environment, configured, azure=double.login, needed=needed))


@pytest.mark.parametrize("name", ["myHub", "MYHUB", HOST, HOST.upper()])
def test_a_name_or_host_name_is_looked_up_and_the_answers_host_is_used(name: str) -> None:
    double = azure()
    chosen = choose(double, name)
    assert (chosen.target.authority, chosen.credential) == (HOST, SasKey(policy="iothubowner", key=KEY))
    assert chosen.tier == ("S1", 1)
    assert double.sent == [("GET", LIST), ("POST", LIST_KEYS)]
    assert double.audiences == []


@pytest.mark.parametrize("text", [LOGIN, f"x;SharedAccessKey={KEY}"])
def test_a_connection_string_in_place_of_a_name_is_refused_and_not_shown(text: str) -> None:
    double = azure()
    for choose_one in (lambda: choose(double, text), lambda: pick_typed(text, None)):
        with pytest.raises(BadValue, match="a connection string was given") as refused:
            choose_one()
        assert KEY not in f"{refused.value} {refused.value.hint}"
    assert double.sent == []


def test_a_resource_group_narrows_the_look_up() -> None:
    path = (
        "/subscriptions/91d12660-3dec-467a-be2a-213b5544ddc0/resourceGroups/a%28b/providers/Microsoft.Devices/IotHubs"
    )
    url = f"{path}?api-version=2026-11-01"
    double = AzureDouble({url: (200, {"value": [hub_item("myHub", HOST)]}), LIST_KEYS: (200, keys(KEY))})
    assert choose(double, "myHub", group="a(b").target.host == HOST
    assert double.sent[0] == ("GET", url)


@pytest.mark.parametrize("group", [".", "..", "a/../..", "a b", "x.", "a%2e", "x" * 91, "\r\n"])
def test_what_is_no_resource_group_never_widens_the_look_up(group: str) -> None:
    double = AzureDouble({LIST: (200, {"value": [hub_item("myHub", HOST)]}), LIST_KEYS: (200, keys(KEY))})
    with pytest.raises(BadValue, match="--resource-group"):
        choose(double, "myHub", group=group)
    assert double.sent == []


def test_every_page_is_read_and_none_on_another_host() -> None:
    more = f"{LIST}&$skiptoken=x"
    pages = {
        LIST: (
            200,
            {"value": [hub_item("a", "a.azure-devices.net")], "nextLink": f"https://management.azure.com{more}"},
        ),
        more: (200, {"value": [hub_item("myHub", HOST)]}),
        LIST_KEYS: (200, keys(KEY)),
    }
    assert choose(AzureDouble(pages), "myhub").target.host == HOST
    pages[LIST] = (200, {"value": [], "nextLink": f"https://evil.example{more}"})
    with pytest.raises(HubFault, match="on another host"):
        choose(AzureDouble(pages), "myhub")


@pytest.mark.parametrize(
    ("command", "policy"),
    [
        ("iot hub query", "service"),
        ("iot device c2d-message receive", "device"),
        ("iot device simulate", "registryRead"),
    ],
)
def test_without_the_owners_policy_one_that_has_the_rights_is_taken(command: str, policy: str) -> None:
    names = ("device", "service", "registryRead")
    rights = {"device": "DeviceConnect", "service": "ServiceConnect", "registryRead": "RegistryRead"}
    double = with_hubs([hub_item("myHub", HOST)], KEY, {name: rights[name] for name in names})
    assert choose(double, "myHub", needed=RIGHTS[command]).credential == SasKey(policy=policy, key=KEY)


def test_writing_rights_include_reading() -> None:
    double = with_hubs([hub_item("myHub", HOST)], KEY, {"registryReadWrite": "RegistryWrite"})
    needed = RIGHTS["iot hub device-identity show"]
    assert choose(double, "myHub", needed=needed).credential == SasKey(policy="registryReadWrite", key=KEY)


@pytest.mark.parametrize(
    ("rights", "said"),
    [({"service": "ServiceConnect", "device": "DeviceConnect"}, "RegistryWrite"), ({}, "no shared access policy")],
)
def test_where_no_policy_suffices_the_missing_right_is_named(rights: dict[str, str], said: str) -> None:
    double = with_hubs([hub_item("myHub", HOST)], KEY, rights)
    with pytest.raises(Forbidden, match=said) as raised:
        choose(double, "myHub", needed=RIGHTS["iot hub job create"])
    assert "--auth-type login" in str(raised.value.hint)
    assert KEY not in str(raised.value)


def test_a_hub_that_takes_no_keys_says_so_before_its_keys_are_listed() -> None:
    double = with_hubs([hub_item("myHub", HOST, disableLocalAuth=True)], KEY)
    with pytest.raises(Forbidden, match="switched off"):
        choose(double, "myHub")
    assert [method for method, _ in double.sent] == ["GET"]
    assert isinstance(choose(double, HOST, auth="login").credential, AadLogin)


def test_a_hub_elsewhere_names_the_subscription_that_was_searched_and_what_to_do() -> None:
    with pytest.raises(NotFound, match="91d12660-3dec-467a-be2a-213b5544ddc0 of AzureCloud") as raised:
        choose(azure(), "yourhub")
    assert "other, myHub" in str(raised.value)
    assert "az account set" in str(raised.value.hint)


def test_a_hub_without_a_host_name_yet_is_not_guessed() -> None:
    with pytest.raises(BadValue, match="Activating"):
        choose(with_hubs([hub_item("myHub", "", state="Activating")], KEY), "myHub")


@pytest.mark.parametrize(
    ("status", "document", "kind", "said"),
    [
        (401, refusal("InvalidAuthenticationToken", "Ended."), Unauthorized, "az login"),
        (403, refusal("AuthorizationFailed", "The client has no right."), Forbidden, "Contributor"),
        (404, refusal("SubscriptionNotFound", "No such."), NotFound, "--subscription"),
        (503, None, HubFault, "later"),
        (200, {"value": None}, HubFault, ""),
        (200, ["x"], HubFault, ""),
    ],
)
def test_what_resource_manager_refuses_is_said(status: int, document: Any, kind: type, said: str) -> None:
    with pytest.raises(kind) as raised:
        choose(AzureDouble(dict.fromkeys((LIST, PREVIEW_LIST, OLD_LIST), (status, document))), "myHub")
    error = raised.value
    assert "Azure Resource Manager" in str(error)
    assert said in str(getattr(error, "hint", ""))
    if status >= 400 and document:
        assert document["error"]["message"] in str(error)


def test_entra_needs_no_look_up_for_a_host_name_of_the_cloud() -> None:
    double = azure()
    chosen = choose(double, HOST, auth="login")
    assert chosen.target.authority == HOST
    assert double.sent == [], "nothing was looked up"
    assert isinstance(chosen.credential, AadLogin)
    assert double.audiences == [], "nothing was fetched before it is needed"
    assert chosen.credential.fetch().text == "ey.a.b"
    assert double.audiences == ["https://iothubs.azure.net"]


@pytest.mark.parametrize("name", ["myHub", "hub.internal", "evil.example/.azure-devices.net", "a@b.azure-devices.net"])
def test_a_token_goes_only_to_a_name_of_the_cloud_or_from_azure(name: str) -> None:
    double = azure()
    if name == "myHub":
        assert choose(double, name, auth="login").target.host == HOST
        assert double.sent == [("GET", LIST)], "no key was asked for"
    else:
        with pytest.raises(NotFound):
            choose(double, name, auth="login")
    assert double.audiences == []


@pytest.mark.parametrize(
    ("cloud", "suffix", "audience"),
    [
        ("AzureCloud", "azure-devices.net", "https://iothubs.azure.net"),
        ("AzureChinaCloud", "azure-devices.cn", "https://iothubs.azure.net"),
        ("AzureUSGovernment", "azure-devices.us", "https://iothubs.azure.us"),
    ],
)
def test_each_cloud_has_its_suffix_audience_and_endpoint(cloud: str, suffix: str, audience: str) -> None:
    double = AzureDouble(cloud=cloud)
    chosen = choose(double, f"myhub.{suffix}", auth="login")
    assert isinstance(chosen.credential, AadLogin)
    chosen.credential.fetch()
    assert (double.audiences, double.sent) == ([audience], [])
    elsewhere = AzureDouble({LIST: (200, {"value": [hub_item("h", f"h.{suffix}")]})}, cloud, "https://arm.example")
    with pytest.raises(NotFound, match=cloud):
        choose(elsewhere, "myhub.azure-devices.de", auth="login")


def test_what_is_configured_counts_where_nothing_better_says_how_to_sign_in() -> None:
    signed_in = choose(azure(), HOST, configured="login")
    assert isinstance(signed_in.credential, AadLogin)
    assert isinstance(choose(azure(), HOST, configured="login", auth="key").credential, SasKey)
    assert choose(azure(), HOST, configured="login", environment=LOGIN).credential == SasKey(policy="service", key=KEY)
    assert isinstance(choose(azure(), configured="login", login=LOGIN).credential, SasKey)


def test_the_environments_key_spares_the_look_up_of_the_same_hub() -> None:
    for name in (HOST, "myhub-7f"):
        double = azure()
        assert choose(double, name, environment=LOGIN).credential == SasKey(policy="service", key=KEY)
        assert double.sent == []
    assert choose(azure(), "other", environment=LOGIN).target.host == "other.azure-devices.net"


def test_typed_login_takes_the_environments_host_without_its_key() -> None:
    double = azure()
    chosen = choose(double, environment=LOGIN, auth="login")
    assert (chosen.target.host, chosen.was_typed, double.sent) == (HOST, False, [])
    assert isinstance(chosen.credential, AadLogin)


def test_a_shared_access_signature_is_a_credential() -> None:
    text = f"SharedAccessSignature sr={HOST}&sig=abc%3D&se=1900000000&skn=service"
    chosen = choose(azure(), login=f"HostName={HOST};SharedAccessSignature={text}")
    assert isinstance(chosen.credential, SasToken)
    assert chosen.credential.text == text


@pytest.mark.parametrize(
    ("typed", "kind", "said"),
    [
        ({"login": LOGIN, "auth": "login"}, ConflictingChoice, "two ways"),
        ({"hub": "localhost", "auth": "login"}, BadValue, "local hub"),
        ({"hub": "127.0.0.1:8443", "auth": "login"}, BadValue, "local hub"),
        ({"hub": "localhost"}, NotFound, "No local hub"),
        ({"hub": "localhost", "configured": "login"}, NotFound, "No local hub"),
        ({"hub": "myhub:8443"}, BadValue, "no port"),
        ({"hub": "myhub", "configured": "entra"}, BadValue, "iothub-data-auth-type=entra"),
        ({"hub": "myhub", "group": ""}, BadValue, "--resource-group"),
        ({"hub": ""}, BadValue, "--hub-name"),
        ({}, MissingChoice, "No hub"),
    ],
)
def test_what_is_refused_never_asks_azure(
    typed: dict[str, str], kind: type, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    double = azure()
    with pytest.raises(kind, match=said):
        choose(double, **typed)  # type: ignore[arg-type]
    assert (double.sent, double.audiences) == ([], [])


@pytest.mark.parametrize(
    ("host", "port", "options"),
    [
        (None, None, ""),
        ("localhost", 9443, " --https-port 9443"),
        ("127.0.0.1", None, ""),
        ("127.0.0.7", None, " --bind 127.0.0.7"),
        ("127.0.0.7", 9443, " --bind 127.0.0.7 --https-port 9443"),
    ],
)
def test_the_hub_that_does_not_run_is_the_one_that_is_offered_to_start(
    host: str | None, port: int | None, options: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    start = f"Start one: az iot local-hub start{options} --detach"
    with pytest.raises(NotFound) as raised:
        pick(host=host, https_port=port)
    assert raised.value.hint == start + HOW_TO_REACH_ANOTHERS
    with pytest.raises(NotFound) as raised:
        pick_typed(host, port)  # of commands that take no --login
    assert raised.value.hint == start


def test_where_a_local_hub_is_known_here_nothing_is_said_of_anothers(local: Callable[[int], None]) -> None:
    local(8444)
    with pytest.raises(NotFound, match="Running now: localhost:8444") as raised:
        pick(host="localhost", https_port=8443)
    assert "--login" not in str(raised.value.hint)


LOCAL = f"HostName=localhost:8443;SharedAccessKeyName=service;SharedAccessKey={KEY}"


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    """Has a hub with this port be known here, and running; before it is called, none is."""
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(running_hubs, "_listens", lambda _: True)

    def runs(port: int) -> None:
        folder = running_hubs.state_folder()
        folder.mkdir(parents=True, exist_ok=True)
        login = f"HostName=localhost:{port};SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}"
        document = {"bind": "127.0.0.1", "httpsPort": port, "mqttPort": 8883, "hostName": f"localhost:{port}"}
        document |= {"connectionString": login, "caCertificatePath": "ca.pem", "dataDirectory": str(tmp_path)}
        (folder / f"{port}.json").write_text(json.dumps(document))
        (tmp_path / "policies.json").write_text(json.dumps({"iothubowner": KEY}))

    return runs


@pytest.mark.parametrize("name", ["localhost:8443", "127.0.0.1:8443", "localhost", "LOCALHOST:8443"])
def test_a_local_hub_that_is_not_known_here_is_that_of_the_environments_connection_string(
    local: Callable[[int], None], name: str
) -> None:
    chosen = choose(azure(), name, environment=LOCAL)
    assert (chosen.target.authority, chosen.target.is_local) == ("localhost:8443", False)
    assert chosen.credential == SasKey(policy="service", key=KEY)
    (policy,) = policies_of_hub(unresolved(name, LOCAL))
    assert (policy.name, policy.source, policy.target.authority) == ("service", ENVIRONMENT_VARIABLE, "localhost:8443")


def test_a_local_hub_that_is_known_here_counts_before_the_environment(local: Callable[[int], None]) -> None:
    local(8443)
    chosen = choose(azure(), "localhost:8443", environment=LOCAL)
    assert (chosen.target.is_local, chosen.credential) == (True, SasKey(policy="iothubowner", key=KEY))
    assert [each.source for each in policies_of_hub(unresolved("localhost:8443", "broken"))] == ["a local hub"]


@pytest.mark.parametrize("other", [LOGIN, LOCAL.replace("8443", "9443"), LOCAL.replace("localhost", "127.0.0.7"), " "])
def test_the_environments_connection_string_of_another_hub_is_no_local_one(
    local: Callable[[int], None], other: str
) -> None:
    with pytest.raises(NotFound, match="No local hub is running at localhost:8443"):
        choose(azure(), "localhost:8443", environment=other)
    with pytest.raises(NotFound, match="No local hub is running at localhost:8443"):
        policies_of_hub(unresolved("localhost:8443", other))


def unresolved(name: str, environment: str) -> UnresolvedHub:
    return UnresolvedHub({"our_hub_name": name}, None, azure().login(), environment)


NAMES = {
    "deviceHostName": "myhub-7f.device.azure-devices.net",
    "serviceHostName": "myhub-7f.service.azure-devices.net",
    "iotHubDetails": {"gatewayVersion": "V2"},
}
SPLIT = tuple(str(NAMES[each]) for each in ("serviceHostName", "deviceHostName"))


def hosts(chosen: ChosenHub) -> tuple[str, str]:
    """Where services call, and where devices connect."""
    return chosen.target.host, chosen.target.for_devices.host


def on_new_gateway(**properties: Any) -> AzureDouble:
    return with_hubs([hub_item("myHub", HOST, **{**NAMES, **properties})], KEY)


@pytest.mark.parametrize("auth", ["key", "login"])
def test_the_names_for_services_and_devices_come_from_azure(auth: str) -> None:
    assert hosts(choose(on_new_gateway(), "myHub", auth=auth)) == SPLIT
    assert hosts(choose(azure(), "myHub", auth=auth)) == (HOST, HOST)


@pytest.mark.parametrize("name", [HOST, *SPLIT, SPLIT[0].upper()])
def test_a_hub_that_azure_knows_is_found_under_every_name(name: str) -> None:
    assert hosts(choose(on_new_gateway(), name)) == SPLIT


def test_a_classic_hub_that_is_asked_for_by_a_name_it_has_not_is_called_by_its_own() -> None:
    assert hosts(choose(azure(), SPLIT[1])) == (HOST, HOST)
    old = on_new_gateway(iotHubDetails={"gatewayVersion": "V1"})
    assert hosts(choose(old, "myHub")) == (HOST, HOST)


@pytest.mark.parametrize(("status", "code"), [(400, "InvalidApiVersionParameter"), (404, "x"), (500, "x")])
def test_where_azure_does_not_know_the_names_the_classic_one_is_used_with_a_warning(
    status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    double = with_hubs([hub_item("myHub", HOST)], KEY)
    refused = dict.fromkeys((LIST, PREVIEW_LIST), (status, refusal(code, "No.")))
    double = AzureDouble({**double.answers, OLD_LIST: double.answers[LIST], **refused})
    assert hosts(choose(double, "myHub")) == (HOST, HOST)
    assert [path for _, path in double.sent] == [LIST, PREVIEW_LIST, OLD_LIST, LIST_KEYS]
    assert "classic" in caplog.text and KEY not in caplog.text


def test_where_azure_has_the_names_in_its_preview_alone_they_come_from_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service, device = SPLIT
    double = with_hubs([hub_item("myHub", HOST, deviceHostName=device, serviceHostName=service)], KEY)
    refused = (400, refusal("NoRegisteredProviderFound", "No."))
    double = AzureDouble({**double.answers, PREVIEW_LIST: double.answers[LIST], LIST: refused})
    assert hosts(choose(double, "myHub")) == (service, device)
    assert [path for _, path in double.sent] == [LIST, PREVIEW_LIST, LIST_KEYS]
    assert "classic" not in caplog.text


@pytest.mark.parametrize("name", SPLIT)
@pytest.mark.parametrize(("cloud", "end"), [("AzureCloud", "net"), ("AzureChinaCloud", "cn")])
def test_entra_calls_the_service_host_of_a_split_name_without_a_look_up(name: str, cloud: str, end: str) -> None:
    double = AzureDouble(cloud=cloud)
    typed, service, device = (each.replace(".net", f".{end}") for each in (name, *SPLIT))
    assert hosts(choose(double, typed, auth="login")) == (service, device)
    assert double.sent == []


def test_entra_sends_no_token_to_a_split_name_of_another_cloud() -> None:
    double = azure()
    with pytest.raises(NotFound):
        choose(double, "myhub.service.azure-devices.cn", auth="login")
    assert double.audiences == []


@pytest.mark.parametrize("name", SPLIT)
def test_a_connection_string_with_either_name_is_the_hub_of_all_three(name: str) -> None:
    login = LOGIN.replace(HOST, name)
    assert hosts(choose(azure(), login=login)) == hosts(choose(azure(), environment=login)) == SPLIT
    for typed in ("myhub-7f", HOST, *SPLIT):
        double = azure()
        assert hosts(choose(double, typed, environment=login)) == SPLIT
        assert hosts(choose(double, typed, login=login)) == SPLIT
        assert double.sent == []
    assert hosts(choose(azure(), login=LOGIN)) == (HOST, HOST)
    with pytest.raises(ConflictingChoice, match="two hubs"):
        choose(azure(), "other", login=login)
