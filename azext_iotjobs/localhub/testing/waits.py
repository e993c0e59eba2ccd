"""Waiting for what devices do, with a limit, and an error that shows what they did instead."""

import time
from collections.abc import Callable
from typing import Any

from azext_iotjobs.localhub.testing.errors import LocalHubRefused, LocalHubTimeout
from azext_iotjobs.localhub.testing.operations import HubOperations, telemetry_in
from azext_iotjobs.localhub.testing.received import Match, Telemetry, matches, shown, shown_match

DEFAULT_LIMIT_S = 10.0
LONGEST_LIMIT_S = 3600.0
LONGEST_POLL_S = 30  # that the hub waits for an event
POLL_INTERVAL_S = 0.05
SHOWN_MESSAGES = 10
THROTTLED = 429


class HubWaits(HubOperations):
    """Wait for devices. `match` is a predicate, an equal value, or a part of the object that is waited for."""

    def wait_for_telemetry(
        self, device_id: str, match: Match, timeout_s: float = DEFAULT_LIMIT_S, *, after: int = 0
    ) -> Telemetry:
        """Wait for a message of a device, or of a module on it, whose body matches; one may be there already.

        match: of the body.  timeout_s: more than 0, at most 3,600 s.
        after: only messages after this number, such as the last one's; 0: all.
        Raises LocalHubTimeout, which shows what the device has sent.
        """
        ends_at = _end_of(timeout_s)
        others: list[Telemetry] = []
        while True:
            page = self._events_page(after, min(LONGEST_POLL_S, max(0, int(ends_at - time.monotonic()))))
            for each in telemetry_in(page, device_id):
                if matches(each.body, match):
                    return each
                others.append(each)
            if page:
                after = page[-1]["number"]
            elif not _pause_until(ends_at):
                raise LocalHubTimeout(
                    f"No telemetry of {device_id!r} matched {shown_match(match)} within {timeout_s:g} s. "
                    f"{_sent(others)} {self._state_of(device_id)}"
                )

    def wait_connected(
        self, device_id: str, timeout_s: float = DEFAULT_LIMIT_S, *, module_id: str | None = None
    ) -> dict[str, Any]:
        """Wait until a device, or a module on it, is connected; gives its twin.

        timeout_s: more than 0, at most 3,600 s.  Raises LocalHubTimeout; LocalHubRefused for an unknown device.
        """
        return self._wait_for_twin(
            device_id,
            module_id,
            timeout_s,
            lambda twin: bool(twin["connectionState"] == "Connected"),
            lambda twin: f"{device_id!r} was not connected within {timeout_s:g} s: {_state(twin)}",
        )

    def wait_reported(
        self, device_id: str, match: Match, timeout_s: float = DEFAULT_LIMIT_S, *, module_id: str | None = None
    ) -> dict[str, Any]:
        """Wait until the reported properties of a device, or of a module on it, match; gives them.

        A state is waited for: values that are replaced at once may be missed.

        match: of the properties with `$version` and `$metadata`.  timeout_s: more than 0, at most 3,600 s.
        Raises LocalHubTimeout, which shows what is reported; LocalHubRefused for an unknown device.
        """
        twin = self._wait_for_twin(
            device_id,
            module_id,
            timeout_s,
            lambda twin: matches(_reported(twin), match),
            lambda twin: (
                f"What {device_id!r} reported did not match {shown_match(match)} within {timeout_s:g} s. "
                f"It has reported {shown(_without_metadata(_reported(twin)))}. {_state(twin)}"
            ),
        )
        return _reported(twin)

    def _wait_for_twin(
        self,
        device_id: str,
        module_id: str | None,
        timeout_s: float,
        is_good: Callable[[dict[str, Any]], bool],
        error: Callable[[dict[str, Any]], str],
    ) -> dict[str, Any]:
        ends_at = _end_of(timeout_s)
        while True:
            try:
                twin = self.twin(device_id, module_id)
            except LocalHubRefused as err:
                if err.status != THROTTLED or not _pause_until(ends_at):
                    raise
                continue
            if is_good(twin):
                return twin
            if not _pause_until(ends_at):
                raise LocalHubTimeout(error(twin))

    def _state_of(self, device_id: str) -> str:
        try:
            return _state(self.twin(device_id))
        except LocalHubRefused as err:
            return f"Its twin cannot be read: {err}"


def _end_of(timeout_s: float) -> float:
    """The instant at which a wait ends, by the monotonic clock."""
    check_limit(timeout_s)
    return time.monotonic() + timeout_s


def check_limit(timeout_s: float) -> None:
    """Raise ValueError for a time limit that is none."""
    if not 0 < timeout_s <= LONGEST_LIMIT_S:
        raise ValueError(f"timeout_s is {timeout_s:g}: give more than 0 and at most {LONGEST_LIMIT_S:,.0f} seconds.")


def _pause_until(ends_at: float) -> bool:
    """Pause a little; False, without a pause, when the time is over."""
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        return False
    time.sleep(min(POLL_INTERVAL_S, left_s))
    return True


def _sent(messages: list[Telemetry]) -> str:
    if not messages:
        return "It has sent nothing."
    lines = "".join(f"\n  {each}" for each in messages[-SHOWN_MESSAGES:])
    left_out = len(messages) - SHOWN_MESSAGES
    return f"It has sent:{lines}\n" + (f"  and {left_out} before that\n" if left_out > 0 else "")


def _state(twin: dict[str, Any]) -> str:
    return f"Its connection state is {twin['connectionState']}, its status {twin['status']}."


def _reported(twin: dict[str, Any]) -> dict[str, Any]:
    return dict(twin["properties"]["reported"])


def _without_metadata(reported: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reported.items() if not name.startswith("$")}
