"""/jobs: import and export jobs, which transfer the registry from and to containers of the hub's storage account."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from azext_iotjobs.localhub.blobs.storage import Storage
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.import_export import ImportExport
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, BLOB_CONTAINER_VALIDATION_ERROR, HubError
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, member
from azext_iotjobs.localhub.rules.blob_sas import ACCOUNT, DELETE, READ, WRITE, BadSas, Resource
from azext_iotjobs.localhub.rules.transfer_job import (
    CONFIGURATIONS_BLOB,
    DEVICES_BLOB,
    TransferKind,
    TransferSpec,
    kind_named,
)
from azext_iotjobs.localhub.store.transfer_jobs import TransferJob

BY_KEY, BY_IDENTITY = "keybased", "identitybased"


class ImportExportRoutes:
    """Create, show and cancel import and export jobs."""

    def __init__(
        self, jobs: ImportExport, storage: Storage, is_own_host: Callable[[str], bool], clock: HubClock
    ) -> None:
        """is_own_host: whether a host, with or without a port, is this hub."""
        self._jobs = jobs
        self._storage = storage
        self._is_own_host = is_own_host
        self._clock = clock

    async def create(self, request: HubRequest) -> HubResponse:
        """POST /jobs/create"""
        return HubResponse(document=_document(self._jobs.create(self._spec(request.document()))))

    async def list(self, _request: HubRequest) -> HubResponse:
        """GET /jobs"""
        return HubResponse(document=[_document(each) for each in self._jobs.all()])

    async def get(self, request: HubRequest) -> HubResponse:
        """GET /jobs/{job}"""
        return HubResponse(document=_document(self._jobs.get(request.path["job"])))

    async def cancel(self, request: HubRequest) -> HubResponse:
        """DELETE /jobs/{job}"""
        self._jobs.cancel(request.path["job"])
        return HubResponse(status=204)

    def _spec(self, document: dict[str, Any]) -> TransferSpec:
        """A job from its document. Raises HubError 400."""
        kind = kind_named(document.get("type"))
        by = str(member(document, "storageAuthenticationType", str, BY_KEY)).lower()
        if by not in (BY_KEY, BY_IDENTITY):
            raise HubError(ARGUMENT_INVALID, "storageAuthenticationType must be keyBased or identityBased.")
        member(document, "identity", dict)
        needs_signature = by == BY_KEY
        is_import = kind is TransferKind.IMPORT
        return TransferSpec(
            kind=kind,
            input_container=self._container(document, "inputBlobContainerUri", READ, needs_signature=needs_signature)
            if is_import
            else None,
            output_container=self._container(
                document, "outputBlobContainerUri", WRITE + DELETE, needs_signature=needs_signature
            ),
            input_blob=member(document, "inputBlobName", str) or DEVICES_BLOB,
            output_blob=member(document, "outputBlobName", str) or DEVICES_BLOB,
            excludes_keys=bool(member(document, "excludeKeysInExport", bool, False)),
            configurations_blob=_configurations_blob(document),
        )

    def _container(self, document: dict[str, Any], name: str, permissions: str, *, needs_signature: bool) -> str:
        """The container that a member's URI names. permissions: all are needed. Raises HubError 400."""
        uri = member(document, name, str)
        if not uri:
            raise HubError(ARGUMENT_INVALID, f"{name} is missing.")
        try:
            parts = urlsplit(str(uri))
            is_own = parts.scheme == "https" and self._is_own_host(parts.netloc)
        except ValueError:
            is_own = False
        path = parts.path.strip("/").split("/") if is_own else []
        container = path[1] if len(path) == 2 and path[0] == ACCOUNT else path[0] if len(path) == 1 else ""
        if self._storage.container(container) is None:
            raise HubError(
                BLOB_CONTAINER_VALIDATION_ERROR,
                f"{name} is not a container of this hub: a local hub reads and writes its own only, such as "
                f"{self._storage.account.uri(Resource('registry'))}, whose URI with a signature it shows.",
            )
        if needs_signature:
            fields = dict(parse_qsl(parts.query, keep_blank_values=True))
            try:
                for permission in permissions:
                    self._storage.account.check(fields, Resource(container), permission, self._clock.now())
            except BadSas as err:
                raise HubError(BLOB_CONTAINER_VALIDATION_ERROR, f"{name}: {err.text}") from err
        return container


def _configurations_blob(document: dict[str, Any]) -> str | None:
    name = member(document, "configurationsBlobName", str) or CONFIGURATIONS_BLOB
    return str(name) if member(document, "includeConfigurations", bool, False) else None


def _document(job: TransferJob) -> dict[str, Any]:
    """A job as the service shows it: without the URIs of containers, which hold signatures."""
    return {
        "jobId": job.job_id,
        "startTimeUtc": render(job.started_at),
        "endTimeUtc": render(job.ended_at) if job.ended_at else None,
        "type": job.spec.kind.value,
        "status": job.status.value,
        "progress": job.progress_percent,
        "outputBlobName": job.spec.output_blob,
        "inputBlobName": job.spec.input_blob if job.spec.kind is TransferKind.IMPORT else None,
        "excludeKeysInExport": job.spec.excludes_keys,
        "includeConfigurations": job.spec.configurations_blob is not None,
        "configurationsBlobName": job.spec.configurations_blob,
        "failureReason": job.failure_reason,
        "statusMessage": None,
        "parentJobId": None,
    }
