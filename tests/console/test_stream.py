"""Live updates: what changes is sent, what was seen is not sent again, whatever has happened meanwhile."""

import asyncio
import json
from pathlib import Path

import pytest

from azext_iotjobs.console import stream
from azext_iotjobs.console.context import Document
from azext_iotjobs.console.parts import Parts, Topic
from azext_iotjobs.console.routes import TOPICS
from azext_iotjobs.model.fleet_job import Driver
from tests.helpers.console import served
from tests.helpers.fleet_job_setup import FleetJobSetup, ids
from tests.helpers.waiting import wait_until


def test_a_stream_begins_with_what_there_is_and_sends_what_changes(tmp_path: Path) -> None:
    setup = FleetJobSetup(tmp_path)
    with served(tmp_path) as console:
        console.sign_in()
        with console.stream("fleet-jobs") as events:
            first = events.next()
            assert first is not None and first.data == {
                "topic": "fleet-jobs",
                "document": {
                    "jobs": [],
                    "may": {"run": True, "define": True, "text": ""},
                    "line": "az iot hub fleet-job list",
                },
            }
            setup.run(Driver.CALLS, ids(3))
            seen = events.next()
            while seen is not None and [each["status"] for each in seen.data["document"]["jobs"]] != ["completed"]:
                seen = events.next()
            assert seen is not None and seen.data["document"]["jobs"][0]["run"]["progress"]["completed"] == 3


def test_a_stream_that_is_resumed_sends_only_what_was_not_seen_also_of_another_console(tmp_path: Path) -> None:
    FleetJobSetup(tmp_path).run(Driver.CALLS, ids(2))
    with served(tmp_path) as console:
        console.sign_in()
        with console.stream("fleet-jobs") as events:
            seen = events.next()
    assert seen is not None
    with served(tmp_path) as again:
        again.sign_in()
        with again.stream("fleet-jobs", "fleet-job:job", last=seen.id) as events:
            new = events.next()
            assert new is not None and new.data["topic"] == "fleet-job:job"
            assert json.loads(new.id).keys() == {"fleet-jobs", "fleet-job:job"}


def test_what_cannot_be_read_is_sent_as_an_error_and_the_stream_goes_on(tmp_path: Path) -> None:
    setup = FleetJobSetup(tmp_path)
    with served(tmp_path) as console:
        console.sign_in()
        with console.stream("fleet-job:job") as events:
            missing = events.next()
            assert missing is not None and missing.data["document"]["error"]["code"] == "hub-not-found"
            setup.run(Driver.CALLS, ids(1))
            found = events.next()
            assert found is not None and found.data["document"]["job"]["id"] == "job"


def test_fleet_jobs_that_are_saved_later_are_found_in_a_folder_that_was_not_there(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        console.sign_in()
        with console.stream("fleet-jobs") as events:
            assert (nothing := events.next()) is not None and nothing.data["document"]["jobs"] == []
            FleetJobSetup(tmp_path).run(Driver.CALLS, ids(1))
            assert (found := events.next()) is not None and len(found.data["document"]["jobs"]) == 1


TOO_MANY = "?" + "&".join(f"topic=fleet-job:{number}" for number in range(9))


@pytest.mark.parametrize("query", ["", "?topic=secrets", "?topic=a/../b", TOO_MANY])
def test_a_topic_that_there_is_not_is_refused(tmp_path: Path, query: str) -> None:
    with served(tmp_path) as console:
        console.sign_in()
        assert console.get(f"/api/events{query}").status in (400, 404)


def test_a_topic_is_read_once_for_all_who_watch_and_no_more_when_nobody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LOOK_S", 0.05)
    reads: list[str] = []

    async def read(_parts: Parts, argument: str) -> Document:
        reads.append(argument)
        if len(reads) == 1:
            return {}
        try:
            return await asyncio.Future()
        finally:
            reads.append("ended")

    with served(tmp_path, topics={"own": Topic(read, interval_s=0.01)}) as console:
        console.sign_in()
        with console.stream("own:it") as one, console.stream("own:it") as other:
            assert one.next() is not None and other.next() is not None
            wait_until("it is read again", lambda: len(reads) == 2)
        wait_until("it is not read any more", lambda: "ended" in reads)
        assert reads == ["it", "it", "ended"]


@pytest.mark.parametrize("last", ["{", "[" * 7_000, '"x"', '{"fleet-jobs": 1, "other": "\\n"}'])
def test_an_id_that_is_none_of_ours_is_as_good_as_none(tmp_path: Path, last: str) -> None:
    with served(tmp_path) as console:
        console.sign_in()
        with console.stream("fleet-jobs", last=last) as events:
            assert (first := events.next()) is not None and json.loads(first.id).keys() == {"fleet-jobs"}


def test_the_end_of_the_console_ends_its_streams(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        console.sign_in()
        with console.stream("fleet-jobs") as events:
            assert events.next() is not None
            console.console.stop()
            assert events.next() is None


def test_every_topic_is_read_at_an_interval() -> None:
    assert all(each.interval_s > 0 for each in TOPICS.values())


def test_streams_of_pages_that_have_gone_make_room_although_nothing_is_sent_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BEAT_S", 3600.0)
    monkeypatch.setattr(stream, "MAX_STREAMS", 3)

    def opened() -> int:
        with console.stream("fleet-jobs") as events:
            if events.response.status == 200:
                assert events.next() is not None  # so that nothing more is written to it
            return events.response.status

    with served(tmp_path) as console:
        console.sign_in()
        assert [opened() for _ in range(3)] == [200, 200, 200]
        wait_until("there is room again", lambda: opened() == 200)
