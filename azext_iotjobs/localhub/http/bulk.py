"""POST /devices and /devices/keys/regenerate: many identities in one request, each with its own result."""

from collections.abc import Callable
from typing import Any

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.registry import Check, Registry
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, PRECONDITION_FAILED, TOO_MANY_DEVICES, HubError
from azext_iotjobs.localhub.http.identity_documents import identity_spec
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, check_etag, member
from azext_iotjobs.localhub.http.twins import service_parts
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import SYSTEM_MODULES, check_device_id, check_module_id, identity_etag
from azext_iotjobs.localhub.rules.twin import TwinState, as_patch, new_twin, patch_by_service, twin_etag
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity

MAX_ITEMS = 100
MAX_RENEWED = 1000
RENEWED = {"primaryKey": (True, False), "secondaryKey": (False, True), "both": (True, True)}
MERGING = ("createorupdate", "createorupdateifmatchetag", "update", "updateifmatchetag")  # modes of a whole device
Item = dict[str, Any]


class BulkRoutes:
    """Many changes of the registry in one request."""

    def __init__(
        self, database: Database, registry: Registry, identities: Identities, twins: TwinService, clock: HubClock
    ) -> None:
        self._database = database
        self._registry = registry
        self._identities = identities
        self._twins = twins
        self._clock = clock
        self._modes: dict[str, Callable[[Address, Item], None]] = {
            "create": self._create,
            "createorupdate": self._create_or_update,
            "createorupdateifmatchetag": lambda address, item: self._create_or_update(address, item, _with_etag(item)),
            "update": self._update,
            "updateifmatchetag": lambda address, item: self._update(address, item, _with_etag(item)),
            "delete": self._delete,
            "deleteifmatchetag": lambda address, item: self._delete(address, item, _with_etag(item)),
            "updatetwin": self._update_twin,
            "updatetwinifmatchetag": lambda address, item: self._update_twin(address, item, _required_twin_etag(item)),
        }

    async def post(self, request: HubRequest) -> HubResponse:
        """POST /devices: 200 when all succeeded, else 400 with the same document."""
        items = request.documents()
        if len(items) > MAX_ITEMS:
            raise HubError(TOO_MANY_DEVICES, f"A request may have at most {MAX_ITEMS} devices.")
        named: set[Address] = set()
        with self._database.transaction():  # one write to the disk; a failed item has changed nothing
            errors = [error for item in items if (error := self._apply(item, named)) is not None]
        result = {"isSuccessful": not errors, "errors": errors, "warnings": []}
        return HubResponse(document=result, status=400 if errors else 200)

    async def renew_keys(self, request: HubRequest) -> HubResponse:
        """POST /devices/keys/regenerate: 207 when some failed."""
        document = request.document()
        policy_key = member(document, "policyKey", str, "")
        if policy_key not in RENEWED:
            raise HubError(ARGUMENT_INVALID, f"policyKey must be one of {', '.join(RENEWED)}.")
        primary, secondary = RENEWED[policy_key]
        devices = member(document, "devices", list, [])
        if not 1 <= len(devices) <= MAX_RENEWED or not all(isinstance(each, dict) for each in devices):
            raise HubError(ARGUMENT_INVALID, f"devices must be a list of 1 to {MAX_RENEWED} objects.")
        errors, renewed = [], []
        with self._database.transaction():
            for item in devices:
                try:
                    identity = self._registry.renew_keys(_address(item), primary=primary, secondary=secondary)
                    renewed.append(_renewed(identity, primary=primary, secondary=secondary))
                except HubError as err:
                    errors.append(_error(item, err, "regenerateKey"))
        status = 200 if not errors else 207 if renewed else 400
        return HubResponse(document={"policyKey": policy_key, "errors": errors, "rotatedKeys": renewed}, status=status)

    def import_item(self, item: Item) -> None:
        """Do what a line of an import says, which is an item; the twin that it has is merged into one that is there.

        Raises HubError; then nothing has changed.
        """
        address, mode = _address(item), str(member(item, "importMode", str, "createOrUpdate")).lower()
        if (operation := self._modes.get(mode)) is None:
            raise HubError(ARGUMENT_INVALID, f"importMode {mode[:40]!a} is not known.")
        exists = self._identities.get(address) is not None
        merges = exists and mode in MERGING and any(name in item for name in ("tags", "properties"))
        if merges:
            self._check_twin(address, item, is_etag_checked=mode.endswith("ifmatchetag"))
        if not (exists and mode in MERGING and address.module_id in SYSTEM_MODULES):  # these are made with their device
            operation(address, item)
        if merges:
            self._update_twin(address, item)

    def _check_twin(self, address: Address, item: Item, *, is_etag_checked: bool) -> None:
        """Raise HubError where an item's twin cannot be merged into the one that is there."""
        twin = self._twins.get(address)
        etag = _unquoted(member(item, "twinETag", str))
        if is_etag_checked and etag is not None:
            check_etag(etag, twin_etag(twin.etag))
        tags, desired = service_parts(item)
        now = render(self._clock.now())
        patch_by_service(
            twin, tags=as_patch(tags, twin.tags), desired=as_patch(desired, twin.desired.data), now_text=now
        )

    def _apply(self, item: Item, named: set[Address]) -> Item | None:
        """Apply an item; gives its error, or None."""
        mode = ""
        try:
            address = _address(item)
            if address in named:
                raise HubError(ARGUMENT_INVALID, f"{address.shown} is in the request twice.")
            named.add(address)
            mode = str(member(item, "importMode", str, "createOrUpdate"))
            if (operation := self._modes.get(mode.lower())) is None:
                raise HubError(ARGUMENT_INVALID, f"importMode {mode[:40]!a} is not known.")
            operation(address, item)
        except HubError as err:
            return _error(item, err, mode)
        return None

    def _create(self, address: Address, item: Item) -> None:
        if address.module_id is None:
            self._registry.create_device(address.device_id, identity_spec(item), self._first_twin(item))
        else:
            self._registry.create_module(address, identity_spec(item), self._first_twin(item))

    def _update(self, address: Address, item: Item, check: Check | None = None) -> None:
        if address.module_id is None:
            self._registry.update_device(address.device_id, identity_spec(item), check or _any)
        else:
            self._registry.update_module(address, identity_spec(item), check or _any)

    def _create_or_update(self, address: Address, item: Item, check: Check | None = None) -> None:
        if self._identities.get(address) is None:
            self._create(address, item)
        else:
            self._update(address, item, check)

    def _delete(self, address: Address, _item: Item, check: Check | None = None) -> None:
        if address.module_id is None:
            self._registry.delete_device(address.device_id, check or _any)
        else:
            self._registry.delete_module(address, check or _any)

    def _update_twin(self, address: Address, item: Item, etag: str | None = None) -> None:
        check_etag(etag, twin_etag(self._twins.get(address).etag))
        tags, desired = service_parts(item)
        self._twins.patch(address, tags=tags, desired=desired)

    def _first_twin(self, item: Item) -> TwinState:
        """The twin of a new device, with the tags and desired properties that come with it. Raises HubError 400."""
        now = render(self._clock.now())
        tags, desired = (as_patch(each, {}) or None for each in service_parts(item))
        return patch_by_service(new_twin(now), tags=tags, desired=desired, now_text=now)


def _address(item: Item) -> Address:
    """The device or module that an item names. Raises HubError 400, for an empty id too."""
    device_id, module_id = member(item, "id", str, member(item, "deviceId", str)), member(item, "moduleId", str)
    if device_id is None:
        raise HubError(ARGUMENT_INVALID, "The id of a device is missing.")
    check_device_id(device_id)
    if module_id is not None:
        check_module_id(module_id)
    return Address(device_id, module_id)


def _any(_identity: Identity) -> None:
    """A check that every record passes."""


def _with_etag(item: Item) -> Check:
    """A check that the stored record has the etag that the item gives. Raises HubError when it gives none."""
    etag = _unquoted(member(item, "eTag", str, member(item, "etag", str)))
    return lambda identity: check_etag(_required(etag), identity_etag(identity.etag))


def _required_twin_etag(item: Item) -> str:
    return _required(_unquoted(member(item, "twinETag", str)))


def _required(etag: str | None) -> str:
    if etag is None:
        raise HubError(PRECONDITION_FAILED, "Precondition failed: the ETag is missing; * stands for any.")
    return etag


def _unquoted(etag: str | None) -> str | None:
    return etag and etag.strip('"')


def _renewed(identity: Identity, *, primary: bool, secondary: bool) -> Item:
    """The new keys of an identity; a key that was not renewed is empty."""
    return {
        "id": identity.device_id,
        **({} if identity.module_id is None else {"moduleId": identity.module_id}),
        "eTag": identity_etag(identity.etag),
        "primaryKey": identity.primary_key if primary else "",
        "secondaryKey": identity.secondary_key if secondary else "",
    }


def _error(item: Item, err: HubError, operation: str) -> Item:
    device_id, module_id = item.get("id") or item.get("deviceId"), item.get("moduleId")
    return {
        "deviceId": device_id if isinstance(device_id, str) else None,
        **({"moduleId": module_id} if isinstance(module_id, str) else {}),
        "errorCode": err.fault.name,
        "errorStatus": err.text,
        "operation": operation,
    }
