"""az iot local-hub fault: what is typed and what the hub takes are the same."""

from typing import Any

import pytest

from azext_iotjobs.cli.local_hub import faults, params
from azext_iotjobs.localhub.rules import fault as rules
from azext_iotjobs.model.errors import BadRequest, BadValue


def choices(options: tuple[Any, ...], dest: str) -> set[str]:
    """What az's own type of an option lets one type."""
    (found,) = (each for each in options if each.dest == dest)
    return set(found.settings["arg_type"].settings["choices"])


def test_there_is_an_option_for_each_member_and_each_word_that_the_hub_knows() -> None:
    assert list(faults.OPTIONS) == list(rules.MEMBERS)
    typed = {name for option in (*params.FAULT_KIND, *params.FAULT) for name in option.names}
    assert set(faults.OPTIONS.values()) <= typed
    assert choices(params.FAULT_KIND, "our_kind") == {each.value for each in rules.Kind}
    assert choices(params.FAULT, "our_operation") == {each.value for each in rules.Operation}
    assert [each.dest for each in params.FAULT] == list(faults.FaultOptions._fields)


def test_what_was_typed_becomes_the_hubs_document() -> None:
    typed = faults.FaultOptions(our_device_id="pump-*", our_for=2.5, our_status=429, our_retry_after=0, our_times=3)
    document = typed.document("status")
    assert document == {
        "kind": "status",
        "device": "pump-*",
        "times": 3,
        "forSeconds": 2.5,
        "status": 429,
        "retryAfterSeconds": 0,
    }
    assert rules.read_fault(document).retry_after_s == 0


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "The hub answered 400 ArgumentInvalid: delaySeconds: It is missing. It is a number. (tracking id A-B:C)",
            "--delay: It is missing. It is a number.",
        ),
        ("The hub answered 400 ArgumentInvalid: method: No.", "--method-name: No."),
        ("The hub answered 400 ArgumentInvalid: other: No.", None),
        ("The hub answered 413 MessageTooLarge: method: No.", None),
    ],
)
def test_a_refusal_names_the_option_that_was_typed(said: str, shown: str | None) -> None:
    err = BadRequest(said, status=400)
    typed = faults._as_typed(err)
    assert typed is err if shown is None else isinstance(typed, BadValue) and str(typed) == shown
