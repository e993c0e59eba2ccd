"""What a user sees when something is refused: the real az against a real local hub."""

import json
import time
from pathlib import Path

import pytest

from azext_iotjobs.transport.auth import sas_token
from tests.conftest import ScenarioHub
from tests.helpers.az import Ran
from tests.helpers.mqtt_device import MqttDevice

SHOW = ("iot", "hub", "device-identity", "show", "-d", "seen")
TWIN = ("iot", "hub", "device-twin", "show", "-d", "seen")


@pytest.fixture(scope="module")
def policies(hub: ScenarioHub) -> dict[str, str]:
    """The keys of the hub's policies, by name."""
    hub.new_device("seen")
    text = (Path(hub.document["caCertificatePath"]).parent / "policies.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def login(hub: ScenarioHub, policy: str, key: str) -> str:
    return f"HostName={hub.name};SharedAccessKeyName={policy};SharedAccessKey={key}"


def refused(ran: Ran, code: int = 1) -> str:
    assert (ran.code, ran.stdout) == (code, ""), ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_a_policy_without_the_right_and_a_wrong_key_are_told_apart(hub: ScenarioHub, policies: dict[str, str]) -> None:
    said = refused(hub.az.run(*SHOW, "-l", login(hub, "service", policies["service"])))
    assert "Policy service lacks RegistryRead." in said
    assert "IotHubUnauthorizedAccess" in said and "tracking id" in said
    assert "registryRead or registryReadWrite or iothubowner" in said
    said = refused(hub.az.run(*SHOW, "-l", login(hub, "registryRead", policies["service"])))
    assert "lacks" not in said and "the key is not this policy's" in said


def test_a_signature_lets_in_until_it_ends(hub: ScenarioHub, policies: dict[str, str]) -> None:
    def signed(seconds: int) -> str:
        token = sas_token(
            resource="localhost", key=policies["service"], expires_at=int(time.time()) + seconds, policy="service"
        )
        return f"HostName={hub.name};SharedAccessSignature={token}"

    assert hub.az.json(*TWIN, "-l", signed(600))["deviceId"] == "seen"
    said = refused(hub.az.run(*TWIN, "-l", signed(-3 * 3600)))
    assert "The SAS token expired 3 h ago by the hub's clock." in said
    assert "sig=" not in said


def test_off_line_disabled_and_without_a_handler_are_told_apart(hub: ScenarioHub) -> None:
    call = ("iot", "hub", "invoke-device-method", "-n", hub.name, "--mn", "m", "--timeout", "5", "-d")
    hub.new_device("off")
    said = refused(hub.az.run(*call, "off"), 4)
    assert "DeviceNotOnline" in said and "It has never connected." in said
    record = hub.az.json(f"iot hub device-identity update -n {hub.name} -d off --status disabled")
    assert "It is disabled" in refused(hub.az.run(*call, "off"), 4)
    hub.az.json(f"iot hub device-identity update -n {hub.name} -d off --status enabled")
    device = MqttDevice(hub.for_devices, "off", record["authentication"]["symmetricKey"]["primaryKey"])
    assert device.connect() == 0
    assert "has no handler for methods" in refused(hub.az.run(*call, "off"), 4)
    device.close()


def test_debug_shows_our_requests_with_secrets_covered(hub: ScenarioHub) -> None:
    ran = hub.az.run(*SHOW, "-n", hub.name, "--debug")
    key = ran.json["authentication"]["symmetricKey"]["primaryKey"]
    assert "GET https://localhost:" in ran.stderr and "/devices/seen" in ran.stderr
    assert "request id" in ran.stderr
    assert key not in ran.stderr
    assert "sig=" not in ran.stderr


def test_debug_shows_what_users_call_a_key_and_covers_what_has_its_form(hub: ScenarioHub) -> None:
    hub.new_device("named-key")
    secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    desired = json.dumps({"key": "fan-17", "deep": {"key": secret}})
    hub.az.json(f"iot hub device-twin update -n {hub.name} -d named-key", "--desired", desired)
    ran = hub.az.run(f"iot hub device-twin show -n {hub.name} -d named-key --debug")
    shown = ran.stderr.replace(" ", "")
    assert '"key":"fan-17"' in shown
    assert '"key":"***"' in shown and secret not in ran.stderr


@pytest.mark.parametrize(
    ("output", "printed"), [("tsv", "␛[2J�31m\n"), ("json", '"\\u001b[2J\\u009b31m"\n'), ("table", "␛[2J�31m")]
)
def test_what_a_device_says_reaches_no_terminal_raw(
    hub: ScenarioHub, policies: dict[str, str], output: str, printed: str
) -> None:
    tags = json.dumps({"a": "\x1b[2J\x9b31m"})
    assert policies, "the device is there"
    hub.az.json(f"iot hub device-twin update -n {hub.name} -d seen", "--tags", tags)
    ran = hub.az.run(*TWIN, "-n", hub.name, "--query", "tags.a", "-o", output)
    assert printed in ran.stdout
    assert all(each.isprintable() or each == "\n" for each in ran.stdout)
