"""JobsClient: /jobs/v2 and the old /jobs of import and export."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from azext_iotjobs.clients import job_codec as codec
from azext_iotjobs.clients.request_parts import path_part
from azext_iotjobs.clients.response import document
from azext_iotjobs.model.ids import JOB
from azext_iotjobs.model.job import Job, JobStatus, JobType
from azext_iotjobs.transport.http import Request, Transport

if TYPE_CHECKING:
    from azext_iotjobs.model.job_request import JobRequest
    from azext_iotjobs.model.registry_transfer import RegistryTransfer


class JobsClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, request: "JobRequest") -> Job:
        """PUT a new job; the hub answers in short: id, type, status. Raises HubAnswer, LinkError."""
        from azext_iotjobs.clients.job_request_codec import render_job  # here, so that looking at jobs starts quickly

        put = Request(method="PUT", path=_v2(request.job_id), body=render_job(request), has_body=True)
        return codec.parse_job(document(self._transport.send(put)))

    def get(self, job_id: str) -> Job:
        """One job; of an unknown id, too, the hub gives a job: its status is `unknown`."""
        get = Request(method="GET", path=_v2(job_id), may_repeat=True)
        return codec.parse_job(document(self._transport.send(get)))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job that has not begun. Raises HubAnswer 405 when it has."""
        post = Request(method="POST", path=f"{_v2(job_id)}/cancel")
        return codec.parse_job(document(self._transport.send(post)))

    def query(self, job_type: JobType | None = None, status: JobStatus | None = None) -> Iterator[Job]:
        """All jobs of a type and status, page by page as they are asked for."""
        from azext_iotjobs.clients.paging import pages  # here, so that looking at one starts quickly

        filters: dict[str, str] = {}
        if job_type is not None:
            filters["jobType"] = job_type.value
        if status is not None:
            filters["jobStatus"] = status.value
        first = Request(method="GET", path="/jobs/v2/query", query=filters, may_repeat=True)
        for item in pages(self._transport, first):
            yield codec.parse_job(item)

    def create_v1(self, transfer: "RegistryTransfer") -> Job:
        """Have the hub import or export its registry. Raises HubAnswer, LinkError."""
        from azext_iotjobs.clients.job_request_codec import render_transfer

        post = Request(method="POST", path="/jobs/create", body=render_transfer(transfer), has_body=True)
        return codec.parse_v1_job(document(self._transport.send(post)))

    def list_v1(self) -> list[Job]:
        """All import and export jobs; that endpoint has neither filters nor pages."""
        items: list[Any] = document(self._transport.send(Request(method="GET", path="/jobs", may_repeat=True))) or []
        return [codec.parse_v1_job(item) for item in items]

    def get_v1(self, job_id: str) -> Job:
        """One import or export job. Raises NotFound."""
        get = Request(method="GET", path=_v1(job_id), may_repeat=True)
        return codec.parse_v1_job(document(self._transport.send(get)))

    def cancel_v1(self, job_id: str) -> Job | None:
        """Cancel an import or export job; the hub answers with the job or with nothing."""
        answer = document(self._transport.send(Request(method="DELETE", path=_v1(job_id))))
        return codec.parse_v1_job(answer) if answer else None


def _v2(job_id: str) -> str:
    return f"/jobs/v2/{path_part(JOB, job_id)}"


def _v1(job_id: str) -> str:
    return f"/jobs/{path_part(JOB, job_id)}"
