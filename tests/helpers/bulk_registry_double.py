"""A registry that devices are made in and removed from in bulk, and the list of what was made, at their seams.

Both can die: a `Doom` counts what they do, and ends the process at one of these moments.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from azext_iotjobs.model.created import Created, head, read_list
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.transport_double import response

RUN = "run-1"
HUB = "hub.example:443"


class Died(BaseException):
    """The process was killed: nothing that it would have done comes after it."""


@dataclass
class Doom:
    """Ends the process at moment `at`, counted from 0; None: never."""

    at: int | None = None
    moments: int = 0

    def pass_moment(self) -> bool:
        """Whether this is the moment."""
        self.moments += 1
        return self.at == self.moments - 1

    def pass_or_die(self) -> None:
        if self.pass_moment():
            raise Died


class FleetRegistry:
    """`devices` is what is registered, by id, as twins show it."""

    def __init__(self, *ids: str, doom: Doom | None = None, loses_first_answers: bool = False) -> None:
        self.devices: dict[str, dict[str, Any]] = {}
        self.doom = doom or Doom()
        self.refused: dict[str, str] = {}  # id -> the hub's word, for what it does not make
        self.unseen_by_queries: set[str] = set()
        self.without_twin: set[str] = set()
        self.throttled = 0  # bulk requests that are answered with 429, from now on
        self.keys: dict[str, str] = {}
        self.requests: list[Request] = []
        self._loses = loses_first_answers
        self._etags = 0
        for each in ids:
            self.put(each)

    def put(self, device_id: str, *, tags: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Register a device, or change it: its etag moves."""
        self._etags += 1
        self.devices[device_id] = {
            "deviceId": device_id,
            "deviceEtag": f"e{self._etags}",
            "connectionState": "Disconnected",
            "authenticationType": "sas",
            "tags": dict(tags or {}),
            **more,
        }

    def send(self, request: Request) -> Response:
        if request.path == "/devices" and self.throttled:
            self.throttled -= 1
            return response({"Message": "ErrorCode:ThrottlingBacklogTimeout;wait"}, status=429)
        self.requests.append(request)
        self.doom.pass_or_die()  # before it got there
        answer = self._answer(request)
        if self._loses and request.path == "/devices":
            assert request.may_repeat
            answer = self._answer(request)  # the transport sends it again
        self.doom.pass_or_die()  # before its answer got here
        return answer

    def _answer(self, request: Request) -> Response:
        path = unquote(request.path)
        if path == "/devices":
            return self._bulk(request.body)
        if path == "/devices/query":
            return response(self._rows(request.body["query"]))
        name = path.split("/")[2]
        found = self.devices.get(name)
        if found is None:
            return response({"Message": "ErrorCode:DeviceNotFound;"}, status=404, iothub_errorcode="DeviceNotFound")
        if path.startswith("/devices/"):
            keys = {"primaryKey": self.keys.get(name, "AAAA"), "secondaryKey": "BBBB"}
            return response({**found, "authentication": {"type": "sas", "symmetricKey": keys}})
        return response(found)

    def _bulk(self, items: list[dict[str, Any]]) -> Response:
        assert 1 <= len(items) <= 100
        errors = [
            {"deviceId": each["id"], "errorCode": fault, "errorStatus": "because"}
            for each in items
            if (fault := self._carry_out(each)) is not None
        ]
        named = [each["id"] for each in items if each["importMode"] == "create"]
        warnings = [
            {"deviceId": each, "warningCode": "DeviceRegisteredWithoutTwin"}
            for each in named
            if each in self.without_twin
        ]
        document = {"isSuccessful": not errors, "errors": errors, "warnings": warnings}
        return response(document, status=400 if errors else 200)

    def _carry_out(self, item: dict[str, Any]) -> str | None:
        name = item["id"]
        found = self.devices.get(name)
        match item["importMode"]:
            case "create":
                if name in self.refused:
                    return self.refused[name]
                if found is not None:
                    return "DeviceAlreadyExists"
                self.put(name, tags={} if name in self.without_twin else item["tags"])
            case "deleteIfMatchETag":
                if found is None:
                    return "DeviceNotFound"
                if found["deviceEtag"] != item["eTag"]:
                    return "PreconditionFailed"
                del self.devices[name]
            case "updateTwin":
                self.devices[name]["tags"].update(item["tags"])
        return None

    def _rows(self, query: str) -> list[dict[str, Any]]:
        run_count = re.search(r"COUNT\(\).*tags\.simulatedRun = '(.*?)'", query)
        if run_count is not None:
            return [{"total": len(self._rows(f"tags.simulatedRun = '{run_count[1]}'"))}]
        seen = [each for name, each in self.devices.items() if name not in self.unseen_by_queries]
        if (run := re.search(r"tags\.simulatedRun = '(.*?)'", query)) is not None:
            return [each for each in seen if each["tags"].get("simulatedRun") == run[1]]
        if "IN [" in query:
            return [each for each in seen if f"'{each['deviceId']}'" in query]
        return seen


class ListDouble:
    """The list of what was made, in memory: `lines` is what a disk would have."""

    def __init__(self, doom: Doom | None = None, *, is_temporary: bool = True) -> None:
        self.created = Created(run=RUN, hub=HUB, is_temporary=is_temporary)
        self.lines = [json.dumps(head(self.created)) + "\n"]
        self._doom = doom or Doom()

    def note(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry) + "\n"
        if self._doom.pass_moment():  # in the middle of it
            self.lines.append(line[: len(line) // 2])
            raise Died
        self.lines.append(line)
        self.created.apply(entry)
        self._doom.pass_or_die()

    def read_again(self) -> "ListDouble":
        """As the next process finds it."""
        again = ListDouble()
        again.created = read_list(self.lines)
        again.lines = [line for line in self.lines if line.endswith("\n")]
        return again
