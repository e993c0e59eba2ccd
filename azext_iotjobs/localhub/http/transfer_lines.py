"""Lines of the files of import and export jobs: one identity with its twin, or what to do with it."""

from typing import Any

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, GENERIC_BAD_REQUEST, SERVER_ERROR, HubError, StoreDamaged
from azext_iotjobs.localhub.http.bulk import BulkRoutes
from azext_iotjobs.localhub.http.documents import identity_document, twin_document
from azext_iotjobs.localhub.rules.json_values import dump_json, parse_json
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.identities import ENABLED, Identity
from azext_iotjobs.localhub.store.twins import Twins

SCOPES = ("deviceScope", "parentScopes")


class TransferLines:
    """Renders lines of exports, and applies lines of imports."""

    def __init__(self, bulk: BulkRoutes, twins: Twins) -> None:
        self._bulk = bulk
        self._twins = twins

    def render(self, identity: Identity, *, excludes_keys: bool) -> str:
        """The line of an identity: with its importMode left out, as the service writes it."""
        record = identity_document(identity)
        twin = twin_document(identity, self._twins.get(identity.address) or new_twin(""))
        authentication = record["authentication"]
        if excludes_keys:
            authentication = {**authentication, "symmetricKey": {"primaryKey": None, "secondaryKey": None}}
        line: dict[str, Any] = {
            "id": identity.device_id,
            **({} if identity.module_id is None else {"moduleId": identity.module_id}),
            "eTag": record["etag"],
            **({"managedBy": identity.managed_by} if identity.managed_by is not None else {}),
            "status": record.get("status", ENABLED),
            **({} if identity.status_reason is None else {"statusReason": identity.status_reason}),
            "authentication": authentication,
            "twinETag": twin["etag"],
            "tags": twin.get("tags", {}),
            "properties": twin["properties"],
            **({} if identity.module_id is not None else {"capabilities": record["capabilities"]}),
            **{name: record[name] for name in SCOPES if name in record},
        }
        return dump_json(line)

    def apply(self, line: str) -> str | None:
        """Do what a line says; gives the line of the log that tells of its error, or None."""
        item: dict[str, Any] = {}
        try:
            item = _read(line)
            if item.get("status") is None:
                raise HubError(ARGUMENT_INVALID, "The status is missing; every line needs it, whatever its importMode.")
            self._bulk.import_item(item)
        except (HubError, StoreDamaged) as err:
            fault = err.fault if isinstance(err, HubError) else SERVER_ERROR
            device_id, module_id = item.get("id"), item.get("moduleId")
            return dump_json(
                {
                    "deviceId": device_id if isinstance(device_id, str) else None,
                    **({"moduleId": module_id} if isinstance(module_id, str) else {}),
                    "errorCode": fault.number,
                    "errorStatus": err.text,
                }
            )
        return None


def _read(line: str) -> dict[str, Any]:
    """A line's object. Raises HubError 400."""
    try:
        item = parse_json(line)
    except ValueError:
        raise HubError(GENERIC_BAD_REQUEST, "The line is not JSON.") from None
    if not isinstance(item, dict):
        raise HubError(GENERIC_BAD_REQUEST, "The line is not a JSON object.")
    return item
