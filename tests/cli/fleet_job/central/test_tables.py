"""The table of imported documents: a line for each, and below it its members."""

from typing import Any

from azext_iotjobs.cli.fleet_job.central.tables import imported

SAVED: dict[str, Any] = {
    "id": "light",
    "result": "created",
    "became": {"fleetJob": "light", "schedule": "daily at 02:00 UTC"},
    "members": [
        {"member": "displayName", "became": "display name", "note": None},
        {"member": "organizations", "became": None, "note": "no counterpart"},
    ],
}
REFUSED = {**SAVED, "id": None, "document": "f[2]", "result": "refused", "became": None, "reason": "it is text."}
GROUP = {"id": "g", "result": "unchanged", "became": {"group": "North"}, "deviceCount": 0, "members": []}


def test_a_document_and_its_members_are_lines() -> None:
    assert [tuple(each.values()) for each in imported([SAVED, GROUP])] == [
        ("light", "", "created", "fleet job light; schedule daily at 02:00 UTC", ""),
        ("", "displayName", "", "display name", ""),
        ("", "organizations", "not imported", "", "no counterpart"),
        ("g", "", "unchanged", "device group North", "devices now: 0"),
    ]


def test_a_document_that_is_refused_is_one_line_with_its_reason() -> None:
    assert [tuple(each.values()) for each in imported([REFUSED])] == [("f[2]", "", "refused", "", "it is text.")]
