"""One device's result as a line on stderr, and how much of such lines a command prints while it runs."""

import json

from azext_iotjobs.model.ids import name_of
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.model.text import printable

MAX_FAILURES = 20  # failed devices that are shown where not every row is
SHOWN_CHARACTERS = 120  # of a device's response
HEARTBEAT_S = 30.0  # between two status lines on a stderr where no line can change


def short_row(row: DeviceResult) -> str:
    """One line: pump-1 200 {"ok": true}, verified; nothing of it can steer a terminal."""
    who = name_of(row.device_id, row.module_id)
    if row.method_status is not None and row.error_class is not ErrorClass.NOT_VERIFIED:
        said = f"{row.method_status} {_cut(json.dumps(row.payload, ensure_ascii=False))}"
    else:
        said = f"{row.error_class.value if row.error_class else row.status}: {_cut(row.error_text or '')}"
    return f"{printable(who)} {said}{_verification(row)}"


def _verification(row: DeviceResult) -> str:
    if row.status == DeviceState.VERIFYING.value:
        return ", still verifying"
    return "" if row.verified_at is None else ", verified"


def _cut(text: str) -> str:
    line = printable(text[: SHOWN_CHARACTERS + 1])
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…"
