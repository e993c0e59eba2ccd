"""An event as it is shown: the reference's members, in its order."""

import json
from typing import Any

import pytest

from azext_iotjobs.cli.events.document import event_document
from azext_iotjobs.cli.events.payload import Payload
from azext_iotjobs.model.device_event import DeviceEvent

EVENT = DeviceEvent(
    partition="0",
    offset="7",
    sequence_number=7,
    device_id="pump-1",
    module_id="m1",
    body=b"",
    system={"message_id": "a", "user_id": "", "content_type": "application/json"},
    application={"site": "north"},
    annotations={"dt-dataschema": "dtmi:x;1", "dt-subject": "motor", "x-opt-offset": "7"},
)
PLAIN = {"origin": "pump-1", "module": "m1", "interface": "dtmi:x;1", "component": "motor"}
SYSTEM = {"message_id": "a", "content_type": "application/json"}


@pytest.mark.parametrize(
    ("kinds", "more"),
    [
        ([], {}),
        (["sys"], {"properties": {"system": SYSTEM}}),
        (["app"], {"properties": {"application": {"site": "north"}}}),
        (["anno"], {"annotations": dict(EVENT.annotations)}),
        (["app", "sys"], {"properties": {"system": SYSTEM, "application": {"site": "north"}}}),
        (
            ["all"],
            {
                "properties": {"system": SYSTEM, "application": {"site": "north"}},
                "annotations": dict(EVENT.annotations),
            },
        ),
    ],
)
def test_members_come_in_the_references_order(kinds: list[str], more: dict[str, Any]) -> None:
    shown = event_document(EVENT, Payload({"t": 1}), kinds)
    assert json.dumps(shown) == json.dumps({"event": {**PLAIN, **more, "payload": {"t": 1}}})
