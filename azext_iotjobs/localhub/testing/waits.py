"""Waiting for what devices do, with a limit, and an error that shows what they did instead."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from azext_iotjobs.localhub.testing.errors import LocalHubRefused, LocalHubTimeout
from azext_iotjobs.localhub.testing.observations import CALLS, CONNECTIONS, EVENTS, REPORTED, HubObservations, Log
from azext_iotjobs.localhub.testing.observed import (
    CONNECTED,
    ENDED,
    REFUSED,
    ConnectionChange,
    MethodCall,
    ReportedChange,
    latest,
)
from azext_iotjobs.localhub.testing.received import Match, Telemetry, matches, shown, shown_match

DEFAULT_LIMIT_S = 10.0
LONGEST_LIMIT_S = 3600.0
POLL_INTERVAL_S = 0.05
SHOWN_ENTRIES = 10
THROTTLED = 429

Who = tuple[str, str | None]  # a device, or a module on it
T = TypeVar("T")
Change = TypeVar("Change", ConnectionChange, MethodCall, ReportedChange)


class Anything:
    """A match of whatever there is."""

    def __call__(self, _value: Any) -> bool:
        return True

    def __repr__(self) -> str:
        return "ANYTHING"


ANYTHING = Anything()


class HubWaits(HubObservations):
    """Wait for devices. `match` is a predicate, an equal value, or a part of the object that is waited for."""

    def wait_for_telemetry(
        self,
        device_id: str,
        match: Match,
        timeout_s: float = DEFAULT_LIMIT_S,
        *,
        module_id: str | None = None,
        after: int = 0,
    ) -> Telemetry:
        """Wait for a message of a device, or of a module on it, whose body matches; one may be there already.

        match: of the body.  timeout_s: more than 0, at most 3,600 s.
        module_id: only messages of this module; None: of the device and of all modules on it.
        after: only messages after this number, such as the last one's; 0: all.
        Raises LocalHubTimeout, which shows what the device has sent.
        """
        ends_at = _end_of(timeout_s)
        sender = device_id if module_id is None else f"{device_id}/{module_id}"
        others: list[Telemetry] = []
        for each in self._pages_followed(EVENTS, (device_id, None), after, ends_at):
            if each.is_sent:
                if module_id in (None, each.module_id) and matches(each.body, match):
                    return each
                others.append(each)
        raise LocalHubTimeout(
            f"No telemetry of {sender!r} matched {shown_match(match)} within {timeout_s:g} s. "
            f"{_listed('It has sent:', others) or 'It has sent nothing.'} {self._state_of(device_id)}"
        )

    def wait_for_call(
        self,
        device_id: str,
        method: str | None = None,
        match: Match = ANYTHING,
        timeout_s: float = DEFAULT_LIMIT_S,
        *,
        module_id: str | None = None,
        after: int = 0,
        has_ended: bool = True,
    ) -> MethodCall:
        """Wait until a method of a device, or of a module on it, was called; one may have been already.

        method: its name; None: any.  match: of the call's payload.  timeout_s: more than 0, at most 3,600 s.
        after: only entries after this number, such as that of the last call; 0: all.
        has_ended: False: it is enough that the device has been sent it.
        Raises LocalHubTimeout, which shows how the device was called.
        """

        def is_meant(call: MethodCall) -> bool:
            is_called = method in (None, call.method) and matches(call.payload, match)
            return is_called and (call.has_ended or not has_ended)

        others: list[MethodCall] = []
        for each in self._followed(CALLS, (device_id, module_id), after, _end_of(timeout_s)):
            if is_meant(each):
                return each
            others.append(each)
        what = "No call" if method is None else f"No call of {method!r}"
        payload = "" if match is ANYTHING else f" with a payload that matches {shown_match(match)}"
        seen = _listed("It was called:", latest(others)) or "It was not called."
        raise LocalHubTimeout(
            f"{what} of {device_id!r}{payload} within {timeout_s:g} s. {seen} {self._state_of(device_id, module_id)}"
        )

    def wait_for_connection(
        self,
        device_id: str,
        change: str,
        timeout_s: float = DEFAULT_LIMIT_S,
        *,
        module_id: str | None = None,
        after: int = 0,
    ) -> ConnectionChange:
        """Wait until a device, or a module on it, has connected, was refused or has gone; it may have been already.

        change: "connected", "refused" or "ended".  timeout_s: more than 0, at most 3,600 s.
        after: only entries after this number, such as the last one's; 0: all.
        Raises LocalHubTimeout, which shows what became of the device's connections.
        """
        if change not in (CONNECTED, REFUSED, ENDED):
            raise ValueError(f"change is {change!r}: give {CONNECTED!r}, {REFUSED!r} or {ENDED!r}.")
        others: list[ConnectionChange] = []
        for each in self._followed(CONNECTIONS, (device_id, module_id), after, _end_of(timeout_s)):
            if each.change == change:
                return each
            others.append(each)
        seen = _listed("Its connections:", others) or "It has not tried to connect."
        raise LocalHubTimeout(f"No connection of {device_id!r} was {change} within {timeout_s:g} s. {seen}")

    def wait_connected(
        self, device_id: str, timeout_s: float = DEFAULT_LIMIT_S, *, module_id: str | None = None
    ) -> dict[str, Any]:
        """Wait until a device, or a module on it, is connected; gives its twin.

        One that connects meanwhile counts, also when it has gone again at once.

        timeout_s: more than 0, at most 3,600 s.
        Raises LocalHubTimeout, which shows its connections; LocalHubRefused for an unknown device.
        """
        who = (device_id, module_id)
        ends_at = _end_of(timeout_s)
        twin = self._twin_or_change(CONNECTIONS, who, ends_at, _is_connected, lambda each: each.change == CONNECTED)
        if isinstance(twin, ConnectionChange):
            return self._patient_twin(who, ends_at)
        if _is_connected(twin):
            return twin
        seen = _listed("Its connections:", self._of(CONNECTIONS, who)) or "It has not tried to connect."
        raise LocalHubTimeout(f"{device_id!r} was not connected within {timeout_s:g} s: {_state(twin)} {seen}")

    def wait_reported(
        self, device_id: str, match: Match, timeout_s: float = DEFAULT_LIMIT_S, *, module_id: str | None = None
    ) -> dict[str, Any]:
        """Wait until the reported properties of a device, or of a module on it, match; gives them.

        They are looked at as they are, and after each change meanwhile.

        match: of the properties with `$version` and `$metadata`.
        timeout_s: more than 0, at most 3,600 s.
        Raises LocalHubTimeout, which shows what is and was reported; LocalHubRefused for an unknown device.
        """
        who = (device_id, module_id)
        found = self._twin_or_change(
            REPORTED,
            who,
            _end_of(timeout_s),
            lambda twin: matches(_reported(twin), match),
            lambda change: matches(change.reported, match),
        )
        if isinstance(found, ReportedChange):
            return dict(found.reported)
        if matches(_reported(found), match):
            return _reported(found)
        raise LocalHubTimeout(
            f"What {device_id!r} reported did not match {shown_match(match)} within {timeout_s:g} s. "
            f"It has reported {shown(_without_metadata(_reported(found)))}. "
            f"{_listed('Its changes:', self._of(REPORTED, who))} {_state(found)}"
        )

    def _twin_or_change(
        self,
        log: Log[Change],
        who: Who,
        ends_at: float,
        is_good: Callable[[dict[str, Any]], bool],
        is_meant: Callable[[Change], bool],
    ) -> "dict[str, Any] | Change":
        """The twin as soon as it is good, or a change that is meant; in the end the twin that is not good."""
        twin = self._patient_twin(who, ends_at)
        if is_good(twin):
            return twin
        newest = self._newest(log)  # what changes between this request and the next one is in both
        twin = self._patient_twin(who, ends_at)
        if is_good(twin):
            return twin
        for change in self._followed(log, who, newest, ends_at):
            if is_meant(change):
                return change
        return self._patient_twin(who, ends_at)

    def _followed(self, log: Log[Change], who: Who, after: int, ends_at: float) -> Iterator[Change]:
        """The entries of a device alone, or of a module on it, as they come, until the time is over."""
        return (each for each in self._pages_followed(log, who, after, ends_at) if each.module_id == who[1])

    def _pages_followed(self, log: Log[T], who: Who, after: int, ends_at: float) -> Iterator[T]:
        """The entries of a device and its modules, or of a module alone, as they come, until the time is over."""
        is_over = False
        while not is_over:
            left_s = ends_at - time.monotonic()
            page = self._page(log, *who, after, left_s)
            yield from page.entries
            after = page.next_after
            is_over = left_s <= 0 and page.is_last

    def _of(self, log: Log[Change], who: Who) -> list[Change]:
        """The entries of a device alone, or of a module on it."""
        return [each for each in self._all(log, *who, 0) if each.module_id == who[1]]

    def _patient_twin(self, who: Who, ends_at: float) -> dict[str, Any]:
        """The twin, once the hub is not throttled."""
        while True:
            try:
                return self.twin(*who)
            except LocalHubRefused as err:
                if err.status != THROTTLED or not _pause_until(ends_at):
                    raise

    def _state_of(self, device_id: str, module_id: str | None = None) -> str:
        try:
            return _state(self.twin(device_id, module_id))
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


def _listed(title: str, entries: Sequence[object]) -> str:
    """The newest entries, each on a line of its own; empty when there are none."""
    if not entries:
        return ""
    lines = "".join(f"\n  {each}" for each in entries[-SHOWN_ENTRIES:])
    left_out = len(entries) - SHOWN_ENTRIES
    return f"{title}{lines}\n" + (f"  and {left_out} before that\n" if left_out > 0 else "")


def _is_connected(twin: dict[str, Any]) -> bool:
    return bool(twin["connectionState"] == "Connected")


def _state(twin: dict[str, Any]) -> str:
    return f"Its connection state is {twin['connectionState']}, its status {twin['status']}."


def _reported(twin: dict[str, Any]) -> dict[str, Any]:
    return dict(twin["properties"]["reported"])


def _without_metadata(reported: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reported.items() if not name.startswith("$")}
