"""Device identities and twins, as a user meets them."""

import stat
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub

KEYS_ONLY = "only be used with --auth-method shared_private_key"
THUMBPRINTS_ONLY = "only be used with --auth-method x509_thumbprint"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def identity(hub: ScenarioHub, verb: str, device: str, *options: str) -> dict[str, Any]:
    return dict(hub.az.json("iot hub device-identity", verb, "-n", hub.name, "-d", device, *options))


def refused(hub: ScenarioHub, *words: str) -> str:
    ran = hub.az.run(*words, "-n", hub.name)
    assert ran.code in (1, 3), ran.stderr
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    assert KEY not in ran.stderr
    return ran.stderr


def test_a_device_from_registration_to_removal(hub: ScenarioHub) -> None:
    created = identity(hub, "create", "life-1", "--status", "disabled", "--star", "in the shop")
    assert (created["status"], created["statusReason"]) == ("disabled", "in the shop")
    assert identity(hub, "show", "life-1") == created
    updated = identity(hub, "update", "life-1", "--status", "enabled", "--set", "statusReason=sold")
    assert (updated["status"], updated["statusReason"]) == ("enabled", "sold")
    assert updated["authentication"] == created["authentication"]
    removed = hub.az.run(f"iot hub device-identity delete -n {hub.name} -d life-1")
    assert (removed.code, removed.stdout) == (0, "")
    shown = hub.az.run(f"iot hub device-identity show -n {hub.name} -d life-1")
    assert shown.code == 3
    assert "DeviceNotFound" in shown.stderr


def test_registering_twice_is_a_clear_error(hub: ScenarioHub) -> None:
    hub.new_device("twice")
    assert "DeviceAlreadyExists" in refused(hub, "iot", "hub", "device-identity", "create", "-d", "twice")


def test_keys_that_the_user_gives_are_used_and_checked(hub: ScenarioHub) -> None:
    created = identity(hub, "create", "own-keys", "--pk", KEY, "--sk", KEY)
    assert created["authentication"]["symmetricKey"] == {"primaryKey": KEY, "secondaryKey": KEY}
    words = ("iot", "hub", "device-identity", "connection-string", "show", "-n", hub.name, "-d", "own-keys")
    string = hub.az.json(*words, "--key-type", "secondary")["connectionString"]
    assert string == f"HostName=localhost;DeviceId=own-keys;SharedAccessKey={KEY}"
    assert "--secondary-key" in refused(hub, "iot", "hub", "device-identity", "create", "-d", "half", "--pk", KEY)
    assert "base64" in refused(
        hub, "iot", "hub", "device-identity", "create", "-d", "bad", "--pk", KEY + "!", "--sk", KEY
    )


def test_a_changed_key_keeps_the_other(hub: ScenarioHub) -> None:
    created = identity(hub, "create", "half-key")
    updated = identity(hub, "update", "half-key", "--pk", KEY)
    keys = updated["authentication"]["symmetricKey"]
    assert keys == {"primaryKey": KEY, "secondaryKey": created["authentication"]["symmetricKey"]["secondaryKey"]}


def test_half_a_way_to_sign_in_and_that_of_another_method_are_refused(hub: ScenarioHub) -> None:
    before = identity(hub, "create", "halves")
    update = ("iot", "hub", "device-identity", "update", "-d", "halves")
    assert "Only one key" in refused(hub, *update, "--am", "shared_private_key", "--pk", KEY)
    assert "--primary-thumbprint" in refused(hub, *update, "--am", "x509_thumbprint")
    assert "--primary-thumbprint" in refused(hub, *update, "--am", "x509_thumbprint", "--stp", "AA" * 20)
    assert THUMBPRINTS_ONLY in refused(hub, *update, "--ptp", "AA" * 20)
    assert identity(hub, "show", "halves") == before
    create = ("iot", "hub", "device-identity", "create", "-d", "halves-2")
    assert THUMBPRINTS_ONLY in refused(hub, *create, "--ptp", "AA" * 20)
    assert THUMBPRINTS_ONLY in refused(hub, *create, "--am", "x509_ca", "--stp", "AA" * 20)
    assert KEYS_ONLY in refused(hub, *create, "--am", "x509_ca", "--pk", KEY, "--sk", KEY)
    assert "DeviceNotFound" in refused(hub, "iot", "hub", "device-identity", "show", "-d", "halves-2")


def test_a_self_signed_certificate_is_made_kept_private_and_never_overwritten(hub: ScenarioHub, tmp_path: Path) -> None:
    options = ("--am", "x509_thumbprint", "--valid-days", "5", "--output-dir", str(tmp_path))
    created = identity(hub, "create", "x509-1", *options)
    assert created["authentication"]["type"] == "selfSigned"
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1

    certificate = x509.load_pem_x509_certificate((tmp_path / "x509-1-cert.pem").read_bytes())
    thumbprint = created["authentication"]["x509Thumbprint"]["primaryThumbprint"]
    assert certificate.fingerprint(SHA1()).hex() == thumbprint.lower()
    assert stat.S_IMODE((tmp_path / "x509-1-key.pem").stat().st_mode) == 0o600
    words = ("iot", "hub", "device-identity", "connection-string", "show", "-n", hub.name, "-d", "x509-1")
    assert hub.az.json(*words)["connectionString"] == "HostName=localhost;DeviceId=x509-1;x509=true"
    again = refused(hub, "iot", "hub", "device-identity", "create", "-d", "x509-1", *options)
    assert "cannot be written" in again


def test_no_certificate_is_left_of_what_was_refused(hub: ScenarioHub, tmp_path: Path) -> None:
    options = ("--am", "x509_thumbprint", "--output-dir", str(tmp_path))
    create = ("iot", "hub", "device-identity", "create", *options)
    assert KEYS_ONLY in refused(hub, *create, "-d", "x509-2", "--pk", KEY, "--sk", KEY)
    assert "Only one key" in refused(hub, *create, "-d", "x509-2", "--pk", KEY)
    assert "--status-reason" in refused(hub, *create, "-d", "x509-2", "--status-reason", "x" * 200)
    assert "at most" in refused(hub, *create, "-d", "x509-2", "--valid-days", "99999999")
    identity(hub, "create", "x509-taken")
    assert "DeviceAlreadyExists" in refused(hub, *create, "-d", "x509-taken")
    modules = ("iot", "hub", "module-identity", "create", *options, "-d", "x509-taken", "-m", "m")
    assert KEYS_ONLY in refused(hub, *modules, "--pk", KEY, "--sk", KEY)
    assert not list(tmp_path.iterdir())
    (tmp_path / "x509-2-cert.pem").write_text("of somebody else")
    assert "cannot be written" in refused(hub, *create, "-d", "x509-2")
    assert [each.name for each in tmp_path.iterdir()] == ["x509-2-cert.pem"]


def test_an_update_of_what_changed_meanwhile_is_refused(hub: ScenarioHub) -> None:
    before = identity(hub, "create", "etags")
    identity(hub, "update", "etags", "--status", "disabled")
    command = ("iot", "hub", "device-identity")
    etag = ("-d", "etags", "--etag", before["etag"])
    assert "PreconditionFailed" in refused(hub, *command, "update", *etag, "--status", "enabled")
    assert identity(hub, "show", "etags")["status"] == "disabled"
    assert "PreconditionFailed" in refused(hub, *command, "delete", *etag)


def twin(hub: ScenarioHub, verb: str, device: str, *options: str) -> dict[str, Any]:
    return dict(hub.az.json("iot hub device-twin", verb, "-n", hub.name, "-d", device, *options))


def test_a_twin_is_changed_by_patch_by_file_and_by_path(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("twin-1")
    file = tmp_path / "tags.json"
    file.write_text('\ufeff{"site": {"floor": 3, "room": "x"}}', encoding="utf-8")
    changed = twin(hub, "update", "twin-1", "--desired", '{"BuildingNo": 45, "list": []}', "--tags", str(file))
    assert changed["tags"] == {"site": {"floor": 3, "room": "x"}}
    other_changes = "tags.site.floor=4 --remove tags.site.room --add properties.desired.list 7"
    edited = twin(hub, "update", "twin-1", "--set", 'properties.desired.deep={"er": true}', *other_changes.split())
    assert edited["tags"] == {"site": {"floor": 4}}
    desired = {key: value for key, value in edited["properties"]["desired"].items() if key[0] != "$"}
    assert desired == {"BuildingNo": 45, "list": [7], "deep": {"er": True}}
    text = twin(hub, "update", "twin-1", "--set", "tags.number=5", "--force-string")
    assert text["tags"]["number"] == "5"


def test_edits_are_carried_out_in_the_order_in_which_they_were_typed(hub: ScenarioHub) -> None:
    hub.new_device("twin-order")
    changed = twin(hub, "update", "twin-order", "--set", "tags.a=1", "--remove", "tags.a", "--set", "tags.b=2")
    assert changed["tags"] == {"b": 2}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Nothing to update"),
        (("--set", "properties.reported.a=1"), "properties.reported"),
        (("--set", "status=disabled"), "status"),
        (("--set", "nonsense"), "path=value"),
        (("--remove", "tags.nowhere.at.all"), "--remove tags.nowhere.at.all"),
        (("--desired", "[1]"), "--desired"),
        (("--tags", "{broken"), "--tags"),
        (("--tags", '{"a": NaN}'), "NaN"),
    ],
)
def test_a_wrong_change_is_refused_and_nothing_changes(hub: ScenarioHub, options: tuple[str, ...], said: str) -> None:
    if hub.az.run(f"iot hub device-identity show -n {hub.name} -d twin-wrong").code:
        hub.new_device("twin-wrong")
    before = twin(hub, "show", "twin-wrong")
    assert said in refused(hub, "iot", "hub", "device-twin", "update", "-d", "twin-wrong", *options)
    assert twin(hub, "show", "twin-wrong") == before


def test_lists_are_cut_at_top_and_filtered_to_edge(hub: ScenarioHub) -> None:
    identity(hub, "create", "edge-1", "--edge-enabled")
    hub.new_device("not-edge")
    for group in ("device-identity", "device-twin"):
        edges = hub.az.json("iot hub", group, "list", "-n", hub.name, "--edge-enabled", "--query", "[].deviceId")
        assert edges == ["edge-1"]
        assert len(hub.az.json("iot hub", group, "list", "-n", hub.name, "--top", "1")) == 1
        assert "--top" in refused(hub, "iot", "hub", group, "list", "--top", "0")


def test_a_query_follows_all_pages(hub: ScenarioHub) -> None:
    from tests.helpers.raw import many_devices

    many_devices(hub.document, [f"page-{number}" for number in range(230)])
    text = "SELECT deviceId FROM devices WHERE STARTSWITH(deviceId, 'page-')"
    assert len(hub.az.json(f"iot hub query -n {hub.name}", "-q", text)) == 230
    assert len(hub.az.json(f"iot hub query -n {hub.name} --top 150", "-q", text)) == 150
    wrong = hub.az.run(f"iot hub query -n {hub.name} -q 'SELECT * FROM nowhere'")
    assert wrong.code == 1
    assert "ArgumentInvalid" in wrong.stderr
    assert "well-formed" in wrong.stderr and "az iot hub query" not in wrong.stderr, "that is what was typed"
