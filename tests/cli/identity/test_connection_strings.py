"""Connection strings that are printed: our own reader reads them back, or a warning says that it does not."""

import pytest

from azext_iotjobs.cli.identity.connection_strings import connection_string
from azext_iotjobs.cli.identity.tokens import show_connection_string
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.identity import Identity
from azext_iotjobs.model.ids import DEVICE
from tests.cli.identity.test_tokens import EVENTS, KEY, azure, typed


def identity(device: str, module: str | None = None, sign_in: str = "sas") -> Identity:
    return Identity(
        device_id=device,
        module_id=module,
        etag="",
        sign_in=sign_in,
        primary_key=KEY,
        secondary_key=KEY,
        is_edge=False,
        is_enabled=True,
        scope=None,
        parent_scopes=(),
        document={},
    )


@pytest.mark.parametrize("sign_in", ["sas", "selfSigned", "certificateAuthority"])
@pytest.mark.parametrize("device", ["pump;1", "a;ModuleId=m", ";", "a;", "x;SharedAccessKeyName=iothubowner"])
def test_a_device_id_with_a_semicolon_is_warned_of_and_the_string_stays(
    said: pytest.LogCaptureFixture, device: str, sign_in: str
) -> None:
    text = connection_string("h", identity(device, sign_in=sign_in), "primary")["connectionString"]
    assert f";DeviceId={device};" in text
    (record,) = said.records
    assert f"DeviceId {device!r} holds a semicolon" in record.getMessage() and KEY not in record.getMessage()


def test_a_module_id_with_a_semicolon_is_warned_of(said: pytest.LogCaptureFixture) -> None:
    connection_string("h", identity("d", "m;1"), "secondary")
    assert "ModuleId 'm;1' holds a semicolon" in said.text


def test_every_other_id_is_read_back_without_a_warning(said: pytest.LogCaptureFixture) -> None:
    for sign in sorted(DEVICE.alphabet - {";"}):
        for name in (f"pump{sign}1", f"{sign}x", f"x{sign}"):
            text = connection_string("h", identity(name, name), "primary")["connectionString"]
            read = parse_connection_string(text)
            assert (read.device_id, read.module_id, read.key) == (name, name, KEY)
    assert said.text == ""


@pytest.mark.parametrize("of_events", [False, True])
def test_a_policy_name_with_a_semicolon_is_warned_of(said: pytest.LogCaptureFixture, of_events: bool) -> None:
    double = azure(**EVENTS)
    for answer in double.answers.values():
        for item in answer[1]["value"]:
            if item.get("keyName") == "service":
                item["keyName"] = "ser;vice"
    hub = typed(double, our_hub_name="myHub")
    show_connection_string(hub, our_default_eventhub=of_events)
    assert said.text == ""
    show_connection_string(hub, our_policy_name="ser;vice", our_default_eventhub=of_events)
    assert "SharedAccessKeyName 'ser;vice' holds a semicolon" in said.text and KEY not in said.text
