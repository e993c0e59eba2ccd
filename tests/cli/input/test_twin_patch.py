"""--twin-patch: what only the hub writes is left out and said; what no twin has is refused."""

import json

import pytest

from azext_iotjobs.cli.input.twin_patch import read_twin_patch
from azext_iotjobs.model.errors import BadValue

PATCH = {"tags": {"a": 1}, "properties": {"desired": {"b": None}}}


def test_a_patch_is_read_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    assert read_twin_patch(json.dumps(PATCH)).document == PATCH
    assert caplog.text == ""


@pytest.mark.parametrize(
    "name", ["deviceId", "moduleId", "status", "version", "capabilities", "modelId", "parentScopes", "deviceEtag"]
)
def test_what_only_the_hub_writes_is_left_out_with_a_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert read_twin_patch(json.dumps({name: "x", **PATCH})).document == PATCH
    assert f"--twin-patch: {name} left out" in caplog.text
    assert ("does not select" in caplog.text) == (name == "deviceId")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"tgas": {}, **PATCH}, "has tgas"),
        ({"deviceId": "d", "DeviceID": "d", **PATCH}, "has DeviceID"),
        ({"deviceId": "d"}, "changes nothing"),
        ({"desired": {}, **PATCH}, "`desired` at its root"),
        ({"properties": {"desired": {}, "reported": {}}}, "the device's"),
    ],
)
def test_what_no_twin_has_is_refused(document: dict[str, object], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        read_twin_patch(json.dumps(document))
