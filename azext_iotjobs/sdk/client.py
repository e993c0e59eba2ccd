"""JobClient: schedule, watch, read and cancel the jobs of one hub."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, get_args

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.errors import BadValue, IotJobsError, MissingChoice, WrongState
from azext_iotjobs.model.ids import JOB, check_id
from azext_iotjobs.model.job import Job, JobStatus, JobType
from azext_iotjobs.model.job_request import JobRequest, check_start
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.target import HubTarget, SasKey, SasToken, host_and_port
from azext_iotjobs.model.text import Field, Text
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import DEFAULT_WITHIN_S, Verification
from azext_iotjobs.model.waiting import WaitPolicy
from azext_iotjobs.operations.job import results, run
from azext_iotjobs.operations.verification.conditions import try_conditions
from azext_iotjobs.sdk.credentials import TokenCredential, entra_login
from azext_iotjobs.sdk.verification import verified_rows
from azext_iotjobs.transport.http import HttpTransport

DeviceStatus = Literal["pending", "scheduled", "running", "completed", "failed", "canceled"]
JOB_ID = Field("job_id")
MIN_WAIT_S = 1.0

logger = logging.getLogger("azext_iotjobs")


class WaitOver(IotJobsError):
    """The time for waiting is over; the job continues. `job`: its last known state, None if it was never read."""

    code = "wait-over"

    def __init__(self, message: str, *, job: Job | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.job = job


class JobClient:
    """The jobs of one hub.

    Use it in a `with` statement, or call `close` at the end. All methods raise only subclasses of IotJobsError:
    UserError before anything is sent, HubAnswer when the hub refuses a request, LinkError when the hub cannot be
    reached. A request that the hub throttles is repeated for up to two minutes; the logger `azext_iotjobs` logs each
    repetition.

    Threads may share one client: between calls it only keeps connections and a token, which are safe to share. An
    iterator of `results` is for one thread at a time. After a fork, make a new client.
    """

    def __init__(
        self, host: str, credential: TokenCredential | SasKey | SasToken, *, ca_file: str | None = None
    ) -> None:
        """A client for one hub; nothing is sent yet.

        host: such as myhub.azure-devices.net, with `:port` if that is not 443; any of the three names of a hub on a
        newer gateway.
        credential: for Microsoft Entra a credential of azure-identity, or another object with `get_token`, whose own
        errors are passed on; or a shared access policy's key, or a signature made with one.
        ca_file: a PEM file with the only authorities to trust, which a local hub needs; None: those that `requests`
        trusts, or REQUESTS_CA_BUNDLE.
        Raises BadValue.
        """
        name, port = host_and_port(host)
        target = HubTarget.named(name, port, ca_file)
        own = credential if isinstance(credential, SasKey | SasToken) else entra_login(credential, name)
        self._clock = SystemClock()
        self._transport = HttpTransport(target, own, self._clock, _say_waiting)
        self._hub = HubClient(target, self._transport)

    @classmethod
    def from_connection_string(cls, connection_string: str, *, ca_file: str | None = None) -> "JobClient":
        """A client by a shared access policy's connection string, with its key or a signature; nothing is sent yet.

        connection_string: `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`, or with a `SharedAccessSignature`.
        ca_file: as for JobClient itself.
        Raises BadValue, MissingChoice.
        """
        login = parse_connection_string(connection_string)
        return cls(login.authority, login.credential(), ca_file=ca_file)

    def close(self) -> None:
        """Close the connections. A client that is used again opens new ones."""
        self._transport.close()

    def __enter__(self) -> "JobClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"JobClient({self._hub.target.authority!r})"

    def schedule_device_method(
        self,
        job_id: str,
        query_condition: str,
        method_name: str,
        payload: Any = None,
        *,
        start_at: datetime | None = None,
        max_execution_s: int = 3600,
        response_timeout_s: int = 30,
        connect_timeout_s: int = 30,
    ) -> Job:
        """Create a job that calls a direct method on devices.

        job_id: 1 to 64 of a-z, 0-9 and dash; the hub keeps it taken for 30 days.
        query_condition: which devices, the WHERE part of a query, such as "tags.site = 'A'"; "*" is all devices.
        method_name: such as reboot.  payload: any JSON value, at most 128 KB.
        start_at: with a time zone, within 168 hours; None: now.  max_execution_s: 1 s or more, from the start; what is
        not done by then has failed.
        response_timeout_s: 5 to 300 s, for each device, connecting included.
        connect_timeout_s: 0 to 300 s, at most response_timeout_s: how long a device that is off line is waited for.
        Gives the job in short, as the hub answers: id, type and status.
        Raises UserError; Conflict when the id is taken; Throttled when the hub has no free slot for a job.
        """
        call = MethodCall(
            name=method_name,
            payload=_json_value(payload, "payload"),
            response_timeout_s=response_timeout_s,
            connect_timeout_s=connect_timeout_s,
        )
        return self._create(job_id, JobType.METHOD, query_condition, start_at, max_execution_s, method=call)

    def schedule_twin_update(
        self,
        job_id: str,
        query_condition: str,
        patch: Mapping[str, Any],
        *,
        start_at: datetime | None = None,
        max_execution_s: int = 3600,
    ) -> Job:
        """Create a job that merges a patch into the twins of devices, connected or not.

        job_id: 1 to 64 of a-z, 0-9 and dash; the hub keeps it taken for 30 days.
        query_condition: which devices, as for schedule_device_method.
        patch: {"tags": {…}, "properties": {"desired": {…}}}, or one of them; None as a value removes its key.
        start_at: with a time zone, within 168 hours; None: now.  max_execution_s: 1 s or more, from the start.
        Gives and raises what schedule_device_method does.
        """
        twin_patch = TwinPatch(document=_json_value(dict(patch), "patch"))
        return self._create(job_id, JobType.TWIN, query_condition, start_at, max_execution_s, patch=twin_patch)

    def get_job(self, job_id: str) -> Job:
        """A job in its present state. Raises BadValue for an impossible id; NotFound, other HubAnswers, LinkError."""
        check_id(JOB, job_id, JOB_ID)
        return run.show(self._hub, job_id)

    def list_jobs(
        self, job_type: JobType | None = None, status: JobStatus | None = None, *, limit: int | None = None
    ) -> list[Job]:
        """Jobs of the last 30 days, import and export jobs after the others.

        job_type, status: only those of this type and in this state; None: any.
        limit: at most so many, 1 or more; None: all.
        Raises BadValue, HubAnswer, LinkError.
        """
        return run.list_jobs(self._hub, job_type, status, limit)

    def cancel(self, job_id: str) -> Job | None:
        """Cancel a job that has not begun; gives it, or None where the hub answers with nothing.

        Raises NotFound; BadRequest for a job that runs or has ended; other HubAnswers, LinkError.
        """
        check_id(JOB, job_id, JOB_ID)
        return run.cancel(self._hub, job_id)

    def wait(
        self,
        job_id: str,
        timeout_s: float | None = None,
        poll_interval_s: float = 10.0,
        *,
        on_look: Callable[[Job], None] | None = None,
    ) -> Job:
        """Wait until a job has ended, whether completed, failed or cancelled, and give it.

        A completed job may still hold devices that failed: see its tally, and `results`. A hub that is unavailable or
        busy for a while is polled again.

        timeout_s: 1 s or more; None: until the job's own deadline.
        poll_interval_s: 1 s or more, the longest pause between two polls; the first ones are shorter.
        on_look: called with the job after each poll.
        Raises WaitOver when the time is over; NotFound; other HubAnswers.
        """
        check_id(JOB, job_id, JOB_ID)
        if timeout_s is not None and not timeout_s >= MIN_WAIT_S:
            raise BadValue(
                Text(Field("timeout_s"), f" {timeout_s}: give 1 or more, or None to wait until the job's own deadline.")
            )
        if not poll_interval_s >= MIN_WAIT_S:
            raise BadValue(Text(Field("poll_interval_s"), f" {poll_interval_s}: give 1 or more."))
        policy = WaitPolicy(interval_s=poll_interval_s, limit_s=timeout_s)
        waited = run.wait(self._hub, job_id, policy, self._clock, _Watcher(on_look))
        if waited.job is None or not waited.finished:
            state = "was not seen" if waited.job is None else f"is still {waited.job.status.value}"
            raise WaitOver(f"The time for waiting is over; job {job_id} {state}.", job=waited.job)
        return waited.job

    def results(
        self,
        job_id: str,
        *,
        status: DeviceStatus | None = None,
        error_class: ErrorClass | None = None,
        success_status: str = DEFAULT_SUCCESS_STATUS,
        marks_deleted: bool = False,
    ) -> Iterator[DeviceResult]:
        """What a job did to each of its devices, as an iterator that reads page by page.

        status: only devices in this state; None: in any.  error_class: only devices that failed in this way.
        success_status: which method statuses mean success, such as "200-299,404"; others make a device REJECTED.
        marks_deleted: also query the registry, once for each page, and fill `is_deleted`.
        Raises BadValue and NotFound at once; HubAnswer and LinkError also while it is read.
        """
        check_id(JOB, job_id, JOB_ID)
        if status is not None and status not in get_args(DeviceStatus):
            raise BadValue(Text(Field("status"), f" {status!r}: give one of {', '.join(get_args(DeviceStatus))}."))
        query = results.ResultQuery(
            job_id=job_id,
            statuses=() if status is None else (status,),
            error_classes=frozenset() if error_class is None else frozenset((error_class,)),
            success=parse_success_status(success_status),
            checks_registry=marks_deleted,
        )
        run.show(self._hub, job_id)  # raises NotFound; otherwise an unknown job would look like one without devices
        return (row for page in results.read(self._hub, query) for row in page.rows)

    def verified_results(
        self,
        job_id: str,
        verify: str,
        verify_within_s: float = DEFAULT_WITHIN_S,
        *,
        verify_failed: str | None = None,
        success_status: str = DEFAULT_SUCCESS_STATUS,
        on_look: Callable[[int], None] | None = None,
    ) -> Iterator[DeviceResult]:
        """What a job did to each of its devices, once their twins say so: an iterator that waits for what comes next.

        A device that failed has its row at once. One that the job has operated has it when a look at its twin decides:
        `verified_at` says when it met `verify`; else it has failed with ErrorClass.NOT_VERIFIED. `reported` has what
        its twin says of the members that the conditions name. Queries are made at the pace of a third of what a hub of
        tier S1 allows, so that twins are seen late rather than others throttled. Leaving the iterator ends the
        verification.

        verify: the WHERE part of a twin query, such as "properties.reported.version = '2'"; it may begin with FROM
        devices.modules WHERE.
        verify_within_s: 10 to 2,592,000 s; from when a device's row is read.
        verify_failed: what the twin of a device meets that has failed; what it reported before the job does not count.
        success_status: as for `results`.  on_look: called, often, with how many devices are being verified.
        Raises UserError, WrongState for a job that has not ended, and NotFound at once; HubAnswer and LinkError also
        while it is read.
        """
        check_id(JOB, job_id, JOB_ID)
        verification = Verification(condition=verify, within_s=verify_within_s, failed_condition=verify_failed)
        query = results.ResultQuery(job_id=job_id, success=parse_success_status(success_status), checks_registry=False)
        job = run.show(self._hub, job_id)
        if not job.status.is_terminal:
            raise WrongState(f"Job {job_id} is {job.status.value}: devices are verified once it has ended; call wait.")
        try_conditions(self._hub.queries, verification)
        return verified_rows(self._hub, query, verification, self._clock, on_look)

    def _create(
        self,
        job_id: str,
        job_type: JobType,
        condition: str,
        start_at: datetime | None,
        max_execution_s: int,
        *,
        method: MethodCall | None = None,
        patch: TwinPatch | None = None,
    ) -> Job:
        if not condition.strip():
            raise MissingChoice(Text.of("{query_condition} is blank."), hint='Say which devices; "*" is all of them.')
        if start_at is not None and start_at.tzinfo is None:
            raise BadValue(
                Text(Field("start_at"), f" {start_at} has no time zone: give one, such as datetime.now(timezone.utc).")
            )
        if start_at is not None:
            check_start(start_at, self._clock.now())
        request = JobRequest(
            job_id=job_id,
            job_type=job_type,
            condition=condition,
            method=method,
            patch=patch,
            start_at=start_at,
            max_execution_s=max_execution_s,
        )
        return run.create(self._hub, request)


class _Watcher:
    """Passes polled jobs to the caller, and logs failed polls."""

    def __init__(self, on_look: Callable[[Job], None] | None) -> None:
        self._on_look = on_look

    def polled(self, job: Job, left_s: float) -> None:
        if self._on_look is not None:
            self._on_look(job)

    def poll_failed(self, reason: str, left_s: float) -> None:
        logger.warning("%s Polling again; %.0f s left.", reason, left_s)


def _json_value(value: Any, name: str) -> Any:
    """`value`, if it can be written as JSON. Raises BadValue."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as err:
        raise BadValue(Text(Field(name), f" is not a JSON value: {err}.")) from err
    return value


def _say_waiting(reason: str, pause_s: float, left_s: float) -> None:
    logger.warning("%s Waiting %.0f s; giving up in %.0f s.", reason, pause_s, left_s)
