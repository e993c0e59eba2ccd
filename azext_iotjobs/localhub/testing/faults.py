"""A fault that was requested of a hub, for tests of what a program does about it. Standard library only."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azext_iotjobs.localhub.testing.running_hub import RunningHub

MEMBERS = {  # of the hub's document, by the argument's name
    **{name: name for name in ("operation", "device", "route", "method", "times", "percent", "seed", "status", "code")},
    "for_s": "forSeconds",
    "delay_s": "delaySeconds",
    "retry_after_s": "retryAfterSeconds",
    "skew_s": "skewSeconds",
}


class Fault:
    """One fault. In a `with` statement it is cleared at the end."""

    def __init__(self, hub: "RunningHub", kind: str, **how: Any) -> None:
        """Request it; `RunningHub.fault` says what there is. Raises LocalHubRefused, which names what is allowed."""
        if unknown := [name for name in how if name not in MEMBERS]:
            raise TypeError(f"A fault has no argument {unknown[0]!r}. There may be {', '.join(MEMBERS)}.")
        named = {MEMBERS[name]: value for name, value in how.items()}
        self._hub = hub
        self._path = f"/_local/faults/{hub.request('POST', '/_local/faults', {'kind': kind, **named})['id']}"

    @property
    def document(self) -> dict[str, Any]:
        """It as the hub has it now. Raises LocalHubRefused once it is cleared."""
        return dict(self._hub.request("GET", self._path))

    @property
    def count(self) -> int:
        """How often it has happened."""
        return int(self.document["appliedCount"])

    @property
    def is_active(self) -> bool:
        """Whether it may still happen: its times are not used up, and its time is not over."""
        return bool(self.document["active"])

    def clear(self) -> None:
        """Let it not happen any more; the hub forgets it. Nothing to do when that was so already."""
        if any(each["id"] == self._path.rpartition("/")[2] for each in self._hub.faults()):
            self._hub.request("DELETE", self._path)

    def __enter__(self) -> "Fault":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
