"""Modules, parents and children, renewed keys and tokens, as a user meets them; what opens the hub is tried on it."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests

from tests.conftest import ScenarioHub, running_hub
from tests.helpers.az import Az
from tests.helpers.hub_process import API_VERSION, sas
from tests.helpers.mqtt_device import MqttDevice

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture(scope="module")
def hub(az: Az, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    """A hub of their own: keys of all its devices are renewed."""
    yield from running_hub(az, tmp_path_factory.mktemp("own-hub"))


def az_hub(hub: ScenarioHub, *words: str) -> Any:
    """What a command of `az iot hub` prints."""
    return hub.az.json("iot hub", *words, "-n", hub.name)


def refused(hub: ScenarioHub, *words: str, code: int = 1) -> str:
    ran = hub.az.run("iot hub", *words, "-n", hub.name)
    assert (ran.code, ran.stdout) == (code, ""), ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr


def signs_in(hub: ScenarioHub, device: str, module: str, key: str) -> bool:
    """Whether a module connects with a token that this key has made."""
    connection = MqttDevice(
        hub.for_devices,
        device,
        key,
        client_id=f"{device}/{module}",
        username=f"localhost/{device}/{module}/?api-version=2021-04-12",
        password=sas(key, f"localhost/devices/{device}/modules/{module}"),
    )
    try:
        return connection.connect() == 0
    finally:
        connection.close()


def status_with(hub: ScenarioHub, token: str, method: str, path: str) -> int:
    """What the hub answers to a request with a token."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(
            method,
            f"https://{hub.name}{path}?api-version={API_VERSION}",
            headers={"Authorization": token},
            data=b"{}",
            verify=hub.document["caCertificatePath"],
            timeout=30,
        )
    return answer.status_code


def test_a_module_from_registration_to_removal(hub: ScenarioHub) -> None:
    hub.new_device("mods")
    one = ("-d", "mods", "-m", "motor")
    created = az_hub(hub, "module-identity", "create", *one, "--pk", KEY, "--sk", KEY)
    assert (created["moduleId"], created["authentication"]["symmetricKey"]["primaryKey"]) == ("motor", KEY)
    assert az_hub(hub, "module-identity", "show", *one) == created
    assert az_hub(hub, "module-identity", "list", "-d", "mods") == [created]
    string = az_hub(hub, "module-identity", "connection-string", "show", *one)["connectionString"]
    assert string == f"HostName=localhost;DeviceId=mods;ModuleId=motor;SharedAccessKey={KEY}"
    assert signs_in(hub, "mods", "motor", KEY)

    updated = az_hub(hub, "module-identity", "update", *one, "--set", "managedBy=me")
    assert (updated["managedBy"], updated["authentication"]) == ("me", created["authentication"])
    said = refused(hub, "module-identity", "update", *one, "--set", "managedBy=you", "--etag", created["etag"])
    assert "PreconditionFailed" in said

    renewed = az_hub(hub, "module-identity", "renew-key", *one, "--key-type", "both")
    keys = renewed["authentication"]["symmetricKey"]
    assert renewed["managedBy"] == "me"
    assert [signs_in(hub, "mods", "motor", key) for key in (KEY, *keys.values())] == [False, True, True]

    assert hub.az.run("iot hub module-identity delete", *one, "-n", hub.name).code == 0
    assert "ModuleNotFound" in refused(hub, "module-identity", "show", *one, code=3)
    assert "is not registered" in refused(hub, "module-identity", "list", "-d", "nobody", code=3)


def test_twins_of_modules_are_changed_and_replaced_and_the_device_s_is_left_alone(
    hub: ScenarioHub, tmp_path: Path
) -> None:
    hub.new_device("mod-twin")
    one = ("-d", "mod-twin", "-m", "motor")
    az_hub(hub, "module-identity", "create", *one)
    az_hub(hub, "module-twin", "update", *one, "--desired", '{"speed": 3, "old": true}', "--tags", '{"site": "north"}')
    edited = az_hub(hub, "module-twin", "update", *one, "--set", "properties.desired.speed=4", "--remove", "tags.site")
    assert (edited["properties"]["desired"]["speed"], "tags" in edited) == (4, False)
    file = tmp_path / "twin.json"
    shown = hub.az.run("iot hub module-twin show", *one, "-n", hub.name).stdout
    file.write_text(shown.replace('"old": true', '"new": true'))
    replaced = az_hub(hub, "module-twin", "replace", *one, "--json", str(file))["properties"]["desired"]
    assert {name: value for name, value in replaced.items() if name[0] != "$"} == {"speed": 4, "new": True}
    assert "PreconditionFailed" in refused(hub, "module-twin", "replace", *one, "-j", "{}", "--etag", edited["etag"])
    assert "which twins do not have" in refused(hub, "module-twin", "replace", *one, "-j", '{"tag": {}}')

    device = az_hub(hub, "device-twin", "replace", "-d", "mod-twin", "-j", '{"tags": {"a": 1}}')
    assert (device["tags"], device["properties"]["desired"].keys()) == ({"a": 1}, {"$metadata", "$version"})
    assert "tags" not in az_hub(hub, "device-twin", "replace", "-d", "mod-twin", "-j", "{}")


def test_a_certificate_made_for_a_module_is_kept_private(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("mod-cert")
    options = ("-d", "mod-cert", "-m", "motor", "--am", "x509_thumbprint", "--output-dir", str(tmp_path))
    assert az_hub(hub, "module-identity", "create", *options)["authentication"]["type"] == "selfSigned"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mod-cert_motor-cert.pem", "mod-cert_motor-key.pem"]
    assert stat.S_IMODE((tmp_path / "mod-cert_motor-key.pem").stat().st_mode) == 0o600
    assert "signs in by selfSigned" in refused(hub, "generate-sas-token", "-d", "mod-cert", "-m", "motor")


def test_parents_and_children(hub: ScenarioHub) -> None:
    for gateway in ("gw-1", "gw-2"):
        az_hub(hub, "device-identity", "create", "-d", gateway, "--edge-enabled")
    for leaf in ("leaf'1", "leaf-2"):
        hub.new_device(leaf)
    assert "has no parent" in refused(hub, "device-identity", "parent", "show", "-d", "leaf-2", code=3)
    assert az_hub(hub, "device-identity", "parent", "set", "-d", "leaf-2", "--pd", "gw-1") is None
    assert az_hub(hub, "device-identity", "parent", "show", "-d", "leaf-2")["deviceId"] == "gw-1"
    children = ("device-identity", "children")
    assert "--force" in refused(hub, *children, "add", "-d", "gw-2", "--child-list", "leaf'1", "leaf-2")
    assert az_hub(hub, *children, "list", "-d", "gw-2") == []
    assert az_hub(hub, *children, "add", "-d", "gw-2", "--child-list", "leaf'1", "leaf-2", "gw-1", "--force") is None
    assert sorted(az_hub(hub, *children, "list", "-d", "gw-2")) == ["gw-1", "leaf'1", "leaf-2"]
    assert az_hub(hub, *children, "list", "-d", "gw-1") == []
    assert az_hub(hub, *children, "remove", "-d", "gw-2", "--child-list", "gw-1") is None
    assert "Not children of gw-2: gw-1" in refused(hub, *children, "remove", "-d", "gw-2", "--cl", "leaf-2", "gw-1")
    assert az_hub(hub, *children, "remove", "-d", "gw-2", "--remove-all") is None
    assert az_hub(hub, *children, "list", "-d", "gw-2") == []
    keys = az_hub(hub, "device-identity", "show", "-d", "leaf-2", "--query", "authentication.symmetricKey")
    assert keys["primaryKey"]  # the record was written whole: its keys were not made anew


def test_keys_of_all_devices_are_renewed_but_of_those_that_have_none(hub: ScenarioHub) -> None:
    az_hub(hub, "device-identity", "create", "-d", "renew-1", "--pk", KEY, "--sk", KEY)
    az_hub(hub, "device-identity", "create", "-d", "renew-x", "--am", "x509_ca")
    az_hub(hub, "module-identity", "create", "-d", "renew-x", "-m", "motor", "--pk", KEY, "--sk", KEY)
    words = ("iot", "hub", "device-identity", "renew-key", "-n", hub.name, "--kt", "both")
    some = hub.az.run(*words, "-d", "renew-1", "renew-x", "--include-modules")
    assert some.code == 4 and "renew-x" in some.stderr
    assert some.json["rotatedKeys"][0]["id"] == "renew-1" and some.json["rotatedKeys"][1]["moduleId"] == "motor"
    assert not signs_in(hub, "renew-x", "motor", KEY)
    asked = hub.az.run(*words, "-d", "renew-1", "-d", "renew-x", "--exit-zero")
    assert asked.code == 0 and [each["id"] for each in asked.json["rotatedKeys"]] == ["renew-1"], asked.stderr
    alone = hub.az.run(*words, "-d", "renew-x")
    assert (alone.code, alone.stdout) == (1, "") and "has no keys" in alone.stderr
    assert f"az iot hub device-identity show -d renew-x -n {hub.name}" in alone.stderr, alone.stderr
    alone = hub.az.run(*words, "-d", "renew-x", "--exit-zero")
    assert (alone.code, alone.stdout) == (0, "") and "has no keys" in alone.stderr
    every = hub.az.run(*words, "-d", "*", "--im")
    assert (every.code, every.json["errors"]) == (0, [])
    renewed = [(each["id"], each.get("moduleId")) for each in every.json["rotatedKeys"]]
    assert len(set(renewed)) == len(renewed) and {("renew-1", None), ("renew-x", "motor")} <= set(renewed)
    swapped = az_hub(hub, "device-identity", "renew-key", "-d", "renew-1", "--kt", "swap")
    assert KEY not in swapped["authentication"]["symmetricKey"].values()


def test_tokens_open_what_they_are_for_and_nothing_else(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("token")
    events, registry = ("POST", "/devices/token/messages/events"), ("GET", "/devices/token")
    for words, opens_device, opens_registry in (
        ((), 204, 200),
        (("--policy-name", "registryread"), 401, 200),
        (("-d", "token", "--key-type", "secondary", "--duration", "60"), 204, 401),
    ):
        token = az_hub(hub, "generate-sas-token", *words)["sas"]
        assert (status_with(hub, token, *events), status_with(hub, token, *registry)) == (opens_device, opens_registry)
    ends_at = int(parse_qs(token)["se"][0])
    assert 0 < ends_at - time.time() <= 60

    login = az_hub(hub, "connection-string", "show")["connectionString"]
    assert login == hub.document["connectionString"]
    assert login in az_hub(hub, "connection-string", "show", "--all")["connectionString"]
    assert "has one key" in refused(hub, "connection-string", "show", "--kt", "secondary")
    file = tmp_path / "device.txt"
    file.write_text(az_hub(hub, "device-identity", "connection-string", "show", "-d", "token")["connectionString"])
    alone = hub.az.run("iot hub generate-sas-token --debug", "--connection-string", f"@{file}")
    assert file.read_text().rpartition("SharedAccessKey=")[2] not in alone.stderr
    assert status_with(hub, alone.json["sas"], *events) == 204
    beside = refused(hub, "generate-sas-token", "--connection-string", login)
    assert "already says" in beside and login.rpartition("SharedAccessKey=")[2] not in beside
    az_hub(hub, "device-identity", "renew-key", "-d", "token", "--kt", "primary")
    assert status_with(hub, alone.json["sas"], *events) == 401
