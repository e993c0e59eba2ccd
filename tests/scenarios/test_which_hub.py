"""Which hub a command means: what was typed wins, two that differ are an error, what is missing is said."""

import os
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Ran

LIST = ("iot", "hub", "device-identity", "list")
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ELSEWHERE = f"HostName=elsewhere.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}"
VARIABLE = "IOTJOBS_CONNECTION_STRING"


def refused(ran: Ran) -> str:
    assert ran.code == 1, ran.stderr
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    assert KEY not in ran.stderr
    return ran.stderr


def test_a_connection_string_typed_or_from_a_file(hub: ScenarioHub, tmp_path: Path) -> None:
    login = hub.document["connectionString"]
    hub.az.json(*LIST, "-l", login)
    file = tmp_path / "hub.txt"
    file.write_text(login + "\n")
    ran = hub.az.run(*LIST, "--login", f"@{file}", "--debug")
    assert ran.code == 0
    key = login.split("SharedAccessKey=")[1]
    assert key not in ran.stderr


def test_the_environment_is_asked_when_nothing_is_typed(hub: ScenarioHub) -> None:
    environment = {VARIABLE: hub.document["connectionString"]}
    looked = hub.az.run(*LIST, environment=environment)
    assert (looked.code, "Hub:" in looked.stderr) == (0, False)
    changed = hub.az.run("iot hub device-identity create -d from-env", environment=environment)
    assert changed.code == 0
    assert f"Hub: {hub.name}" in changed.stderr
    typed = hub.az.run(f"iot hub device-identity create -d typed -n {hub.name}", environment=environment)
    assert "Hub:" not in typed.stderr


def test_what_is_typed_wins_over_the_environment(hub: ScenarioHub) -> None:
    assert hub.az.run(*LIST, "-n", hub.name, environment={VARIABLE: ELSEWHERE}).code == 0


def test_a_local_hub_that_another_configuration_started_is_that_of_the_environment(
    hub: ScenarioHub, tmp_path: Path
) -> None:
    """As it is for the processes that a loop, or --detach, starts for a hub of `--login`."""
    bundle = str(hub.document["caBundlePath"])
    elsewhere = {"AZURE_CONFIG_DIR": str(tmp_path), "REQUESTS_CA_BUNDLE": bundle}
    login = {VARIABLE: hub.document["connectionString"]}
    for words in (LIST, ("iot", "hub", "connection-string", "show")):
        assert hub.az.run(*words, "-n", hub.name, environment={**elsewhere, **login}).code == 0
    unknown = hub.az.run(*LIST, "-n", hub.name, environment=elsewhere)
    assert unknown.code == 3 and "Running now: none." in unknown.stderr
    assert f"az iot local-hub start --https-port {hub.name.partition(':')[2]} --detach\n" in unknown.stderr
    assert "REQUESTS_CA_BUNDLE" in unknown.stderr and "--login CONNECTION-STRING" in unknown.stderr
    assert hub.az.run(*LIST, "-n", hub.name, environment={**elsewhere, VARIABLE: ELSEWHERE}).code == 3


def test_microsofts_own_variable_is_not_read(hub: ScenarioHub) -> None:
    ran = hub.az.run(*LIST, environment={"IOTHUB_CONNECTION_STRING": hub.document["connectionString"]})
    assert "No hub is named" in refused(ran)


def test_two_that_name_different_hubs_are_an_error(hub: ScenarioHub) -> None:
    said = refused(hub.az.run(*LIST, "-n", "other.azure-devices.net", "-l", ELSEWHERE))
    assert "--hub-name" in said and "--login" in said
    refused(hub.az.run(*LIST, "-n", hub.name, "-l", ELSEWHERE))


def test_two_that_name_the_same_hub_are_none(hub: ScenarioHub) -> None:
    hub.az.json(*LIST, "-n", hub.name, "-l", hub.document["connectionString"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "No hub is named"),
        (("-n", ""), "--hub-name is empty"),
        (("-l", ""), "--login is empty"),
        (("-n", "myhub"), "az login"),
        (("-n", "myhub.azure-devices.net"), "az login"),
        (("-n", "myhub.azure-devices.net", "--auth-type", "login"), "az login"),
        (("-n", "localhost:99999"), "port"),
        (("-l", "HostName=x"), "not a hub's connection string"),
        (("-l", f"SharedAccessKeyName=a;SharedAccessKey={KEY}"), "HostName"),
        (("-l", f"HostName=x;DeviceId=d;SharedAccessKey={KEY}"), "not a hub's connection string"),
        (("-l", f"HostName=x;SharedAccessKeyName=a;SharedAccessKey={KEY}!"), "not base64"),
        (("-l", f"HostName=x;{KEY}"), "none of"),
        (("-l", ELSEWHERE, "--auth-type", "login"), "--auth-type login"),
    ],
)
def test_what_is_missing_or_wrong_is_said_and_no_key_is_shown(
    hub: ScenarioHub, options: tuple[str, ...], said: str
) -> None:
    assert said in refused(hub.az.run(*LIST, *options))


def test_a_hub_that_does_not_answer_is_a_clear_error(hub: ScenarioHub) -> None:
    login = f"HostName=localhost:1;SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}"
    assert "was not reached" in refused(hub.az.run(*LIST, "-l", login))


def test_a_local_name_that_no_certificate_has_is_answered_with_those_it_has(hub: ScenarioHub) -> None:
    port = hub.name.partition(":")[2]
    said = refused(hub.az.run(*LIST, "-n", f"device.localhost:{port}"))
    assert "another host name" in said and "local-hub.localhost" in said and "iot hub show" not in said


def test_a_wrong_key_is_a_clear_error(hub: ScenarioHub) -> None:
    login = f"HostName={hub.name};SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}"
    said = refused(hub.az.run(*LIST, "-l", login))
    assert "401" in said and "IotHubUnauthorizedAccess" in said


def test_loopback_never_goes_through_a_proxy(hub: ScenarioHub) -> None:
    proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
    assert hub.az.run(*LIST, "-n", hub.name, environment=proxies).code == 0


def test_a_ca_bundle_in_the_environment_does_not_hide_the_local_hubs_own(hub: ScenarioHub) -> None:
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or "/etc/ssl/certs/ca-certificates.crt"
    assert hub.az.run(*LIST, "-n", hub.name, environment={"REQUESTS_CA_BUNDLE": bundle}).code == 0
