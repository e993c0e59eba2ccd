"""Schedules as a user has them: sentences of IoT Central's documentation on scheduled jobs, and what it does not say.

A schedule that was set an hour ago is one whose row says so: nobody waits for a time of day here.
"""

import signal
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.model.clock import parse_instant
from tests.conftest import ScenarioHub
from tests.helpers.az import Az
from tests.helpers.scheduled_fleet_jobs import HOUR, TWO_MINUTES, Scheduled, clock, now
from tests.helpers.waiting import wait_until

DEVICES = ("s-1", "s-2", "s-3")
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def registered(hub: ScenarioHub) -> ScenarioHub:
    """Three devices that are registered, in site `night`."""
    for device in DEVICES:
        hub.new_device(device)
        words = ("-n", hub.name, "-d", device, "--tags", '{"site": "night"}')
        assert hub.az.run("iot hub device-twin update", *words).code == 0
    return hub


@pytest.fixture
def place(registered: ScenarioHub, tmp_path: Path) -> Scheduled:
    return Scheduled(registered, tmp_path / "state")


def test_the_date_and_time_is_specific_to_your_time_zone(place: Scheduled) -> None:
    place.save("zoned")
    ran = place.run("schedule set", "-j", "zoned", *"--weekly mon,thu --at 02:30 --time-zone Europe/Berlin".split())
    assert ran.code == 0 and ran.json["description"] == "weekly on mon, thu at 02:30"
    following = ran.json["next"]
    assert len(following) == 5 and all("T02:30:00+0" in each["local"] for each in following)
    assert all(parse_instant(each["utc"]).at == parse_instant(each["local"]).at for each in following)
    first = following[0]
    said = f"{first['local'][:16].replace('T', ' ')} {first['zone']} ({first['utc'][:16].replace('T', ' ')} UTC)"
    assert said in ran.stderr, "for a person"
    shown = place.run("schedule show", "-j", "zoned")
    assert shown.json["next"] == following and said in shown.stderr
    assert place.ok("schedule list")[0]["next"] == following[:1]


def test_you_can_unschedule_the_job_or_edit_the_scheduled_job(place: Scheduled) -> None:
    place.save("edited")
    until = "--daily --at 02:30 --time-zone UTC --starts 2100-01-01 --ends 2100-12-31".split()
    daily = place.ok("schedule set", "-j", "edited", *until)
    assert (daily["starts"], daily["ends"], len(daily["next"])) == ("2100-01-01T00:00:00", "2100-12-31T23:59:59", 5)
    same = place.run("schedule set", "-j", "edited", *until)
    assert same.code == 0 and "is as it was" in same.stderr
    so_often = "--monthly 1,last --at 03:00 --time-zone UTC --times 3".split()
    edited = place.ok("schedule set", "-j", "edited", *so_often)
    assert edited["rule"]["monthDays"] == [1, "last"] and edited["rule"]["at"] == "03:00"
    assert edited["times"] == len(edited["next"]) == 3
    assert place.ok("schedule remove", "-j", "edited")["removed"] is True
    assert place.ok("schedule list") == []
    gone = place.run("schedule show", "-j", "edited")
    assert gone.code == 3 and "schedule set" in gone.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--daily --at 02:30", "--time-zone"),
        ("--daily --time-zone UTC", "--at"),
        ("--daily --at 25:00 --time-zone UTC", "--at '25:00'"),
        ("--at 02:30 --time-zone UTC", "--once, --daily, --weekly, --monthly, --cron"),
        ("--daily --weekly mon --at 02:30 --time-zone UTC", "Give one of --once"),
        ("--weekly someday --at 02:30 --time-zone UTC", "--weekly"),
        ("--monthly 0 --at 02:30 --time-zone UTC", "--monthly"),
        ("--cron '61 2 * * *' --time-zone UTC", "--cron"),
        ("--cron '0 0 2 * * *' --time-zone UTC", "has not 5 fields"),
        ("--daily --at 02:30 --time-zone Mars", "--time-zone 'Mars'"),
        ("--once 2020-01-01T02:00 --time-zone UTC", "lies ahead"),
        ("--once 2100-02-30 --at 02:00 --time-zone UTC", "--once"),
        ("--daily --at 02:30 --time-zone UTC --window 03:00-04:00", "--window 03:00-04:00"),
        ("--daily --at 02:30 --time-zone UTC --window 3", "--window"),
        ("--daily --at 02:30 --time-zone UTC --times 2 --ends 2100-01-01", "--ends and --times"),
        ("--daily --at 02:30 --time-zone UTC --ends 2100-01-01T02:00Z", "leave Z out"),
        ("--daily --at 02:30 --time-zone UTC --jitter 2d", "--jitter"),
        ("--daily --at 02:30 --time-zone UTC --catch-up 60d", "--catch-up"),
    ],
)
def test_what_is_no_schedule_is_refused_and_the_one_before_stays(
    kept_schedule: Scheduled, typed: str, said: str
) -> None:
    before = kept_schedule.ok("schedule show", "-j", "kept")["rule"]
    ran = kept_schedule.hub.az.run(f"iot hub fleet-job schedule set --state-dir {kept_schedule.folder} -j kept {typed}")
    assert ran.code == 1 and said in " ".join(ran.stderr.split()) and "Traceback" not in ran.stderr, ran.stderr
    assert kept_schedule.ok("schedule show", "-j", "kept")["rule"] == before


@pytest.fixture(scope="module")
def kept_schedule(registered: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Scheduled:
    place = Scheduled(registered, tmp_path_factory.mktemp("kept") / "state")
    place.save("kept")
    place.ok("schedule set", "-j", "kept", "--daily", "--at", "05:00", "--time-zone", "UTC")
    return place


def test_scheduled_jobs_always_run_on_the_devices_in_a_device_group_even_if_the_membership_changes_over_time(
    place: Scheduled,
) -> None:
    hub = place.hub
    place.ok("group create", "-n", hub.name, "--group", "night", "-q", "tags.site = 'night'")
    place.create("grouped", "--desired", "light=45", "--group", "night")
    place.set("grouped")
    assert place.ok("schedule run-due")[0]["lastRun"]["progress"]["completed"] == 3
    hub.new_device("s-4")
    assert (
        hub.az.run("iot hub device-twin update", "-n", hub.name, "-d", "s-4", "--tags", '{"site": "night"}').code == 0
    )
    place.set("grouped", "--at", clock(now() - timedelta(minutes=1)), "--daily")
    second = place.ok("schedule run-due")
    assert (second[0]["run"], second[0]["lastRun"]["progress"]["completed"]) == (2, 4)
    assert hub.az.run("iot hub device-identity delete", "-n", hub.name, "-d", "s-4").code == 0


def test_when_the_scheduled_job_runs_you_will_see_a_list_of_the_job_instances(place: Scheduled) -> None:
    place.save("listed")
    place.set("listed")
    assert place.run_due() == [("started", 1)] and place.run_due() == []
    (run,) = place.ok("list-runs", "-j", "listed")
    assert [each["lastRun"]["run"] for each in place.ok("list", "--since", "30d")] == [1], "in the last 30 days"
    (occurrence,) = place.ok("schedule history", "-j", "listed")
    assert run["occurrence"] == occurrence["at"] and occurrence["run"] == 1 and occurrence["status"] == "started"
    table = place.run("schedule history", "-j", "listed", "-o", "table").stdout
    assert (
        "Started" not in table
        and "started" in table
        and occurrence["runStatus"] == "completed"
        and "RunStatus" in table
    )


def test_two_processes_on_one_folder_start_it_once(place: Scheduled, tmp_path: Path) -> None:
    place.save("shared", "--batch", "1", "--batch-pause", "1s")
    place.set("shared")
    words = place.words("schedule run-due")
    both = [place.hub.az.start(*words, output=tmp_path / name) for name in ("one", "two")]
    assert [each.wait(60) for each in both] == [0, 0]
    assert [run["run"] for run in place.ok("list-runs", "-j", "shared")] == [1]


def test_of_two_folders_on_one_hub_one_starts_it(place: Scheduled, tmp_path: Path) -> None:
    other = Scheduled(place.hub, tmp_path / "other")
    at = ("--daily", "--at", clock(now() - TWO_MINUTES))
    for each in (place, other):
        each.save("twice")
        each.set("twice", *at)
    assert place.run_due() == [("started", 1)]
    assert other.run_due() == [("taken", None)] and other.run_due() == []
    (taken,) = other.ok("schedule history", "-j", "twice")
    assert "It was started from another state folder, by " in taken["note"]
    assert other.ok("show", "-j", "twice")["lastRun"] is None


def test_what_was_missed_while_the_machine_was_off_is_said_and_has_an_exit_code_of_its_own(place: Scheduled) -> None:
    place.save("missed")
    place.set("missed", ago=3 * DAY - HOUR)
    ran = place.run("schedule run-due")
    assert ran.code == 10 and [each["status"] for each in ran.json] == ["missed", "missed", "started"]
    assert ran.stderr.count("later; a later one was due by then.") == 2
    assert [each["status"] for each in place.ok("schedule history", "-j", "missed")] == ["started", "missed", "missed"]
    since = f"{now() - 4 * DAY:%Y-%m-%d}"
    planned = place.ok("schedule backfill", "-j", "missed", "--since", since, "--dry-run")
    assert len(planned) in (3, 4) and all(
        (each["status"], each["dryRun"]) == ("would-start", True) for each in planned
    ), "also before it was set"
    done = place.ok("schedule backfill", "-j", "missed", "--since", since)
    assert [each["status"] for each in done] == ["started"] * len(planned)
    assert place.ok("schedule backfill", "-j", "missed", "--since", since) == [] and place.run_due() == []


def test_an_earlier_run_that_has_not_ended_is_minded_as_was_chosen(place: Scheduled) -> None:
    place.save("overlapping", "--cancellation-threshold", "1")
    place.ok("run", "-j", "overlapping", "--dry-run")
    store = place.folder / FILE_NAME
    place.set("overlapping")
    place.run_due()
    with closing(sqlite3.connect(store, isolation_level=None)) as raw:  # as if somebody had stopped it
        raw.execute("UPDATE run SET state = 'stopped', ended_by = 'ann'")
    place.set("overlapping", "--at", clock(now() - timedelta(minutes=1)), "--daily")
    assert place.run_due(code=10) == [("skipped", None)]
    seen = place.run("schedule history", "-j", "overlapping")
    for advice in (
        "Resume it: az iot hub fleet-job resume -j overlapping",
        "az iot hub fleet-job cancel -j overlapping",
    ):
        assert advice in seen.stderr
    (skipped,) = (each for each in seen.json if each["status"] == "skipped")
    assert "had not ended: it was stopped" in skipped["note"] and skipped["runProgress"] is None
    (ran,) = (each for each in seen.json if each["status"] == "started")
    assert ran["runProgress"]["total"] == len(DEVICES) and ran["note"] is None
    place.set("overlapping", "--at", clock(now()), "--daily", "--overlap", "cancel")
    assert place.run_due() == [("started", 2)]
    assert [run["status"] for run in place.ok("list-runs", "-j", "overlapping")] == ["completed", "canceled"]


def test_a_run_stops_when_its_window_shuts_and_goes_on_when_that_opens_again(place: Scheduled) -> None:
    place.save("windowed", "--batch", "1", "--batch-pause", "40s")
    began = now()
    shuts = clock(began + timedelta(seconds=70))  # in 10 to 70 seconds
    opens = clock(began - TWO_MINUTES)
    place.set("windowed", "--daily", "--at", opens, "--window", f"{opens}-{shuts}")
    (stopped,) = place.ok("schedule run-due", code=6)
    assert (stopped["lastRun"]["status"], stopped["lastRun"]["endedBy"]) == ("stopped", "its schedule")
    assert "window has shut" in stopped["lastRun"]["reason"] and stopped["lastRun"]["progress"]["completed"] in (1, 2)
    assert place.run_due() == [], "it is shut"
    later = clock(now() + HOUR)
    place.ok("schedule set", "-j", "windowed", "--daily", "--at", opens, "--window", f"{opens}-{later}", "--tz", "UTC")
    assert place.run_due() == [("resumed", 1)]
    assert place.ok("show", "-j", "windowed")["lastRun"]["progress"]["completed"] == 3


def test_as_a_service_it_looks_again_and_again(place: Scheduled, tmp_path: Path) -> None:
    for name in ("served-1", "served-2"):
        place.save(name)
    words = place.words("schedule run-due", "--loop", "--interval", "1s")
    running = place.hub.az.start(*words, output=tmp_path / "out")
    try:
        for name in ("served-1", "served-2"):
            place.set(name)
        wait_until("both have run", lambda: all(len(_runs(place, name)) for name in ("served-1", "served-2")))
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait(30)
    assert [len(_runs(place, name)) for name in ("served-1", "served-2")] == [1, 1]
    said = (tmp_path / "out.err").read_text()
    for name in ("served-1", "served-2"):
        assert f"\nWARNING: {name}: Batch 1 ended: " in said or f"\n{name}: Batch 1 ended: " in said, said


def test_a_loop_for_a_hub_of_another_configuration_hands_its_login_on(place: Scheduled, tmp_path: Path) -> None:
    place.save("handed")
    place.set("handed")
    login = tmp_path / "login"
    login.write_text(place.hub.document["connectionString"])
    bundle = str(place.hub.document["caBundlePath"])
    elsewhere = Az(tmp_path, place.hub.az.extensions, REQUESTS_CA_BUNDLE=bundle)
    words = place.words("schedule run-due", "--loop", "--interval", "1s", "-l", f"@{login}")
    running = elsewhere.start(*words, output=tmp_path / "out")
    try:
        wait_until("it has run", lambda: _runs(place, "handed") or running.poll() is not None)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0, (tmp_path / "out.err").read_text()
    finally:
        running.kill()
        running.wait(30)
    assert len(_runs(place, "handed")) == 1


def _runs(place: Scheduled, name: str) -> list[Any]:
    return [each for each in place.ok("list-runs", "-j", name) if each["status"] == "completed"]


def test_where_nothing_has_a_schedule_that_is_said(place: Scheduled) -> None:
    place.save("plain")
    ran = place.run("schedule run-due")
    assert ran.code == 0 and ran.json == [] and "No fleet job has a schedule here." in ran.stderr
    assert place.run("schedule run-due", "-j", "plain").code == 3
    assert place.run("schedule run-due", "-j", "other").code == 3
    assert place.run("schedule run-due", "--interval", "1m").code == 1
