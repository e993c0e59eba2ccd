"""What IoT Hub has and the local hub has not: 501, with a body that says so; what nobody has stays 404."""

import re

import pytest

from azext_iotjobs.localhub.http.routes import NOT_SERVED, Caller, NotServed
from tests.helpers.hub_process import HubProcess, sas

pytestmark = pytest.mark.local_hub("is about what the local hub does not have")

ROWS = [(verb, each) for each in NOT_SERVED for verb in each.verbs]
LISTED = {
    "GET /configurations",
    "GET /configurations/x",
    "PUT /configurations/x",
    "DELETE /configurations/x",
    "POST /configurations/testQueries",
    "GET /digitaltwins/x",
    "PATCH /digitaltwins/x",
    "POST /digitaltwins/x/commands/x",
    "POST /digitaltwins/x/components/x/commands/x",
    "POST /jobs/create",
    "POST /devices/x/files",
    "POST /devices/x/files/notifications",
    "POST /devices/x/files/notifications/x",
    "GET /messages/serviceBound/filenotifications",
    "DELETE /messages/serviceBound/filenotifications/x",
    "POST /messages/serviceBound/filenotifications/x/abandon",
}


def path_of(row: NotServed, part: str = "x") -> str:
    return re.sub(r"\{\w+\}", part, row.path)


def test_the_table_has_what_the_service_documents_beyond_this_hub() -> None:
    assert {f"{verb} {path_of(row)}" for verb, row in ROWS} == LISTED


@pytest.mark.parametrize(("verb", "row"), ROWS, ids=lambda each: each if isinstance(each, str) else each.path)
def test_what_is_not_served_says_so(hub: HubProcess, verb: str, row: NotServed) -> None:
    device = "x" if row.caller is not Caller.DEVICE else "not-served"
    if row.caller is Caller.DEVICE and not hub.request("GET", "/devices/not-served").ok:
        hub.new_device("not-served")
    token = hub.token("device") if row.caller is Caller.DEVICE else None
    for path in (path_of(row, device), f"{path_of(row, device)}/"):
        answer = hub.request(verb, path, {"a": 1}, token=token)
        assert (answer.status_code, answer.headers["iothub-errorcode"]) == (501, "NotImplemented"), path
        assert answer.json()["Message"] == f"ErrorCode:NotImplemented;The local hub has no {row.feature}: {row.why}."
        assert answer.json()["ExceptionMessage"].startswith("Tracking ID:")


@pytest.mark.parametrize(("verb", "row"), ROWS, ids=lambda each: each if isinstance(each, str) else each.path)
def test_a_client_without_the_right_gets_401_instead(hub: HubProcess, verb: str, row: NotServed) -> None:
    foreign = sas("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "localhost", policy="iothubowner")
    for token in ("", foreign):
        assert hub.refused(verb, path_of(row), {}, token=token)[0] == 401


@pytest.mark.parametrize("path", ["/nowhere", "/configuration", "/devices/x/file", "/digitaltwins", "/jobs/v3/x"])
def test_what_no_hub_has_stays_not_found(hub: HubProcess, path: str) -> None:
    assert hub.refused("GET", path) in ((404, "GenericNotFound"), (405, "GenericMethodNotAllowed"))


def test_another_verb_is_not_allowed_there_either(hub: HubProcess) -> None:
    assert hub.refused("PATCH", "/configurations/x", {}) == (405, "GenericMethodNotAllowed")
