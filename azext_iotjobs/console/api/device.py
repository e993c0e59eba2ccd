"""One device or module: its twin and the edit of it, its modules, its keys, and what can be done with its identity."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.console.context import Document
from azext_iotjobs.console.parts import Parts, body_of, parts_of
from azext_iotjobs.model.errors import BadValue, NotFound
from azext_iotjobs.model.identity import Identity, NewIdentity, check_status_reason
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.twin import Twin, TwinPatch

DEVICE_FACTS = ("authenticationType", "lastActivityTime", "cloudToDeviceMessageCount", "statusReason", "modelId")
ANY_ETAG = "*"


class _Action(NamedTuple):
    """Something to do with an identity."""

    label: str
    question: str
    status: str | None  # that the device gets; None: it is deleted


ACTIONS: Mapping[str, _Action] = {
    "disable": _Action("Disable", "Disable this device? It is disconnected, and cannot connect.", "disabled"),
    "enable": _Action("Enable", "Enable this device? It can connect again.", "enabled"),
    "delete": _Action("Delete", "Delete it for good, with its twin and its messages?", None),
}


def address_of(request: web.Request) -> Address:
    """The device or module that a request's path names."""
    return Address(request.match_info["id"], request.match_info.get("module"))


async def read_twin(parts: Parts, argument: str) -> Document:
    """The topic `twin:<device>`, or `twin:<device>/<module>`: an id has no slash."""
    device_id, _, module_id = argument.partition("/")
    return await _read(parts, Address(device_id, module_id or None))


async def show_twin(request: web.Request) -> web.Response:
    """GET …/twin: the same at once, for who was told that it has changed."""
    return web.json_response(await _read(parts_of(request), address_of(request)))


async def save_twin(request: web.Request) -> web.Response:
    """POST …/twin {"patch", "etag"}: merge into the twin that was read; 409 when it has changed since."""
    parts, address = parts_of(request), address_of(request)
    body = await body_of(request, patch=dict, etag=str)
    etag = body.get("etag", "")
    if etag.strip('"') in ("", ANY_ETAG):
        raise BadValue("The etag of the twin that was edited is missing: another change could be overwritten.")
    patch = TwinPatch(document=body.get("patch", {}), etag=etag)
    twin = await parts.workers.hub(lambda client: client.twins.patch(address.device_id, patch, address.module_id))
    return web.json_response(_document(parts, address, twin))


async def modules(request: web.Request) -> web.Response:
    """GET /api/devices/{id}/modules: a device has at most 50."""
    parts, (device_id, _) = parts_of(request), address_of(request)
    found = await parts.workers.hub(lambda client: client.identities.modules(device_id))
    rows = [{"id": each.module_id, "isConnected": _is_connected(each), "signIn": each.sign_in} for each in found]
    spell = parts.context.spelling.command
    lines = {
        "list": spell("iot hub module-identity list", device_id=device_id),
        "create": spell("iot hub module-identity create", device_id=device_id),
    }
    return web.json_response({"modules": rows, "lines": lines})


async def create_module(request: web.Request) -> web.Response:
    """POST /api/devices/{id}/modules {"moduleId"}: one that signs in with keys, which the hub makes."""
    parts, (device_id, _) = parts_of(request), address_of(request)
    module_id = (await body_of(request, moduleId=str)).get("moduleId", "")
    new = NewIdentity(device_id=device_id, module_id=module_id)
    made = await parts.workers.hub(lambda client: client.identities.create(new))
    return web.json_response({"id": made.module_id})


async def keys(request: web.Request) -> web.Response:
    """POST …/keys: what it signs in with. A POST: it is asked for by a button, and never in read-only mode."""
    await body_of(request)
    parts, address = parts_of(request), address_of(request)

    def work(client: HubClient) -> tuple[Identity, str]:
        return client.identities.get(*address), client.target.for_devices.host

    identity, host = await parts.workers.hub(work)
    module = "" if address.module_id is None else f";ModuleId={address.module_id}"
    string = f"HostName={host};DeviceId={address.device_id}{module};SharedAccessKey={identity.primary_key}"
    return web.json_response(
        {
            "signIn": identity.sign_in,
            "primaryKey": identity.primary_key,
            "secondaryKey": identity.secondary_key,
            "connectionString": None if identity.primary_key is None else string,
        }
    )


async def act(request: web.Request) -> web.Response:
    """POST …/actions/{action} {"reason", "typed"}: typed: the whole id, where it is deleted."""
    parts, address = parts_of(request), address_of(request)
    body = await body_of(request, reason=str, typed=str)
    name = request.match_info["action"]
    action = ACTIONS.get(name)
    if action is None or (action.status is not None and address.module_id is not None):
        raise NotFound(f"There is no action {name[:40]!r}.")
    if action.status is None:
        own_id = address.module_id or address.device_id
        if body.get("typed") != own_id:
            raise BadValue("The id that was typed is not that of what would be deleted; nothing was deleted.")
        await parts.workers.hub(lambda client: _delete(client, address))
        return web.json_response({"id": own_id, "isDeleted": True})
    status, reason = action.status, body.get("reason", "")
    check_status_reason(reason)
    await parts.workers.hub(lambda client: _set_status(client, address.device_id, status, reason))
    return web.json_response({"id": address.device_id})


def _delete(client: HubClient, address: Address) -> None:
    client.identities.delete(address.device_id, etag=ANY_ETAG, module_id=address.module_id)


def _set_status(client: HubClient, device_id: str, status: str, reason: str) -> None:
    """Write the whole record that was just read: a change that was made meanwhile is not overwritten."""
    now = client.identities.get(device_id)
    record = {**now.document, "status": status, "statusReason": reason or None}
    client.identities.replace(device_id, record, etag=now.etag)


async def _read(parts: Parts, address: Address) -> Document:
    return _document(parts, address, await parts.workers.hub(lambda client: client.twins.get(*address)))


def _document(parts: Parts, address: Address, twin: Twin) -> Document:
    """A twin as its page has it: without what the hub says of each property's last change, which is most of it."""
    properties = _object(twin.document.get("properties"))
    desired, reported = _object(properties.get("desired")), _object(properties.get("reported"))
    return {
        "deviceId": address.device_id,
        "moduleId": address.module_id,
        "etag": twin.etag,
        "isConnected": twin.is_connected,
        "isEnabled": twin.is_enabled,
        "isEdge": _object(twin.document.get("capabilities")).get("iotEdge") is True,
        "facts": {name: twin.document.get(name) for name in DEVICE_FACTS},
        "tags": _object(twin.document.get("tags")),
        "desired": _content(desired),
        "reported": _content(reported),
        "versions": {"desired": _version(desired), "reported": _version(reported)},
        "actions": _offered(parts, address, twin),
        "lines": _lines(parts.context.spelling.command, address),
    }


def _version(properties: Mapping[str, Any]) -> Document:
    metadata = _object(properties.get("$metadata"))
    return {"number": properties.get("$version"), "changed": metadata.get("$lastUpdated")}


def _content(properties: Mapping[str, Any]) -> Document:
    return {name: value for name, value in properties.items() if not name.startswith("$")}


def _object(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def _is_connected(identity: Identity) -> bool:
    return identity.document.get("connectionState") == "Connected"


def _offered(parts: Parts, address: Address, twin: Twin) -> list[Document]:
    spell = parts.context.spelling.command
    kind = "device" if address.module_id is None else "module"
    names = _names(address)
    offered = []
    for name, action in ACTIONS.items():
        if action.status is not None and (kind == "module" or twin.is_enabled == (action.status == "enabled")):
            continue
        verb, more = ("delete", {}) if action.status is None else ("update", {"status": action.status})
        line = spell(f"iot hub {kind}-identity {verb}", **names, **more)
        offered.append({"name": name, "label": action.label, "question": action.question, "line": line})
    return offered


def _names(address: Address) -> dict[str, str]:
    module = {} if address.module_id is None else {"module_id": address.module_id}
    return {"device_id": address.device_id, **module}


def _lines(spell: Callable[..., str], address: Address) -> Document:
    """Commands that do the same; the page adds what is typed there."""
    kind, names = ("device" if address.module_id is None else "module"), _names(address)
    lines = {
        "show": spell(f"iot hub {kind}-twin show", **names),
        "update": spell(f"iot hub {kind}-twin update", **names),
        "method": spell(f"iot hub invoke-{kind}-method", **names),
        "keys": spell(f"iot hub {kind}-identity connection-string show", **names),
    }
    if address.module_id is None:
        lines["message"] = spell("iot device c2d-message send", **names)
        lines["telemetry"] = spell("iot hub monitor-events", **names)
    return lines
