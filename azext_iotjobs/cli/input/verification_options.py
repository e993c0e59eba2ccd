"""What verifies that a device was operated, as typed -> its Verification.

The model is imported where it is used: most commands that have these options start without them.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from azext_iotjobs.model.verification import Verification

NONE = "none"  # takes the verification, or what fails it, away


class VerificationOptions(NamedTuple):
    """Verification; None where nothing was typed."""

    verify: str | None = None
    verify_within: str | None = None
    verify_failed: str | None = None

    @property
    def asks_hub(self) -> bool:
        """Whether the hub has to read what was typed: a condition."""
        return self.verify not in (None, NONE) or self.verify_failed not in (None, NONE)

    def read(self) -> "Verification | None":
        """What was typed, where there is nothing to change; None: nothing. Raises UserError, naming the option."""
        for option, condition in (("--verify", self.verify), ("--verify-failed", self.verify_failed)):
            if condition == NONE:
                from azext_iotjobs.model.errors import BadValue

                raise BadValue(
                    f"{option} none: nothing is saved here that it could remove.", hint=f"Leave out {option}."
                )
        return None if self == VerificationOptions() else self.onto(None)

    def onto(self, old: "Verification | None") -> "Verification | None":
        """A new verification, `old` with what was typed, or none. Raises UserError, naming the option."""
        from dataclasses import replace

        from azext_iotjobs.model.errors import MissingChoice
        from azext_iotjobs.model.verification import EXAMPLE, Verification

        is_gone = self.verify == NONE or (self.verify is None and old is None)
        if is_gone and (self.verify_within is not None or self.verify_failed is not None):
            raise MissingChoice("--verify-within and --verify-failed go with --verify.", hint=f"--verify {EXAMPLE}")
        if is_gone:
            return None
        changes = self._changes()
        return Verification(**changes) if old is None else replace(old, **changes)

    def _changes(self) -> dict[str, Any]:
        """What was typed, as fields of a Verification."""
        changes: dict[str, Any] = {}
        if self.verify is not None:
            changes["condition"] = self.verify
        if self.verify_within is not None:
            from azext_iotjobs.cli.input.durations import duration_s

            changes["within_s"] = duration_s(self.verify_within, "--verify-within")
        if self.verify_failed is not None:
            changes["failed_condition"] = None if self.verify_failed == NONE else self.verify_failed
        return changes
