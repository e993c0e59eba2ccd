"""Handler of az iot hub monitor-events: what devices send, as it reaches a hub's built-in endpoint."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.events.document import event_document
from azext_iotjobs.cli.events.payload import read_payload
from azext_iotjobs.cli.hub_access.amqp_access import EventsAccess
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.live_documents import LinesFile, format_of, into_file, printer
from azext_iotjobs.clients.events import EventsClient
from azext_iotjobs.model.clock import SystemClock, parse_millis_or_instant, render_instant
from azext_iotjobs.model.device_event import DeviceEvent, EventFilter
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.text import counted, printable
from azext_iotjobs.operations.events.monitor import EventMonitor
from azext_iotjobs.operations.events.watch import Ending, Limits, Watched, watch

logger = get_logger(__name__)

Show = Callable[[dict[str, Any]], bool]


class FilterOptions(NamedTuple):
    """Which events are shown, as typed."""

    our_device_id: str | None = None
    our_module_id: str | None = None
    our_interface: str | None = None
    our_device_query: str | None = None


class ReadingOptions(NamedTuple):
    """From where, until when, and how events are read, as typed."""

    our_consumer_group: str = "$Default"
    our_enqueued_time: str | None = None  # milliseconds since 1970, or an instant
    our_timeout: int = 300  # seconds; 0: no limit
    our_message_count: int | None = None
    our_transport: str | None = None
    our_repair: bool = False  # of earlier versions of the reference; without effect
    our_yes: bool = False  # the same

    def limits(self) -> Limits:
        """When to end. Raises BadValue."""
        count = self.our_message_count
        return Limits(
            count=None if count is None else at_least(count, 1, "--message-count"),
            time_s=float(at_least(self.our_timeout, 0, "--timeout")) or None,
        )

    def enqueued_after_ms(self, now: datetime) -> int | None:
        """Milliseconds since 1970. now: aware UTC.  Raises BadValue, also for a time to come."""
        if self.our_enqueued_time is None:
            return None
        after = parse_millis_or_instant(self.our_enqueued_time, "--enqueued-time")
        if after > now:
            raise BadValue(
                f"--enqueued-time: {render_instant(after)} is to come; nothing was read.",
                hint="What comes from now on is shown without --enqueued-time.",
            )
        return round(after.timestamp() * 1000)


class ShownOptions(NamedTuple):
    """What of events is shown, and where, as typed."""

    our_properties: list[str] | None = None
    our_content_type: str | None = None
    output_file: str | None = None
    exit_zero: bool = False


@takes_option_groups
def monitor_events(
    cmd: Any, client: EventsAccess, *, chosen: FilterOptions, reading: ReadingOptions, shown: ShownOptions
) -> None:
    """Show events until Ctrl-C, a number of them, or a time."""
    limits = reading.limits()
    after_ms = reading.enqueued_after_ms(SystemClock().now())
    wanted = EventFilter(
        device=chosen.our_device_id,
        module=chosen.our_module_id,
        interface=chosen.our_interface,
        device_ids=_queried_devices(client, chosen.our_device_query),
    )
    file = None if shown.output_file is None else LinesFile(shown.output_file)
    try:
        show = printer(cmd, format_of(cmd)) if file is None else into_file(cmd, file)
        watched = _watched(client, reading, after_ms, limits, wanted, _shower(shown, show))
    finally:
        if file is not None:
            file.close()
    _say(watched)
    leave_with(cmd, _outcome(watched, limits), exit_zero=shown.exit_zero)


def _watched(
    access: EventsAccess,
    reading: ReadingOptions,
    after_ms: int | None,
    limits: Limits,
    wanted: EventFilter,
    show: Callable[[DeviceEvent], bool],
) -> Watched:
    clock = SystemClock()
    hub = access.event_hub(reading.our_transport)
    monitor = EventMonitor(
        lambda: EventsClient(hub, reading.our_consumer_group, clock), clock, lambda words: logger.warning("%s", words)
    )
    with stopped_by_ctrl_c() as stop, closing(monitor.events(after_ms)) as events:
        return watch(
            events, wanted, show, limits=limits, stop=stop, clock=clock, on_ready=lambda: _say_beginning(wanted)
        )


def _shower(shown: ShownOptions, show: Show) -> Callable[[DeviceEvent], bool]:
    """What shows an event, and says what is wrong with its body."""

    def show_event(event: DeviceEvent) -> bool:
        content_type = shown.our_content_type or str(event.system.get("content_type") or "")
        payload = read_payload(event.body, content_type, str(event.system.get("content_encoding") or ""))
        if payload.problem is not None:
            logger.warning("%s: %s.", printable(event.device_id) or "an event", payload.problem)
        return show(event_document(event, payload, shown.our_properties or ()))

    return show_event


def _queried_devices(access: EventsAccess, query: str | None) -> frozenset[str] | None:
    """The devices that a query finds now. Raises BadValue for one that finds none, or gives no ids."""
    if query is None:
        return None
    if access.client is None:
        raise ConflictingChoice(
            "--device-query asks a hub, and an Event Hubs connection string names none.",
            hint="Give -n with the hub's name, or --login with its own connection string.",
        )
    rows = list(access.client.queries.run(query))
    ids = frozenset(str(row["deviceId"]) for row in rows if row.get("deviceId"))
    if rows and not ids:
        raise BadValue("--device-query: its rows have no deviceId.", hint="For example: SELECT * FROM devices")
    if not ids:
        raise BadValue("--device-query finds no device; nothing was read.")
    return ids


def _say_beginning(wanted: EventFilter) -> None:
    filters = [
        f"filtering on {name}: {printable(value)},"
        for name, value in (("device", wanted.device), ("module", wanted.module), ("interface", wanted.interface))
        if value is not None
    ]
    if wanted.device_ids is not None:
        filters.append(f"filtering on {counted(len(wanted.device_ids), 'device')} of the query,")
    logger.warning("%s", " ".join(("Starting event monitor,", *filters, "use ctrl-c to stop...")))


def _say(watched: Watched) -> None:
    others = f", {watched.passed_over} not wanted" if watched.passed_over else ""
    why = {Ending.TIME: "The time is over: ", Ending.COUNT: "", Ending.STOPPED: "Stopped: "}[watched.ending]
    logger.warning("%s%s%s.", why, counted(watched.shown, "event"), others)


def _outcome(watched: Watched, limits: Limits) -> Outcome:
    """The time is over before what was waited for has come: so many events, or any."""
    is_short = watched.shown < (limits.count or 1)
    return Outcome.WAIT_OVER if watched.ending is Ending.TIME and is_short else Outcome.SUCCESS
