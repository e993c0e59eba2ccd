"""What `schedule export --kubernetes` prints, run: its pods are processes here, and share the manifest's volume."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.pods import Pods, one_of_kind
from tests.helpers.postgres_server import PostgresServer
from tests.helpers.scheduled_fleet_jobs import HOUR, TWO_MINUTES, Scheduled, clock, now
from tests.helpers.waiting import wait_until

SECRET = "iotjobs-hub"
EXPORT = "iot hub fleet-job schedule export --kubernetes --image registry.example/az-iotjobs:1"


@pytest.fixture(scope="module")
def registered(hub: ScenarioHub) -> ScenarioHub:
    """A device in site `night`."""
    hub.new_device("kc-1")
    assert hub.az.run("iot hub device-twin update", "-n", hub.name, "-d", "kc-1", "--tags", "site=night").code == 0
    return hub


def pods_of(hub: ScenarioHub, folder: Path, *options: str) -> Pods:
    ran = hub.az.run(EXPORT, *options)
    assert ran.code == 0, ran.stderr
    assert f"kubectl create secret generic {SECRET}" in ran.stderr
    return Pods(
        manifest=ran.stdout,
        folder=folder,
        secrets={SECRET: {"IOTJOBS_CONNECTION_STRING": hub.document["connectionString"]}},
        # A hub in Azure is known by its name; the local one's address and CA are in this folder.
        image={"AZURE_EXTENSION_DIR": str(hub.az.extensions), "AZURE_CONFIG_DIR": str(hub.az.config_dir)},
        labels={},
    )


@pytest.fixture
def place(registered: ScenarioHub, tmp_path: Path) -> Iterator[Scheduled]:
    """Fleet jobs on the volume that the manifests name."""
    yield Scheduled(registered, tmp_path / "volumes" / "iotjobs-run-due" / "state" / "fleet-jobs")


def completed(place: Scheduled, name: str) -> list[Any]:
    return [each for each in place.ok("list-runs", "-j", name) if each["status"] == "completed"]


def test_a_deployment_runs_what_is_due_once_also_when_its_pod_was_killed(place: Scheduled, tmp_path: Path) -> None:
    pods = pods_of(place.hub, tmp_path, "--loop")
    template = one_of_kind(pods.manifest, "Deployment")["spec"]["template"]
    for name in ("deployed-1", "deployed-2"):
        place.save(name)
    place.set("deployed-1")
    first = pods.start(template, "first")
    try:
        wait_until("the first has run", lambda: len(completed(place, "deployed-1")))
    finally:
        first.kill()
    place.set("deployed-2")
    second = pods.start(template, "second")
    try:
        wait_until("the second has run", lambda: len(completed(place, "deployed-2")))
        second.process.terminate()
        assert second.end() == 0, second.text()
    finally:
        second.close()
    assert [len(completed(place, name)) for name in ("deployed-1", "deployed-2")] == [1, 1]


def test_pods_on_a_teams_store_share_the_work_and_one_that_is_killed_is_done_without(
    registered: ScenarioHub, postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.url()
    pods = pods_of(registered, tmp_path, "--loop", "--store", url)
    assert url not in pods.manifest
    secret = {**pods.secrets[SECRET], "IOTJOBS_STORE": url, "PGPASSWORD": "sesame"}
    # The server's socket is in a folder that only a user with all rights can enter.
    pods = replace(pods, secrets={SECRET: secret}, is_isolated=False)
    template = one_of_kind(pods.manifest, "Deployment")["spec"]["template"]
    az, names = registered.az, ("team-1", "team-2", "team-3")
    for name in names:
        action = ("--desired", "light=45", "-q", "tags.site = 'night'")
        created = az.run(f"iot hub fleet-job create -n {registered.name} -j {name} --store {url}", *action)
        assert created.code == 0, created.stderr
    started = [pods.start(template, f"pod-{number}") for number in (1, 2)]
    try:
        make_due(registered, postgres, url, "team-1")
        wait_until("the first has run", lambda: len(completed_at(registered, url, "team-1")) == 1)
        started[0].kill()
        for name in names[1:]:
            make_due(registered, postgres, url, name)
        wait_until("all have run", lambda: all(completed_at(registered, url, name) for name in names))
        started[1].process.terminate()
        assert started[1].end() == 0, started[1].text()
    finally:
        for pod in started:
            pod.close()
    assert [len(completed_at(registered, url, name)) for name in names] == [1, 1, 1]
    assert "sesame" not in "".join(pod.text() for pod in started)


def make_due(hub: ScenarioHub, postgres: PostgresServer, url: str, name: str) -> None:
    """Set a daily schedule, due two minutes ago, that was set an hour ago."""
    at = ("--daily", "--at", clock(now() - TWO_MINUTES), "--time-zone", "UTC")
    ran = hub.az.run(f"iot hub fleet-job schedule set -j {name} --store {url}", *at)
    assert ran.code == 0, ran.stderr
    schema, since = url.rpartition("schema=")[2], (now() - HOUR).timestamp()
    postgres.sql(f"UPDATE {schema}.schedule SET set_at = {since}, looked_at = NULL WHERE fleet_job = '{name}'")


def completed_at(hub: ScenarioHub, url: str, name: str) -> list[Any]:
    ran = hub.az.run(f"iot hub fleet-job list-runs -j {name} --store {url}")
    return [each for each in ran.json if each["status"] == "completed"]


def test_a_cron_job_runs_what_is_due_once_however_often_it_is_called(place: Scheduled, tmp_path: Path) -> None:
    pods = pods_of(place.hub, tmp_path, "--every", "1m")
    template = one_of_kind(pods.manifest, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]
    place.save("called")
    place.set("called")
    both = [pods.start(template, f"call-{number}") for number in (1, 2)]
    codes = [each.end() for each in both]
    third = pods.start(template, "call-3")
    assert (codes, third.end()) == ([0, 0], 0), [each.text() for each in (*both, third)]
    assert len(completed(place, "called")) == 1
