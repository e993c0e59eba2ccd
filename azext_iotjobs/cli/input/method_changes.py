"""What was typed about the method of a job or a fleet job."""

from typing import Any

from azext_iotjobs.cli.input.json_option import Given, json_or_file

TIMEOUT_S = 30  # connecting, and answering; where nothing is typed


def method_changes(
    *, name: str | None, payload: Given | None, connect_timeout_s: int | None, response_timeout_s: int | None
) -> dict[str, Any]:
    """What was typed, as fields of a MethodCall; {} when nothing was.

    payload: JSON or a file with it; null is a payload too.  connect_timeout_s, response_timeout_s: seconds.
    Raises BadValue for a payload that is no JSON.
    """
    typed = {"name": name, "connect_timeout_s": connect_timeout_s, "response_timeout_s": response_timeout_s}
    changes: dict[str, Any] = {field: value for field, value in typed.items() if value is not None}
    if payload is not None:
        changes["payload"] = json_or_file(payload, "--method-payload")
    return changes
