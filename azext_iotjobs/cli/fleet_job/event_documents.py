"""Events of a run, under the names that event files show."""

from datetime import datetime
from typing import Any

from azext_iotjobs.cli.fleet_job.documents import (
    render_awaited,
    render_job_tally,
    render_run,
    render_tally,
    render_waiting,
)
from azext_iotjobs.cli.fleet_job.gate_documents import render_verdict
from azext_iotjobs.cli.output.result_rows import render_result, render_run_members
from azext_iotjobs.model import run_events as events
from azext_iotjobs.model.clock import render_millis

Document = dict[str, Any]


def render_event(event: events.Event, now: datetime) -> Document:
    """An event as one JSON object."""
    head = {"at": render_millis(event.at), "event": event.kind}
    match event:
        case events.RunBegan(run=run):
            return {**head, "run": render_run(run, now)}
        case events.RunEnded(run=run, waiting=waiting):
            return {**head, "run": {**render_run(run, now), "waiting": render_waiting(waiting)}}
        case events.BatchBegan(batch=batch) | events.BatchEnded(batch=batch):
            return {**head, "batch": batch.ordinal, "devices": batch.size, "progress": render_tally(batch.tally)}
        case (
            events.DeviceOperated(result=result, batch=ordinal, tries=tries)
            | events.DeviceWaits(result=result, batch=ordinal, tries=tries)
            | events.DeviceEnded(result=result, batch=ordinal, tries=tries)
        ):
            return {
                **head,
                "batch": ordinal,
                "tries": tries,
                **render_result(result),
                **render_run_members(result),
            }
        case events.DeviceConnected(device_id=device_id, module_id=module_id, batch=ordinal):
            return {**head, "batch": ordinal, "deviceId": device_id, "moduleId": module_id}
        case events.Progressed():
            return {
                **head,
                "progress": render_tally(event.run),
                "batch": None if event.batch is None else event.batch.ordinal,
                "inFlight": event.in_flight_count,
                "hub": render_job_tally(event.hub),
                "awaited": [render_awaited(each) for each in event.awaited],
                "waiting": render_waiting(event.waiting),
            }
        case events.Waiting(until=until, why=why):
            return {**head, "until": render_millis(until), "why": why}
        case events.GateAwaited(batch=ordinal, gate=gate, since=since, until=until):
            document = {"batch": ordinal, "gate": gate.value}
            return {**head, **document, "since": render_millis(since), "until": render_millis(until)}
        case events.GateJudged(batch=ordinal, verdict=verdict):
            return {**head, "batch": ordinal, **render_verdict(verdict)}
        case events.Notice(text=text):
            return {**head, "text": text}
        case events.HubJobMoved(batch=ordinal, job_id=job_id, status=status, tally=tally):
            return {**head, "batch": ordinal, "jobId": job_id, "status": status, "progress": render_job_tally(tally)}
