"""/_local/clock: what happens at a hub whose clock is moved ahead, and what is refused."""

import ssl
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError

import pytest

from azext_iotjobs.localhub.clock import parse, render
from azext_iotjobs.localhub.testing import LocalHub, LocalHubRefused
from tests.helpers.waiting import wait_until

HOUR = timedelta(hours=1)
DEVICE_BOUND = "/devices/pump-1/messages/deviceBound"


@pytest.fixture(scope="module")
def one_hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


@pytest.fixture
def hub(one_hub: LocalHub) -> Iterator[LocalHub]:
    """A hub with a device, whose clock is the machine's again after each test."""
    one_hub.create_device("pump-1")
    yield one_hub
    one_hub.reset()
    assert one_hub.request("GET", "/_local/clock")["offsetSeconds"] == 0


def start_job(hub: LocalHub, job: str, **members: Any) -> None:
    hub.request("PUT", f"/jobs/v2/{job}", {"jobId": job, "queryCondition": "deviceId = 'pump-1'", **members})


def wait_for_job(hub: LocalHub, job: str, status: str) -> Any:
    wait_until(f"the job is {status}", lambda: hub.request("GET", f"/jobs/v2/{job}")["status"] == status)
    return hub.request("GET", f"/jobs/v2/{job}")


def status_of_put(uri: str, hub: LocalHub) -> int:
    request = urllib.request.Request(uri, b"x", {"x-ms-blob-type": "BlockBlob"}, method="PUT")
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=hub.ca_certificate_path)) as got:
            return int(got.status)
    except HTTPError as err:
        with err:
            return err.code


def test_the_clock_shows_its_time_and_how_far_it_is_ahead(hub: LocalHub) -> None:
    before = hub.request("GET", "/_local/clock")
    assert (before["offsetSeconds"], before["timeScale"]) == (0, 1)
    moved = hub.request("POST", "/_local/clock", {"advance": "1.5h"})
    assert (moved["offsetSeconds"], moved["timeScale"]) == (5400, 1)
    assert 0 <= (parse(moved["now"]) - parse(before["now"]) - 1.5 * HOUR).total_seconds() < 60
    assert hub.request("POST", "/_local/clock", {"advance": "500ms"})["offsetSeconds"] == 5400.5


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"advance": "-2h"}, "advance: '-2h' is not allowed. The clock only goes ahead: give a duration above 0"),
        ({"advance": "0s"}, "advance: '0s' is not allowed"),
        ({"advance": "999999999999d"}, "give a duration above 0 and at most 3650d, such as "),
        ({"advance": "PT2H"}, "advance: 'PT2H' is not allowed"),
        ({"advance": 7200}, "advance: 7200, a number, is not allowed. It is a text of 1 to 40 characters, such as "),
        ({"advance": "3651d"}, "advance: The clock may be 3,650d ahead of the machine's at most, and is 0s ahead."),
        ({"advance": "2h", "now": "x"}, "'now': There is no such member. There may be advance."),
        ({}, "advance: It is missing"),
        ([], "The body must be a JSON object, and is an array."),
        (None, "The body must be a JSON object, and is null or nothing."),
    ],
)
def test_what_is_no_move_ahead_is_refused_and_moves_nothing(hub: LocalHub, body: Any, said: str) -> None:
    with pytest.raises(LocalHubRefused) as refused:
        hub.request("POST", "/_local/clock", body)
    assert refused.value.status == 400 and said in refused.value.text
    assert hub.request("GET", "/_local/clock")["offsetSeconds"] == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_parameter_that_the_clock_does_not_have_is_refused(hub: LocalHub, method: str) -> None:
    with pytest.raises(LocalHubRefused, match="400"):
        hub.request(method, "/_local/clock?advance=2h", {"advance": "2h"} if method == "POST" else None)
    assert hub.request("GET", "/_local/clock")["offsetSeconds"] == 0


def test_a_scheduled_job_runs_and_one_whose_device_stays_away_ends(hub: LocalHub) -> None:
    start_at = render(hub.now() + 48 * HOUR)
    patch = {"deviceId": "pump-1", "etag": "*", "tags": {"site": "north"}}
    start_job(hub, "later", type="scheduleUpdateTwin", updateTwin=patch, startTime=start_at)
    method = {"methodName": "reboot", "payload": None, "responseTimeoutInSeconds": 30}
    start_job(hub, "call", type="scheduleDeviceMethod", cloudToDeviceMethod=method, maxExecutionTimeInSeconds=7200)
    wait_for_job(hub, "later", "scheduled")
    wait_for_job(hub, "call", "running")
    hub.advance("2h")
    ended = wait_for_job(hub, "call", "completed")
    assert ended["deviceJobStatistics"]["failedCount"] == 1
    assert hub.request("GET", "/jobs/v2/later")["status"] == "scheduled"
    hub.advance(timedelta(hours=46))
    wait_for_job(hub, "later", "completed")
    assert hub.twin("pump-1")["tags"] == {"site": "north"}
    hub.advance("31d")  # the hub's history of jobs is 30 days
    wait_until("it is forgotten", lambda: hub.request("GET", "/jobs/v2/later")["status"] == "unknown")


def test_messages_expire_and_locks_end(hub: LocalHub) -> None:
    hub.request("POST", "/_local/devices/pump-1/messages", {"body": "MQ==", "ack": "full"})
    assert [hub.request("GET", DEVICE_BOUND) for _ in range(2)] == [1, None]  # the second finds it locked
    hub.advance("61s")
    assert hub.request("GET", DEVICE_BOUND) == 1
    hub.advance("1h")
    (record,) = hub.request("GET", "/messages/serviceBound/feedback")
    assert record["statusCode"] == "Expired"
    assert hub.twin("pump-1")["cloudToDeviceMessageCount"] == 0


def test_the_place_of_a_file_upload_ends(hub: LocalHub) -> None:
    place = hub.request("POST", "/devices/pump-1/files", {"blobName": "a.txt"})
    uri = f"https://{place['hostName']}/{place['containerName']}/{place['blobName']}{place['sasToken']}"
    assert status_of_put(uri, hub) == 201
    hub.advance("2h")
    assert status_of_put(uri, hub) == 403
    with pytest.raises(LocalHubRefused, match="400"):
        hub.request("POST", f"/devices/pump-1/files/notifications/{place['correlationId']}", {"isSuccess": True})


def test_configurations_have_their_next_round(hub: LocalHub) -> None:
    content = {"deviceContent": {"properties.desired.fan": {"speed": 3}}}
    document = {"id": "fan", "content": content, "targetCondition": "tags.site = 'north'", "priority": 1}
    hub.request("PUT", "/configurations/fan", document)
    wait_until("its first round is over", lambda: hub.request("GET", "/configurations/fan")["systemMetrics"]["results"])
    hub.patch_twin("pump-1", tags={"site": "north"})
    hub.advance("5m")
    wait_until("it is applied", lambda: hub.twin("pump-1")["properties"]["desired"].get("fan") == {"speed": 3})


def test_a_fault_for_a_time_is_over_and_a_reset_sets_the_clock_back_for_new_events(hub: LocalHub) -> None:
    fault = hub.fault("no-ack", for_s=60)
    hub.advance("2h")
    assert not fault.is_active
    hub.request("POST", "/devices/pump-1/messages/events", {"t": 1})
    hub.reset()
    hub.create_device("pump-1")
    hub.request("POST", "/devices/pump-1/messages/events", {"t": 2})
    (event,) = hub.request("GET", "/_local/events")["events"]
    assert parse(event["enqueuedTime"]) <= hub.now()


def test_a_hub_at_a_scale_does_in_a_second_what_takes_an_hour() -> None:
    with LocalHub("--time-scale", "1000", "--sku", "S1") as hub:
        hub.create_device("pump-1")
        shown = hub.request("GET", "/_local/clock")
        assert shown["timeScale"] == 1000 and shown["offsetSeconds"] > 0
        method = {"methodName": "reboot", "payload": None, "responseTimeoutInSeconds": 30}
        start_job(hub, "call", type="scheduleDeviceMethod", cloudToDeviceMethod=method, maxExecutionTimeInSeconds=600)
        wait_for_job(hub, "call", "completed")
        hub.send("pump-1", "hello")
        wait_until("it has expired", lambda: hub.twin("pump-1")["cloudToDeviceMessageCount"] == 0)
