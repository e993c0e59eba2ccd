"""A session with what surrounds it: time moved by hand, a hub that accepts connections and acknowledges."""

import math
from datetime import datetime, timedelta, timezone
from typing import Any

from azext_iotjobs.simulator.behaviour import Behaviour, rng_of
from azext_iotjobs.simulator.events import (
    Action,
    Activity,
    ActivityKind,
    AnswerMethod,
    Connect,
    DesiredPatched,
    DeviceInfo,
    Disconnect,
    Due,
    Event,
    FetchTwin,
    MethodCalled,
    Moment,
    Offline,
    Online,
    Report,
    ReportAnswered,
    SendTelemetry,
    Started,
    Subscribe,
    Subscribed,
    TwinFetched,
)
from azext_iotjobs.simulator.merging import merged
from azext_iotjobs.simulator.parts.context import ConnectionState
from azext_iotjobs.simulator.session import Session

BEGIN = datetime(2026, 11, 21, 8, 0, tzinfo=timezone.utc)


class DrivenSession:
    """One device; connecting takes no time, and reports are accepted unless `refuses` says otherwise."""

    def __init__(
        self, behaviour: Behaviour, device_id: str = "pump-1", seed: str = "1", begin: datetime = BEGIN, **device: Any
    ) -> None:
        self.device = DeviceInfo(device_id=device_id, **device)
        self.session = Session(behaviour, self.device, rng_of(self.device, seed))
        self.begin = begin
        self.now = 0.0
        self.done: list[tuple[float, Action]] = []
        self.reported: dict[str, Any] = {}
        self.desired: dict[str, Any] = {"$version": 1}
        self.refuses: list[int] = []  # statuses of the next answers to reports
        self._rids = 0
        self.handle(Started())

    @property
    def is_ready(self) -> bool:
        return self.session.state is ConnectionState.READY

    def handle(self, event: Event) -> list[Action]:
        """Let an event happen; gives the actions that follow at once."""
        actions = self.session.on(event, Moment(self.now, self.begin + timedelta(seconds=self.now)))
        for action in actions:
            self.done.append((self.now, action))
            self._follow(action)
        return actions

    def run_until(self, at: float) -> None:
        """Let time pass."""
        turns = 0
        while self.session.next_at <= at:
            self.now = max(self.now, self.session.next_at)
            self.handle(Due())
            turns += 1
            assert turns < 100_000, "it spins"
        self.now = at

    def run_for(self, seconds: float) -> None:
        self.run_until(self.now + seconds)

    def call(self, name: str, payload: Any = None) -> str:
        """Call a method; gives the request id."""
        self._rids += 1
        self.handle(MethodCalled(rid=str(self._rids), name=name, payload=payload))
        return str(self._rids)

    def desire(self, **changes: Any) -> None:
        """Change desired properties; a ready device receives the change."""
        self.desired = _without_nulls(merged(self.desired, changes))
        self.desired["$version"] += 1
        if self.is_ready:
            self.handle(DesiredPatched({**changes, "$version": self.desired["$version"]}))

    def lose_link(self) -> None:
        self.handle(Offline())

    def link(self) -> None:
        self.handle(Online())
        if self.session.state is ConnectionState.LISTENING:
            self.handle(Subscribed())

    @property
    def answers(self) -> list[tuple[float, AnswerMethod]]:
        return [(at, each) for at, each in self.done if isinstance(each, AnswerMethod)]

    @property
    def reports(self) -> list[tuple[float, dict[str, Any]]]:
        return [(at, dict(each.patch)) for at, each in self.done if isinstance(each, Report)]

    @property
    def messages(self) -> list[tuple[float, SendTelemetry]]:
        return [(at, each) for at, each in self.done if isinstance(each, SendTelemetry)]

    def activities(self, what: ActivityKind) -> list[Activity]:
        return [each for _, each in self.done if isinstance(each, Activity) and each.kind is what]

    def connection_changes(self, until: float = math.inf) -> list[tuple[float, str]]:
        """When it connected and disconnected."""
        words = {Connect: "come", Disconnect: "leave"}
        return [(at, words[type(each)]) for at, each in self.done if type(each) in words and at <= until]

    def _follow(self, action: Action) -> None:
        match action:
            case Connect():
                self.link()
            case Disconnect():
                self.handle(Offline())
            case Subscribe():
                pass  # `link` acknowledges it
            case Report():
                assert self.is_ready, "only a ready device reports"
                status = self.refuses.pop(0) if self.refuses else 204
                if status == 204:
                    self.reported = _without_nulls(merged(self.reported, action.patch))
                self.handle(ReportAnswered(rid=action.rid, status=status))
            case FetchTwin():
                reported = {**self.reported, "$version": 1}
                self.handle(TwinFetched(rid=action.rid, desired=dict(self.desired), reported=reported))
            case SendTelemetry():
                assert self.is_ready, "only a ready device sends"
            case _:
                pass


def _without_nulls(document: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in document.items()
        if value is not None
    }
