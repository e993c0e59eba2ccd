"""A hub begins with a seed, and writes one: as a file, over REST, and what of it is refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.testing import LocalHub, LocalHubFailed, LocalHubRefused
from tests.helpers.device_certificates import make
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import wait_until

KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="
ROOT = make("root", ca=True)
FLEET = f"""
devices:
  - deviceId: pump-{{1..3}}
    parentDeviceId: gateway
    tags: {{site: north, opened: 2026-12-01}}
    properties: {{desired: {{interval: 30}}, reported: {{firmware: {{version: "1.0"}}}}}}
    modules:
      - moduleId: motor
        properties: {{desired: {{rate: 5}}}}
  - deviceId: gateway
    capabilities: {{iotEdge: true}}
    parentDeviceId: top
  - deviceId: top
    capabilities: {{iotEdge: true}}
    status: disabled
    statusReason: not yet
  - deviceId: by-thumbprint
    authentication: {{x509Thumbprint: {{primaryThumbprint: {ROOT.thumbprint()}}}}}
  - deviceId: by-ca
    authentication: {{type: certificateAuthority}}
  - deviceId: by-key
    authentication: {{symmetricKey: {{primaryKey: {KEY}, secondaryKey: {KEY}}}}}
certificates:
  - name: root
    certificate: |
{"".join(f"      {line}" + chr(10) for line in ROOT.pem.splitlines())}
configurations:
  - id: fan
    priority: 5
    labels: {{by: seed}}
    targetCondition: tags.site = 'south'
    content: {{deviceContent: {{properties.desired.fan: {{speed: 3}}}}}}
    metrics: {{queries: {{done: SELECT deviceId FROM devices}}}}
"""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    file = tmp_path_factory.mktemp("seed") / "fleet.yaml"
    file.write_text(FLEET, encoding="utf-8")
    with LocalHub(seed=file) as hub:
        yield hub


@pytest.fixture(scope="module")
def other() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


@pytest.fixture(autouse=True)
def empty(other: LocalHub) -> None:
    other.request("POST", "/_local/reset")


def test_a_hub_begins_with_what_its_file_has(seeded: LocalHub) -> None:
    twin = seeded.request("GET", "/twins/pump-2")
    assert twin["tags"] == {"site": "north", "opened": "2026-12-01"}
    assert twin["properties"]["desired"]["interval"] == 30
    assert twin["properties"]["reported"]["firmware"] == {"version": "1.0"}
    gateway, top = (seeded.request("GET", f"/devices/{each}") for each in ("gateway", "top"))
    assert twin["deviceScope"] == gateway["deviceScope"] and gateway["parentScopes"] == [top["deviceScope"]]
    assert (top["status"], top["statusReason"]) == ("disabled", "not yet")
    assert seeded.request("GET", "/twins/pump-3/modules/motor")["properties"]["desired"]["rate"] == 5
    kinds = {each: seeded.request("GET", f"/devices/{each}")["authentication"]["type"] for each in ("by-ca", "by-key")}
    assert kinds == {"by-ca": "certificateAuthority", "by-key": "sas"}
    assert seeded.device_connection_string("by-key").endswith(f"SharedAccessKey={KEY}")
    assert [each["name"] for each in seeded.request("GET", "/_local/certificates")] == ["root"]
    assert seeded.request("GET", "/configurations/fan")["labels"] == {"by": "seed"}


def test_what_a_hub_holds_is_a_seed_from_which_another_is_the_same(seeded: LocalHub, other: LocalHub) -> None:
    exported = seeded.export(keys=True)
    assert other.seed(exported) == {
        "created": {"certificates": 1, "devices": 8, "modules": 3, "configurations": 1},
        "existing": {},
    }
    assert other.export(keys=True) == exported
    assert other.device_connection_string("pump-1", "motor").split("SharedAccessKey=")[1] in str(exported)


def test_an_export_without_keys_has_none_and_is_a_seed_too(seeded: LocalHub, other: LocalHub) -> None:
    exported = seeded.export()
    assert "Key" not in str(exported) and "by-key" in str(exported)
    other.seed(exported)
    assert other.export() == exported
    assert other.device_connection_string("by-key") != seeded.device_connection_string("by-key")


def test_the_twins_of_the_systems_modules_of_an_edge_device_are_exported_and_created(other: LocalHub) -> None:
    agent = {"tags": {"a": 1}, "properties": {"desired": {"modules": {}}, "reported": {"version": "1.5"}}}
    hub_twin = {"properties": {"desired": {"routes": {"up": "FROM /* INTO $upstream"}}}}
    modules = [
        {"moduleId": "$edgeAgent", **agent},
        {"moduleId": "$edgeHub", **hub_twin},
        {"moduleId": "camera", "managedBy": "iotEdge", "properties": {"desired": {"rate": 5}}},
    ]
    seed = {"devices": [{"deviceId": "edge-{1..2}", "capabilities": {"iotEdge": True}, "modules": modules}]}
    assert other.seed(seed) == {"created": {"devices": 2, "modules": 6}, "existing": {}}
    twin = other.twin("edge-2", "$edgeAgent")
    assert twin["tags"] == {"a": 1} and twin["properties"]["reported"]["version"] == "1.5"
    kinds = {
        each["moduleId"]: each["authentication"]["type"] for each in other.request("GET", "/devices/edge-1/modules")
    }
    assert kinds == {"$edgeAgent": "none", "$edgeHub": "none", "camera": "sas"}
    assert other.seed(seed) == {"created": {}, "existing": {"devices": 2, "modules": 6}}
    exported = other.export(keys=True)
    assert [each["moduleId"] for each in exported["devices"][0]["modules"]] == ["$edgeAgent", "$edgeHub", "camera"]
    assert exported["devices"][0]["modules"][:2] == modules[:2]
    other.reset()
    other.seed(exported)
    assert other.export(keys=True) == exported


def test_the_systems_modules_without_anything_in_their_twins_are_not_exported(other: LocalHub) -> None:
    other.seed({"devices": [{"deviceId": "edge", "capabilities": {"iotEdge": True}}]})
    assert other.export() == {"devices": [{"deviceId": "edge", "capabilities": {"iotEdge": True}}]}
    agent = {"deviceId": "edge", "capabilities": {"iotEdge": True}, "modules": [{"moduleId": "$edgeAgent", "tags": {}}]}
    assert other.seed({"devices": [agent]}) == {"created": {}, "existing": {"devices": 1, "modules": 1}}


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ({"managedBy": "me"}, "devices[1].modules[0].managedBy: $edgeAgent is made with its device. It may have"),
        ({"authentication": {"type": "sas"}}, "devices[1].modules[0].authentication: $edgeAgent is made with its"),
        ({"tags": {"a.b": 1}}, "devices[1].modules[0]: A key in tags"),
    ],
)
def test_a_mistake_in_a_module_of_the_systems_creates_nothing(
    other: LocalHub, module: dict[str, Any], said: str
) -> None:
    edge = {"deviceId": "edge", "capabilities": {"iotEdge": True}, "modules": [{"moduleId": "$edgeAgent", **module}]}
    with pytest.raises(LocalHubRefused) as caught:
        other.seed({"devices": [{"deviceId": "first"}, edge]})
    assert f"The seed: {said}" in caught.value.text and other.export() == {}


def test_what_is_there_stays_as_it_is(other: LocalHub) -> None:
    other.create_device("pump-1")
    other.request("PATCH", "/twins/pump-1", {"tags": {"site": "south"}})
    again = {"devices": [{"deviceId": "pump-{1..2}", "tags": {"site": "north"}, "modules": [{"moduleId": "motor"}]}]}
    assert other.seed(again) == {"created": {"devices": 1, "modules": 2}, "existing": {"devices": 1}}
    assert other.request("GET", "/twins/pump-1")["tags"] == {"site": "south"}
    assert other.seed(again) == {"created": {}, "existing": {"devices": 2, "modules": 2}}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"deviceId": "a b"}, "devices[1]: 'a b' is not a device id"),
        ({"deviceId": "b", "tags": {"x.y": 1}}, "devices[1]: A key in tags"),
        ({"deviceId": "b", "tags": []}, "devices[1].tags: It has to be an object, such as "),
        ({"deviceId": "b", "status": "off"}, "devices[1]: status must be enabled or disabled."),
        ({"deviceId": "b", "properties": {"reported": {"x": "y" * 5000}}}, "devices[1]: "),
        (
            {"deviceId": "b", "parentDeviceId": "c"},
            "devices[1].parentDeviceId: 'c' is in neither the seed nor the hub.",
        ),
        ({"deviceId": "b", "parentDeviceId": "first"}, "devices[1].parentDeviceId: 'first' is no edge device"),
        ({"deviceId": "b", "modules": [{"moduleId": "$edgeHub"}]}, "devices[1].modules[0]: "),
        ({"deviceId": "b", "authentication": {"symmetricKey": {"primaryKey": "short"}}}, "devices[1]: "),
    ],
)
def test_a_seed_with_a_mistake_creates_nothing(other: LocalHub, item: dict[str, Any], said: str) -> None:
    with pytest.raises(LocalHubRefused) as caught:
        other.seed({"devices": [{"deviceId": "first"}, item]})
    assert (caught.value.status, caught.value.error_code) == (400, "ArgumentInvalid")
    assert f"The seed: {said}" in caught.value.text
    assert other.request("GET", "/devices") == [] and other.export() == {}


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        ({"certificates": [{"name": "a/b", "certificate": ROOT.pem}]}, "certificates[0]: 'a/b' is not a name"),
        ({"certificates": [{"name": "a", "certificate": "x"}]}, "certificates[0]: "),
        ({"configurations": [{"id": "Fan", "content": {"deviceContent": {}}}]}, "configurations[0]: 'Fan' is not"),
        ({"configurations": [{"id": "fan", "content": {}}]}, "configurations[0]: "),
    ],
)
def test_a_mistake_in_what_is_no_device_is_refused_too(other: LocalHub, seed: dict[str, Any], said: str) -> None:
    with pytest.raises(LocalHubRefused) as caught:
        other.seed(seed)
    assert f"The seed: {said}" in caught.value.text and other.export() == {}


def test_keys_is_true_or_false(other: LocalHub) -> None:
    with pytest.raises(LocalHubRefused, match="keys: 'yes' is not allowed. It is true or false"):
        other.request("GET", "/_local/seed?keys=yes")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "none.yaml cannot be read: No such file"),
        ("devices:\n  - deviceId: a\n    parentDeviceId: b", ": devices[0].parentDeviceId: "),
        ("devices: [", ", line 2: this is not YAML: "),
        ("devices:\n  - deviceId: 5", "devices[0].deviceId: It has to be a text, such as "),
        ("devices:\n  - deviceId: a\n    tags: {a.b: 1}", "devices[0]: A key in tags"),
    ],
)
def test_a_hub_with_a_bad_seed_does_not_start(tmp_path: Path, written: str | None, said: str) -> None:
    file = tmp_path / "none.yaml"
    if written is not None:
        file.write_text(written, encoding="utf-8")
    with pytest.raises(LocalHubFailed) as caught:
        LocalHub(seed=file).start()
    assert (
        caught.value.exit_code == 2 and caught.value.errors.startswith(f"--seed {file}") and said in caught.value.errors
    )
    assert "Traceback" not in caught.value.errors


def test_a_seed_is_put_into_a_folder_once_and_what_changed_since_stays(tmp_path: Path) -> None:
    (file := tmp_path / "fleet.yaml").write_text("devices: [{deviceId: a, tags: {site: north}}]", encoding="utf-8")
    with HubProcess(tmp_path / "hub", "--seed", str(file)) as hub:
        key = hub.ok("GET", "/devices/a")["authentication"]["symmetricKey"]["primaryKey"]
        hub.ok("PATCH", "/twins/a", json={"tags": {"site": "south"}})
    with HubProcess(tmp_path / "hub", "--seed", str(file)) as hub:
        assert hub.ok("GET", "/devices/a")["authentication"]["symmetricKey"]["primaryKey"] == key
        assert hub.ok("GET", "/twins/a")["tags"] == {"site": "south"}


def test_a_seed_may_be_larger_than_other_requests(other: LocalHub) -> None:
    large = {"devices": [{"deviceId": f"pump-{each}", "tags": {"note": "x" * 3000}} for each in range(500)]}
    assert other.seed(large) == {"created": {"devices": 500}, "existing": {}}
    assert other.seed(other.export(keys=True)) == {"created": {}, "existing": {"devices": 500}}


@pytest.mark.parametrize("where", ["deviceId", "parentDeviceId", "statusReason"])
def test_half_of_a_character_is_a_mistake_like_others(other: LocalHub, where: str) -> None:
    with pytest.raises(LocalHubRefused, match="not valid Unicode") as caught:
        other.seed({"devices": [{"deviceId": "a", where: "\ud800"}]})
    assert caught.value.status == 400


def test_others_are_answered_while_a_seed_is_read(tmp_path: Path) -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with HubProcess(tmp_path) as hub, ThreadPoolExecutor(1) as threads:
        reading = threads.submit(hub.request, "POST", "/_local/seed", body=laughs.encode())
        answers = 0
        while not reading.done():
            hub.local.request("GET", "/_local/health")
            answers += 1
        assert "more than 2,000,000 values" in reading.result().text
    assert answers > 3


def test_others_are_served_while_devices_are_created(other: LocalHub) -> None:
    with ThreadPoolExecutor(1) as threads:
        creating = threads.submit(other.seed, {"devices": [{"deviceId": "pump-{00001..10000}"}]})
        seen = set()
        while not creating.done():
            counts = other.request("POST", "/devices/query", {"query": "SELECT COUNT() AS n FROM devices"})
            seen.add(counts[0]["n"])
        assert creating.result() == {"created": {"devices": 10_000}, "existing": {}}
    assert any(0 < count < 10_000 for count in seen), f"nobody saw it half done: {seen}"


def test_a_device_may_be_the_child_of_one_whose_id_begins_with_its_own(other: LocalHub) -> None:
    edge = {"capabilities": {"iotEdge": True}}
    other.seed({"devices": [{"deviceId": "pump", "parentDeviceId": "pump-1"}, {"deviceId": "pump-1", **edge}]})
    parent, child = (other.request("GET", f"/devices/{each}") for each in ("pump-1", "pump"))
    assert child["deviceScope"] == parent["deviceScope"]


def test_what_is_there_is_not_judged_by_a_seed(other: LocalHub) -> None:
    other.create_device("pump-1")
    again = {"devices": [{"deviceId": "pump-1", "status": "off", "parentDeviceId": "gone"}, {"deviceId": "pump-2"}]}
    assert other.seed(again) == {"created": {"devices": 1}, "existing": {"devices": 1}}


def test_new_modules_of_a_disabled_device_are_refused_before_anything_is_created(other: LocalHub) -> None:
    item = {"deviceId": "off", "status": "disabled", "modules": [{"moduleId": "motor"}]}
    with pytest.raises(LocalHubRefused, match=r"devices\[1\].modules\[0\]: The device 'off' is .*disabled"):
        other.seed({"devices": [{"deviceId": "first"}, item]})
    assert other.request("GET", "/devices") == []


def test_a_hub_that_is_stopped_while_it_creates_its_seed_ends(tmp_path: Path) -> None:
    (file := tmp_path / "fleet.yaml").write_text("devices: [{deviceId: 'pump-{000001..300000}'}]", encoding="utf-8")
    hub = LocalHub("--log-level", "info", seed=file, data_dir=tmp_path / "hub")
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(hub.start)
        wait_until("devices are created", lambda: _size(tmp_path / "hub") > 3_000_000)
        hub.process.terminate()
        with pytest.raises(LocalHubFailed) as caught:
            starting.result()
    assert caught.value.exit_code == 0 and "Traceback" not in caught.value.errors


def _size(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.glob("hub.db*"))
