"""Verification: which conditions are taken, which members of a twin they name, and how a verdict reads."""

from datetime import datetime, timezone
from typing import Any

import pytest

from azext_iotjobs.model.condition_paths import named_paths
from azext_iotjobs.model.errors import BadValue, UserError
from azext_iotjobs.model.verification import (
    MAX_CONDITION_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    Verdict,
    Verification,
    VerificationFailure,
    VerifyingDevice,
    failure_text,
)

NOW = datetime(2026, 5, 1, tzinfo=timezone.utc)
CONDITION = "properties.reported.firmware.version = '2.0.1'"
DEVICE = VerifyingDevice(key=1, device_id="d", module_id=None, began_at=NOW, verify_by=NOW)


def verdict(failure: VerificationFailure | None, reported: dict[str, Any] | None) -> Verdict:
    return Verdict(device=DEVICE, at=NOW, failure=failure, reported=reported)


@pytest.mark.parametrize(
    ("condition", "paths"),
    [
        (CONDITION, ["properties.reported.firmware.version"]),
        ("tags.a = 1 AND (tags.b > 2 OR NOT tags.a = 3)", ["tags.a", "tags.b"]),
        ("IS_DEFINED(properties.reported.[[odd name]].x)", ["properties.reported.odd name.x"]),
        ("STARTSWITH(devices.properties.reported.v, '2.') AND tags.site IN ['a', 'b']", None),
        ("deviceId = 'a' AND moduleId = 'm' AND connectionState = 'Connected'", ["connectionState"]),
        ("properties.reported.v = true AND properties.reported.w != null", None),
        ("'properties.reported.text' = tags.a", ["tags.a"]),
    ],
)
def test_the_members_that_a_condition_names_are_found(condition: str, paths: list[str] | None) -> None:
    found = [".".join(path) for path in named_paths(condition)]
    if paths is None:
        assert len(found) == 2 and all("." in each for each in found) and "true" not in found
    else:
        assert found == paths


def test_what_is_recorded_of_a_device_are_the_members_of_both_conditions_each_once() -> None:
    both = Verification(condition=f"{CONDITION} AND tags.a = 1", failed_condition="tags.a = 2 OR tags.c = 1")
    assert [".".join(path) for path in both.paths] == ["tags.a", "tags.c", "properties.reported.firmware.version"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"condition": "  "}, "verify is blank"),
        ({"condition": "*"}, "is met by every device"),
        ({"condition": "tags.a = 1) OR (tags.b = 2"}, "closes what is not open"),
        ({"condition": "tags.a = 'x"}, "quote is opened and not closed"),
        ({"condition": "SELECT * FROM devices"}, "whole query"),
        ({"condition": "tags.a LIKE 'x%'"}, "has no LIKE"),
        ({"condition": "FROM devices.jobs WHERE jobId = 'a'"}, "what follows WHERE"),
        ({"condition": "FROM devices.modules AS m WHERE m.tags.a = 1"}, "what follows WHERE"),
        ({"condition": f"tags.a = '{'x' * MAX_CONDITION_CHARACTERS}'"}, "at most 4000"),
        ({"condition": CONDITION, "failed_condition": " "}, "verify_failed is blank"),
        ({"condition": CONDITION, "failed_condition": f"{CONDITION} "}, "the same condition"),
        ({"condition": CONDITION, "within_s": 9}, "give 10s to 30d"),
        ({"condition": CONDITION, "within_s": 31 * 86_400}, "give 10s to 30d"),
        ({"condition": CONDITION, "within_s": float("nan")}, "give 10s to 30d"),
    ],
)
def test_what_can_verify_nothing_is_refused_and_named(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Verification(**fields)


def test_a_condition_may_be_on_the_twins_of_modules() -> None:
    of_modules = Verification(condition="from devices.modules where moduleId = '$edgeAgent' AND tags.a = 1").wanted
    assert of_modules == ("moduleId = '$edgeAgent' AND tags.a = 1", True)
    assert Verification(condition=CONDITION).wanted == (CONDITION, False)
    with pytest.raises(BadValue):
        Verification(condition="FROM devices.modules")


def test_a_verdict_reads_as_a_sentence_with_what_was_reported_and_is_not_long() -> None:
    assert failure_text(verdict(None, {})) is None
    failed = failure_text(verdict(VerificationFailure.REPORTED_FAILURE, {"tags.a": "no\n\x1b[2J"}))
    assert failed == 'It was operated, and reports a failure: tags.a = "no\\n\\u001b[2J".', "nothing steers a terminal"
    late = failure_text(verdict(VerificationFailure.NOT_IN_TIME, {"tags.a": "x" * 5_000}))
    assert late is not None and MAX_TEXT_CHARACTERS < len(late) < MAX_TEXT_CHARACTERS + 200
    assert "nothing of it" in str(failure_text(verdict(VerificationFailure.NOT_IN_TIME, {})))
    assert "no twin" in str(failure_text(verdict(VerificationFailure.NOT_IN_TIME, None)))
