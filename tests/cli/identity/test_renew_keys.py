"""az iot hub device-identity renew-key and module-identity renew-key: one by its record, several by one request."""

import base64
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.identity.renew_keys import renew_devices, renew_modules
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.target import HubTarget
from tests.helpers.registry_double import RegistryDouble, keyed


class Cmd:
    """What a handler is given of az: remembers what is to happen once the result is printed."""

    def __init__(self) -> None:
        self.at_end: list[Any] = []
        self.cli_ctx = SimpleNamespace(register_event=lambda _name, act: self.at_end.append(act))

    @property
    def exit_code(self) -> int:
        if not self.at_end:
            return 0
        with pytest.raises(SystemExit) as left:
            self.at_end[0]()
        return int(left.value.code or 0)


@pytest.fixture
def registry() -> RegistryDouble:
    return RegistryDouble(
        keyed("d1"),
        keyed("d2"),
        keyed("d1", "m1"),
        keyed("d1", "m2"),
        {"deviceId": "d1", "moduleId": "$edgeAgent", "authentication": {"type": "none"}},
        {"deviceId": "x", "authentication": {"type": "certificateAuthority"}},
    )


@pytest.fixture
def client(registry: RegistryDouble) -> HubClient:
    return HubClient(HubTarget(host="h"), registry)


def keys_of(record: dict[str, Any]) -> tuple[str, str]:
    keys = record["authentication"]["symmetricKey"]
    return keys["primaryKey"], keys["secondaryKey"]


@pytest.mark.parametrize(
    ("which", "kept"), [("primary", (False, True)), ("secondary", (True, False)), ("both", (False, False))]
)
def test_a_renewed_key_is_new_and_as_long_as_the_hubs_own(
    client: HubClient, registry: RegistryDouble, which: str, kept: tuple[bool, bool]
) -> None:
    record = renew_devices(Cmd(), client, ["d1"], our_key_type=which)
    assert tuple(key == old for key, old in zip(keys_of(record), ("AAAA", "BBBB"), strict=True)) == kept
    assert all(len(base64.b64decode(key)) == 32 for key in keys_of(record) if key not in ("AAAA", "BBBB"))
    (put,) = registry.puts
    assert put.headers["If-Match"] == '"etag-of-d1"'
    assert put.body["status"] == "enabled"  # the record is written whole


def test_swapped_keys_change_places(client: HubClient, registry: RegistryDouble) -> None:
    assert keys_of(renew_modules(Cmd(), client, "d1", ["m1"], our_key_type="swap", our_etag="mine")) == ("BBBB", "AAAA")
    (put,) = registry.puts
    assert (put.path, put.headers["If-Match"]) == ("/devices/d1/modules/m1", '"mine"')


def test_one_without_keys_is_refused(client: HubClient, registry: RegistryDouble) -> None:
    with pytest.raises(BadValue, match="device x has no keys"):
        renew_devices(Cmd(), client, ["x"], our_key_type="primary")
    assert registry.puts == []


@pytest.mark.parametrize(
    "renew",
    [
        lambda client: renew_devices(Cmd(), client, ["x"], our_key_type="primary", exit_zero=True),
        lambda client: renew_modules(Cmd(), client, "d1", ["$edgeAgent"], our_key_type="both", exit_zero=True),
    ],
)
def test_one_without_keys_is_told_and_ends_with_0_when_that_is_asked_for(
    client: HubClient,
    registry: RegistryDouble,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    renew: Callable[[HubClient], Any],
) -> None:
    with pytest.raises(SystemExit) as left:
        renew(client)
    assert left.value.code == 0
    assert "has no keys" in caplog.text and "-identity show -d" in capsys.readouterr().err
    assert registry.puts == []


def test_what_was_not_renewed_of_several_ends_with_0_when_that_is_asked_for(
    client: HubClient, registry: RegistryDouble
) -> None:
    registry.refused = {"x"}
    cmd = Cmd()
    assert renew_devices(cmd, client, ["d1", "x"], our_key_type="primary", exit_zero=True)["errors"]
    assert cmd.exit_code == 0
    registry.refused = {"d1"}
    assert renew_modules(cmd, client, "d1", ["m1", "m2"], our_key_type="primary", exit_zero=True)["errors"]
    assert cmd.exit_code == 0


def test_several_are_renewed_by_the_hub_each_once_with_the_modules_that_have_keys(
    client: HubClient, registry: RegistryDouble
) -> None:
    cmd = Cmd()
    result = renew_devices(cmd, client, ["d1", "d2", "d1"], our_key_type="both", our_include_modules=True)
    items = [{"id": "d1"}, {"id": "d1", "moduleId": "m1"}, {"id": "d1", "moduleId": "m2"}, {"id": "d2"}]
    assert result == {"policyKey": "both", "errors": [], "rotatedKeys": items}
    (renewal,) = registry.renewals
    assert (renewal.body["policyKey"], renewal.body["devices"]) == ("both", items)
    assert renewal.query["api-version"] == "2024-03-31"
    assert not renewal.may_repeat
    assert cmd.exit_code == 0


def test_all_devices_and_modules_are_asked_for_by_two_queries(client: HubClient, registry: RegistryDouble) -> None:
    registry.rows = [{"deviceId": "d1", "moduleId": "m1", "authenticationType": "sas"}]
    renew_devices(Cmd(), client, ["*"], our_key_type="primary", our_include_modules=True)
    assert registry.queries == [
        "SELECT deviceId FROM devices WHERE authenticationType = 'sas'",
        "SELECT deviceId, moduleId, authenticationType FROM devices.modules",
    ]


def test_many_go_a_hundred_at_a_time_and_come_back_as_one(
    client: HubClient, registry: RegistryDouble, caplog: pytest.LogCaptureFixture
) -> None:
    registry.rows = [{"deviceId": f"n{number}"} for number in range(230)]
    result = renew_devices(Cmd(), client, ["*"], our_key_type="secondary")
    assert [len(each.body["devices"]) for each in registry.renewals] == [100, 100, 30]
    assert (result["policyKey"], len(result["rotatedKeys"])) == ("secondaryKey", 230)
    assert "100 of 230 done." in caplog.text
    caplog.clear()
    renew_devices(Cmd(), client, ["*"], our_key_type="secondary", our_no_progress=True)
    assert caplog.text == ""


@pytest.mark.parametrize("devices", [["d1", "x"], ["x", "nobody"]])
def test_what_was_not_renewed_is_told_and_ends_with_code_4(
    client: HubClient, registry: RegistryDouble, devices: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    registry.refused = {"x", "nobody"}
    cmd = Cmd()
    result = renew_devices(cmd, client, devices, our_key_type="primary")
    assert [each["deviceId"] for each in result["errors"]] == [each for each in devices if each != "d1"]
    assert "Not renewed: device x: no keys" in caplog.text
    assert cmd.exit_code == 4


@pytest.mark.parametrize("more", [{"our_key_type": "swap"}, {"our_key_type": "primary", "our_etag": "e"}])
def test_what_goes_with_one_only_is_refused_for_several(
    client: HubClient, registry: RegistryDouble, more: dict[str, Any]
) -> None:
    with pytest.raises(ConflictingChoice):
        renew_devices(Cmd(), client, ["*"], **more)
    with pytest.raises(ConflictingChoice):
        renew_devices(Cmd(), client, ["d1"], our_include_modules=True, **more)
    with pytest.raises(ConflictingChoice):
        renew_modules(Cmd(), client, "d1", ["m1", "m2"], **more)
    assert registry.renewals == registry.puts == []
