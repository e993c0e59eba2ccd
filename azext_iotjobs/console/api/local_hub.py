"""How a local hub stands, its logs, and its connection strings once somebody asks for them."""

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.console.context import Document, LocalHub
from azext_iotjobs.console.hub_logs import KINDS, Entry
from azext_iotjobs.console.parts import Parts, body_of, parts_of
from azext_iotjobs.model.errors import MissingChoice, NotFound

SHOWN = 200  # entries of a log
MAX_CHARACTERS = 300  # of a payload in a log
PAYLOADS = ("payload", "response")
FAILED: dict[str, Callable[[Entry], bool]] = {
    "requests": lambda entry: entry["status"] >= 400,
    "connections": lambda entry: entry["change"] != "connected",
    "calls": lambda entry: entry["state"] not in ("calling", "responded"),
}
COMMANDS = {  # what the page does, and the command's words; the page adds what is typed there
    "show": "show",
    "addFault": "fault add",
    "clearFaults": "fault clear",
    "listFaults": "fault list",
    "advance": "clock advance",
    "seed": "seed",
    "snapshot": "snapshot create",
    "restore": "snapshot restore",
    "reset": "reset",
}


def local_hub_of(parts: Parts) -> LocalHub:
    """The local hub of a console. Raises MissingChoice where there is none."""
    if parts.context.local_hub is None:
        raise MissingChoice("The console was started for a hub that is not a local one.")
    return parts.context.local_hub


async def read_state(parts: Parts, _argument: str) -> Document:
    """The topic `local-hub`: how it stands, its quotas and faults."""
    local = local_hub_of(parts)
    found = await parts.workers.hub(lambda client: _state(LocalHubClient(client.transport)))
    spell = parts.context.spelling.command
    lines = {name: spell(f"iot local-hub {words}", "-n", local.selector) for name, words in COMMANDS.items()}
    own = {"selector": local.selector, "facts": local.facts, "trustLines": list(local.trust_lines)}
    return {**own, **found, "lines": lines}


async def read_log(parts: Parts, argument: str) -> Document:
    """The topic `local-hub-log:<kind>:<all or failed>:<text>`: the newest entries that have the text somewhere."""
    local_hub_of(parts)
    kind, _, rest = argument.partition(":")
    which, _, text = rest.partition(":")
    if kind not in KINDS or which not in ("all", "failed"):
        raise NotFound(f"There is no log {argument[:60]!r}.")
    is_wanted = _wanted(kind, which == "failed", text.casefold())

    found = await parts.workers.hub(
        lambda client: parts.hub_logs.newest(LocalHubClient(client.transport), kind, is_wanted, SHOWN)
    )
    entries = [_shown(each) for each in found.entries]
    return {"kind": kind, "entries": entries, "found": found.total, "kept": found.kept}


async def connection_strings(request: web.Request) -> web.Response:
    """POST /api/local-hub/strings: a POST: they are asked for by a button, and never in read-only mode."""
    await body_of(request)
    parts = parts_of(request)
    found = await parts.workers.wait(local_hub_of(parts).connection_strings)
    return web.json_response({"strings": [{"name": name, "value": value} for name, value in found.items()]})


def _state(client: LocalHubClient) -> Document:
    """Without what changes by itself: the time, and the part of a second that a hub of another pace is ahead."""
    clock = client.clock()
    return {
        "troubles": client.troubles(),
        "state": client.state(),
        "quotas": client.quotas(),
        "clock": {"offsetSeconds": round(clock["offsetSeconds"]), "timeScale": clock["timeScale"]},
        "faults": client.faults(),
    }


def _wanted(kind: str, is_failed: bool, text: str) -> Callable[[Entry], bool]:
    def is_wanted(entry: Entry) -> bool:
        if is_failed and not FAILED[kind](entry):
            return False
        return not text or any(text in _text(value).casefold() for value in entry.values())

    return is_wanted


def _shown(entry: Entry) -> Document:
    """An entry without the rest of long payloads."""
    return {name: _cut(value) if name in PAYLOADS else value for name, value in entry.items()}


def _cut(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
