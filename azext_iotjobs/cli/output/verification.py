"""Verification as commands show it: what verifies a device, and how many devices are verified."""

from collections import Counter
from typing import Any

from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.model.verification import Verification

Document = dict[str, Any]
VERIFYING = DeviceState.VERIFYING.value


def render_verification(verification: Verification) -> Document:
    """What verifies that a device was operated."""
    return {
        "condition": verification.condition,
        "withinSeconds": verification.within_s,
        "failedCondition": verification.failed_condition,
    }


def render_plan(verification: Verification, met_count: int | None) -> Document:
    """The same as a member of a preview. met_count: of the hub's devices, that meet it already; None: not counted."""
    return {"verification": {**render_verification(verification), "metByDevicesNow": met_count}}


def command_fields(verification: Verification) -> dict[str, str]:
    """The options of a verification, for a command to paste."""
    failed = {} if verification.failed_condition is None else {"verify_failed": verification.failed_condition}
    return {"verify": verification.condition, "verify_within": f"{verification.within_s:g}s", **failed}


class VerifiedCounts:
    """Counts devices by what came of their verification."""

    def __init__(self) -> None:
        self.verified = 0
        self.verifying = 0  # nothing was decided on them
        self.by_class = Counter[str]()  # of those that failed, before it too

    def add(self, row: DeviceResult) -> None:
        """One more device."""
        if row.error_class is not None:
            self.by_class[row.error_class.value] += 1
        self.verified += row.verified_at is not None
        self.verifying += row.status == VERIFYING

    def document(self) -> Document:
        """Under the names that commands show."""
        return {
            "verified": self.verified,
            "notVerified": self.by_class[ErrorClass.NOT_VERIFIED.value],
            "verifying": self.verifying,
            "byErrorClass": dict(self.by_class),
        }


def verifying_line(count: int, left_s: float) -> str:
    """How many devices are being verified, and for how long."""
    return f"{count} verifying, for {left_s:.0f} s at most"
