"""Items of bulk requests: what becomes of a device, and that nothing of it is lost on the way."""

from typing import Any

import pytest

from azext_iotjobs.clients.bulk_codec import render_change, render_creation, render_tags
from azext_iotjobs.clients.identity_codec import parse_identity, thumbprints_in
from azext_iotjobs.model.bulk import IdentityChange, NewDevice
from azext_iotjobs.model.identity import NewIdentity, SignIn

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PRINT = "AB" * 20
RECORD = {
    "deviceId": "d1",
    "etag": "e7",
    "generationId": "1",
    "connectionState": "Connected",
    "status": "disabled",
    "statusReason": "in the shop",
    "authentication": {"type": "sas", "symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}},
    "capabilities": {"iotEdge": True},
    "deviceScope": "ms-azure-iot-edge://d1-1",
}
KEPT = {name: RECORD[name] for name in ("status", "statusReason", "authentication", "capabilities", "deviceScope")}


def test_a_device_is_created_with_all_that_it_is_to_be() -> None:
    identity = NewIdentity(
        device_id="d1", sign_in=SignIn.THUMBPRINT, primary_thumbprint=PRINT, is_enabled=False, status_reason="sold"
    )
    assert render_creation(NewDevice(identity=identity, tags={"a": 1})) == {
        "id": "d1",
        "importMode": "create",
        "status": "disabled",
        "statusReason": "sold",
        "capabilities": {"iotEdge": False},
        "authentication": {
            "type": "selfSigned",
            "x509Thumbprint": {"primaryThumbprint": PRINT, "secondaryThumbprint": None},
        },
        "tags": {"a": 1},
    }


@pytest.mark.parametrize(
    ("sign_in", "status", "changed"),
    [
        (
            NewIdentity(device_id="d1", sign_in=SignIn.CA),
            None,
            {"authentication": {"type": "certificateAuthority"}},
        ),
        (None, NewIdentity(device_id="d1", status_reason="back"), {"status": "enabled", "statusReason": "back"}),
        (None, NewIdentity(device_id="d1"), {"status": "enabled"}),
    ],
)
def test_a_change_leaves_all_else_as_it_is(
    sign_in: NewIdentity | None, status: NewIdentity | None, changed: dict[str, Any]
) -> None:
    item = render_change(IdentityChange(now=parse_identity(RECORD), sign_in=sign_in, status=status))
    assert item == {"id": "d1", "importMode": "updateIfMatchETag", "eTag": "e7", **KEPT, **changed}


def test_tags_are_merged_into_a_twin() -> None:
    assert render_tags("d1", {"a": None}) == {"id": "d1", "importMode": "updateTwin", "tags": {"a": None}}


@pytest.mark.parametrize(
    ("member", "found"),
    [
        ({"primaryThumbprint": "a", "secondaryThumbprint": "b"}, ("a", "b")),
        ({"PrimaryThumbprint": "a", "SecondaryThumbprint": None}, ("a", None)),
        (None, (None, None)),
        ("odd", (None, None)),
    ],
)
def test_thumbprints_are_read_as_identities_and_twins_spell_them(member: Any, found: tuple[Any, Any]) -> None:
    assert thumbprints_in(member) == found
