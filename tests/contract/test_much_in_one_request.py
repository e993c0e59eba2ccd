"""One request, however it repeats, widens or nests, costs the hub little work: it is refused before that is done, and
others are served.
"""

import json
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess

MANY = 20_000
EDGE = "/devices/{id}/applyConfigurationContent"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (EDGE, {"modulesContent": {f"m{number}": {} for number in range(MANY)}}),
        (EDGE, {"modulesContent": {"m": {f"properties.desired.k{number}": 1 for number in range(MANY)}}}),
        (EDGE, {"modulesContent": {"m": {"properties.desired." + ".".join("a" * MANY): 1}}}),
        (EDGE, {"modulesContent": {"m": {"properties.desired." + ".".join("a" * 12): 1}}}),
    ],
    ids=["modules", "paths", "a long path", "a path that is too deep"],
)
def test_a_wide_or_deep_content_of_an_edge_device_is_refused_and_changes_nothing(
    hub: AnyHub, name: str, path: str, body: dict[str, Any]
) -> None:
    hub.new_device(name, capabilities={"iotEdge": True})
    assert hub.refused("POST", path.replace("{id}", name), body) == (400, "ArgumentInvalid")
    modules = hub.ok("GET", f"/devices/{name}/modules")
    assert [each["moduleId"] for each in modules] == ["$edgeAgent", "$edgeHub"]


@pytest.mark.local_hub("measures the process of the hub")
def test_repeated_query_parameters_and_headers_are_bounded(hub: HubProcess) -> None:
    many = "&".join(["top=1"] * MANY)
    assert hub.request("GET", f"/devices?{many}").status_code == 400
    assert hub.request("GET", "/devices", headers={f"x{number}": "1" for number in range(500)}).status_code == 400
    assert hub.ok("GET", "/_local/state")["pid"] == hub.process.pid


def test_repeated_members_count_once_and_nested_ones_are_refused(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    repeated = b'{"tags":{' + b",".join([b'"a":1'] * MANY) + b"}}"
    assert hub.ok("PATCH", f"/twins/{name}", body=repeated)["tags"] == {"a": 1}
    nested = b'{"tags":' + b'{"a":' * MANY + b"1" + b"}" * (MANY + 1)
    assert hub.refused("PATCH", f"/twins/{name}", body=nested)[0] == 400
    listed = b'{"tags":{"a":' + b"[" * MANY + b"]" * MANY + b"}}"
    assert hub.refused("PATCH", f"/twins/{name}", body=listed)[0] == 400
    wide = json.dumps({"tags": {f"k{number}": number for number in range(MANY)}}).encode()
    assert hub.refused("PATCH", f"/twins/{name}", body=wide)[0] == 400
