"""Connection strings that are printed: what our own reader makes of them is what was put in, or it is said."""

import logging
from collections.abc import Iterator

import pytest

from azext_iotjobs.cli.identity.authentication import connection_string
from azext_iotjobs.cli.identity.tokens import show_connection_string
from azext_iotjobs.model.identity import Identity
from azext_iotjobs.model.ids import DEVICE
from azext_iotjobs.model.target import parse_connection_string
from tests.cli.identity.test_tokens import EVENTS, KEY, azure, typed


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What az's loggers say; knack keeps them from the root."""
    logger = logging.getLogger("cli")
    before, logger.propagate = logger.propagate, True
    yield caplog
    logger.propagate = before


def identity(device: str, module: str | None = None, sign_in: str = "sas") -> Identity:
    return Identity(
        device_id=device, module_id=module, etag="", sign_in=sign_in, primary_key=KEY, secondary_key=KEY,
        is_edge=False, is_enabled=True, scope=None, parent_scopes=(), document={},
    )  # fmt: skip


@pytest.mark.parametrize("sign_in", ["sas", "selfSigned", "certificateAuthority"])
@pytest.mark.parametrize("device", ["pump;1", "a;ModuleId=m", ";", "a;", "x;SharedAccessKeyName=iothubowner"])
def test_a_device_whose_id_ends_a_part_is_said_and_its_string_stays(
    said: pytest.LogCaptureFixture, device: str, sign_in: str
) -> None:
    text = connection_string("h", identity(device, sign_in=sign_in), "primary")["connectionString"]
    assert f";DeviceId={device};" in text
    (record,) = said.records
    assert f"DeviceId {device!r} holds a semicolon" in record.getMessage() and KEY not in record.getMessage()


def test_a_module_whose_id_ends_a_part_is_said(said: pytest.LogCaptureFixture) -> None:
    connection_string("h", identity("d", "m;1"), "secondary")
    assert "ModuleId 'm;1' holds a semicolon" in said.text


def test_every_other_id_is_read_back_and_nothing_is_said(said: pytest.LogCaptureFixture) -> None:
    for sign in sorted(DEVICE.alphabet - {";"}):
        for name in (f"pump{sign}1", f"{sign}x", f"x{sign}"):
            text = connection_string("h", identity(name, name), "primary")["connectionString"]
            read = parse_connection_string(text)
            assert (read.device_id, read.module_id, read.key) == (name, name, KEY)
    assert said.text == ""


@pytest.mark.parametrize("for_event_hubs", [False, True])
def test_a_policy_whose_name_ends_a_part_is_said(said: pytest.LogCaptureFixture, for_event_hubs: bool) -> None:
    double = azure(**EVENTS)
    for answer in double.answers.values():
        for item in answer[1]["value"]:
            if item.get("keyName") == "service":
                item["keyName"] = "ser;vice"
    hub = typed(double, our_hub_name="myHub")
    show_connection_string(hub, for_event_hubs=for_event_hubs)
    assert said.text == ""
    show_connection_string(hub, policy="ser;vice", for_event_hubs=for_event_hubs)
    assert "SharedAccessKeyName 'ser;vice' holds a semicolon" in said.text and KEY not in said.text
