"""A command whose policy lacks a right says which line gives a connection string that has it; the line is typed, and it
does.
"""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Ran
from tests.helpers.short_form import some

# A command, a policy that lacks a right that it needs, that right, and the policy whose connection string is enough.
COMMANDS = (
    ("iot hub device-identity show -d refused", "service", "RegistryRead", "registryRead"),
    ("iot hub device-identity list", "device", "ServiceConnect", "service"),
    ("iot hub device-identity update -d refused --status enabled", "service", "RegistryRead", "registryReadWrite"),
    ("iot hub device-identity create -d refused-new", "registryRead", "RegistryWrite", "registryReadWrite"),
    ("iot hub device-identity delete -d refused-none --etag x", "registryRead", "RegistryWrite", "registryReadWrite"),
    ("iot hub module-identity list -d refused", "service", "RegistryRead", "registryRead"),
    ("iot edge export-modules -d refused", "service", "RegistryRead", "iothubowner"),
    ("iot hub device-twin show -d refused", "registryRead", "ServiceConnect", "service"),
    ("iot hub device-twin update -d refused --tags {}", "registryReadWrite", "ServiceConnect", "service"),
    ("iot hub query -q 'SELECT * FROM devices'", "registryRead", "ServiceConnect", "service"),
    ("iot hub invoke-device-method -d refused --mn m --timeout 5", "registryRead", "ServiceConnect", "service"),
    ("iot hub job list", "device", "RegistryRead and ServiceConnect", "iothubowner"),
    (
        "iot hub job create --job-id refused --jt scheduleDeviceMethod --mn m -q *",
        "device",
        "RegistryWrite and ServiceConnect",
        "iothubowner",
    ),
    ("iot device c2d-message receive -d refused", "service", "DeviceConnect", "device"),
    ("iot device c2d-message purge -d refused", "device", "ServiceConnect", "service"),
    ("iot device c2d-message send -d refused --data x", "registryRead", "ServiceConnect", "service"),
    ("iot device send-d2c-message -d refused --data x", "service", "RegistryRead", "registryRead"),
    ("iot hub monitor-events --mc 1 --timeout 1", "device", "ServiceConnect", "service"),
)


@pytest.fixture(scope="module")
def policies(hub: ScenarioHub) -> dict[str, str]:
    """The keys of the hub's policies, by name."""
    hub.new_device("refused")
    text = (Path(hub.document["caCertificatePath"]).parent / "policies.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def run(hub: ScenarioHub, line: str, login: str, policies: dict[str, str]) -> Ran:
    ran = hub.az.run(line, "-l", login)
    assert "Traceback" not in ran.stderr
    assert not [key for key in policies.values() if key in ran.stderr], "no key is shown"
    return ran


@pytest.mark.parametrize(("line", "policy", "lacks", "enough"), some(COMMANDS, 4, "commands that are refused"))
def test_the_line_that_a_refusal_gives_lets_the_command_in(
    hub: ScenarioHub, policies: dict[str, str], line: str, policy: str, lacks: str, enough: str
) -> None:
    login = f"HostName={hub.name};SharedAccessKeyName={policy};SharedAccessKey={policies[policy]}"
    ran = run(hub, line, login, policies)
    assert (ran.code, ran.stdout) == (1, ""), ran.stderr
    assert f"Policy {policy} lacks {lacks}" in ran.stderr
    (pasted,) = re.findall("az (iot hub connection-string show .*)", ran.stderr)
    assert shlex.split(pasted)[4:] == ["--policy-name", enough, "-n", hub.name]
    given = hub.az.json(pasted)["connectionString"]
    again = run(hub, line, given, policies)
    assert "Unauthorized" not in again.stderr and "did not accept" not in again.stderr, again.stderr
