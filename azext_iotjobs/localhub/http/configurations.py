"""/configurations: automatic device management and edge deployments."""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.localhub.engine.configurations import (
    ConfigurationService,
    metric_query_errors,
    target_condition_error,
)
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, check_etag, member
from azext_iotjobs.localhub.rules.configuration import (
    ConfigurationSpec,
    configuration_etag,
    only_section,
    system_queries,
)
from azext_iotjobs.localhub.store.configurations import Configuration


class ConfigurationRoutes:
    """Create, change, read and delete configurations."""

    def __init__(self, service: ConfigurationService) -> None:
        self._service = service

    async def list(self, _request: HubRequest) -> HubResponse:
        """GET /configurations: all of them, whatever `top` says."""
        return HubResponse(document=[configuration_document(each) for each in self._service.all()])

    async def get(self, request: HubRequest) -> HubResponse:
        """GET /configurations/{configuration}"""
        return _answer(self._service.get(request.path["configuration"]))

    async def put(self, request: HubRequest) -> HubResponse:
        """PUT /configurations/{configuration}: creates, or with If-Match changes."""
        configuration_id = request.path["configuration"]
        # As on the service, an etag without quotes is none, so that the request would create.
        etag = request.etag_if_good()
        if etag is None:
            self._service.check_new(configuration_id)
            return _answer(self._service.create(configuration_spec(configuration_id, request.document())))
        stored = self._service.get(configuration_id)
        check_etag(etag, configuration_etag(stored.etag))
        return _answer(self._service.update(stored, configuration_spec(configuration_id, request.document())))

    async def delete(self, request: HubRequest) -> HubResponse:
        """DELETE /configurations/{configuration}: If-Match is optional."""
        stored = self._service.get(request.path["configuration"])
        check_etag(request.etag(), configuration_etag(stored.etag))
        self._service.delete(stored)
        return HubResponse(status=204)

    async def test_queries(self, request: HubRequest) -> HubResponse:
        """POST /configurations/testQueries: what is wrong with a target condition and with metric queries."""
        document = request.document()
        error = target_condition_error(member(document, "targetCondition", str, ""))
        errors = metric_query_errors(_texts(document, "customMetricQueries") or {})
        return HubResponse(
            document={
                **({"targetConditionError": error} if error else {}),
                **({"customMetricQueryErrors": errors} if errors else {}),
            }
        )


def configuration_document(configuration: Configuration) -> dict[str, Any]:
    """A configuration, as the service shows it."""
    spec = configuration.spec
    queries = system_queries(spec.configuration_id, spec.kind, spec.target_condition)
    return {
        "id": spec.configuration_id,
        "schemaVersion": spec.schema_version,
        "labels": spec.labels,
        "content": {spec.kind.value: spec.content},
        "contentType": spec.content_type,
        "targetCondition": spec.target_condition,
        "createdTimeUtc": configuration.created_at,
        "lastUpdatedTimeUtc": configuration.updated_at,
        "priority": spec.priority,
        "systemMetrics": {"results": configuration.system_results, "queries": queries},
        "metrics": {"results": configuration.metric_results, "queries": spec.metric_queries},
        "etag": configuration_etag(configuration.etag),
    }


def _answer(configuration: Configuration) -> HubResponse:
    etag = configuration_etag(configuration.etag)
    return HubResponse(document=configuration_document(configuration), headers={"ETag": f'"{etag}"'})


def configuration_spec(configuration_id: str, document: Mapping[str, Any]) -> ConfigurationSpec:
    """The configuration that a document describes; what only the hub writes is ignored. Raises HubError 400."""
    if member(document, "id", str, configuration_id) != configuration_id:
        raise HubError(ARGUMENT_INVALID, "The id in the body is not the one in the path.")
    kind, content = only_section(document.get("content"))
    metrics: dict[str, Any] = member(document, "metrics", dict, {})
    return ConfigurationSpec(
        configuration_id=configuration_id,
        schema_version=member(document, "schemaVersion", str),
        content_type=member(document, "contentType", str),
        labels=_texts(document, "labels"),
        kind=kind,
        content=content,
        target_condition=member(document, "targetCondition", str, ""),
        priority=member(document, "priority", int, 0),
        metric_queries=_texts(metrics, "queries") or {},
    )


def _texts(document: Mapping[str, Any], name: str) -> dict[str, str] | None:
    """A member that is an object of texts; None if it is absent or null. Raises HubError 400."""
    value: dict[str, Any] | None = member(document, name, dict)
    if value is None:
        return None
    for key in value:
        if member(value, key, str) is None:
            raise HubError(ARGUMENT_INVALID, f"{name} holds null.")
    return value
