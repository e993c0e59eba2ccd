"""What a run waits for, in words: which devices, in which batch, until when, and what ends it. Pure."""

from collections.abc import Sequence
from datetime import datetime, timezone

from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.ids import in_lists, name_of
from azext_iotjobs.model.in_progress import Awaited, HubJobInProgress, WaitingToConnect
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.text import counted, printable

SHOWN_IN_LINE = 3  # devices that the line that changes names
NOT_LISTED = "the hub has not said which"


def in_short(awaited: Sequence[Awaited]) -> str:
    """waiting for d-007 and 2 more until 12:31:05 UTC"""
    names = [in_lists(printable(name)) for each in awaited for name in each.device_ids]
    count = sum(each.count for each in awaited)
    if not count:
        return ""
    shown = names[: min(SHOWN_IN_LINE, count)]
    more = count - len(shown)
    who = ", ".join(shown) if shown else counted(count, "device")
    rest = f" and {more} more" if shown and more else ""
    return f"waiting for {who}{rest}{_until(_last(awaited))}"


def in_full(each: Awaited) -> str:
    """One of what is awaited, as sentences."""
    who = f": {_named(each)}" if each.device_ids else ""
    until = each.until
    if each.is_verification:
        last = f", or its time is over: the last{_at(until)} (--verify-within)" if until is not None else ""
        being = counted(each.count, "device is being verified", "devices are being verified")
        return f"Batch {each.batch}: {being}{who}. Each ends when its twin meets the condition{last}."
    if each.job_id is None:
        calls = counted(each.count, "call is under way", "calls are under way")
        limit = f", or{_at(until)} at the latest (--method-response-timeout)" if until is not None else ""
        verb = "It ends when the device answers" if each.count == 1 else "They end when the devices answer"
        return f"Batch {each.batch}: {calls}{who}. {verb}{limit}."
    limit = f", or{_at(until)}, when the hub gives up (--ttl)" if until is not None else ""
    whom = who or f"; {NOT_LISTED}"
    whose = "it has" if each.count == 1 else "they have"
    return (
        f"Batch {each.batch}: hub job {each.job_id} waits for {counted(each.count, 'device')}{whom}. It ends when "
        f"{whose} answered{limit}. A running hub job cannot be ended earlier."
    )


def offline_line(result: DeviceResult) -> str:
    """pump-1 is offline: it waits to connect, until 2026-12-08T10:00:00Z."""
    name = printable(name_of(result.device_id, result.module_id))
    until = "" if result.waits_until is None else f", until {_instant(result.waits_until)}"
    return f"{name} is offline: it waits to connect{until}."


def waiting_line(waiting: WaitingToConnect) -> str:
    """2 devices wait to connect since 2026-12-01T10:00:00Z: pump-1, pump-2; until 2026-12-08T10:00:00Z."""
    verb = "waits" if waiting.count == 1 else "wait"
    names = [printable(name_of(each.device_id, each.module_id)) for each in waiting.devices[:SHOWN_IN_LINE]]
    more = waiting.count - len(names)
    who = f"{', '.join(names)}{f' and {more} more' if more else ''}"
    since, until = _instant(waiting.since), _instant(waiting.until)
    return f"{counted(waiting.count, 'device')} {verb} to connect since {since}: {who}; until {until}"


def approval_lines(fleet_job_id: str, batch: int, since: datetime) -> list[str]:
    """That a batch waits for approval, and the commands that give or refuse it.

    fleet_job_id: of its run.  batch: its number.  since: an aware instant.
    """
    which: dict[str, str | bool] = {"fleet_job_id": fleet_job_id, "batch": str(batch)}
    return [
        f"Batch {batch} waits for approval since {_instant(since)}.",
        f"Approve it: {suggestion('iot hub fleet-job approve', **which)}",
        f"Reject it: {suggestion('iot hub fleet-job reject', **which)}",
    ]


def left_to_hub(jobs: Sequence[HubJobInProgress], run: Run) -> list[str]:
    """Hub jobs that continue without this process: a sentence for each, the first few of them."""
    lines = []
    for job in jobs[:SHOWN_IN_LINE]:
        seen = (
            ""
            if job.tally is None
            else f", {job.tally.succeeded_count + job.tally.failed_count} had ended when last seen"
        )
        lines.append(
            f"Hub job {job.job_id} of batch {job.batch} continues by itself{_until(job.until)}: "
            f"{counted(job.open_count, 'device')} in progress{seen}. A resume reads what it did."
        )
    if len(jobs) > SHOWN_IN_LINE:
        show = suggestion("iot hub fleet-job show", fleet_job_id=run.fleet_job_id)
        lines.append(f"So do {len(jobs) - SHOWN_IN_LINE} more: {show}")
    return lines


def _instant(at: datetime) -> str:
    return render_instant(at.replace(microsecond=0))


def _named(each: Awaited) -> str:
    names = ", ".join(in_lists(printable(name)) for name in each.device_ids)
    more = each.count - len(each.device_ids)
    return names if more <= 0 else f"{names} and {more} more"


def _last(awaited: Sequence[Awaited]) -> datetime | None:
    """When all of it is over; None: not known of one."""
    untils = [each.until for each in awaited if each.until is not None]
    return max(untils) if len(untils) == len(awaited) else None


def _until(at: datetime | None) -> str:
    return "" if at is None else f" until {_clock(at)}"


def _at(at: datetime) -> str:
    return f" at {_clock(at)}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(timezone.utc):%H:%M:%S} UTC"
