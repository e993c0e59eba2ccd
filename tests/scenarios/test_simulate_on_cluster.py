"""A simulation as a Job, whose pods are processes here: each has what the manifest gives it, and one is killed."""

import os
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.pods import Pod, Pods, one_of_kind
from tests.helpers.waiting import wait_until

COUNT, SHARDS = 24, 3
BEHAVIOUR = "# $(HOME) of a pump's\nmethods:\n  reboot:\n    status: 204\n"
EXPORT = (
    "iot device simulate --export kubernetes --image registry.example/az-iotjobs:1 --max-devices 50 --shards 3 "
    "--until 60s --msg-count 200 --msg-interval 1 --secret-name pumps"
).split()


@pytest.fixture(scope="module")
def devices(hub: ScenarioHub) -> None:
    """Those that pods simulate."""
    for number in range(COUNT):
        hub.new_device(f"cl-{number:02}")


def exported(hub: ScenarioHub, folder: Path) -> str:
    """What `--export` prints."""
    behaviour = folder / "behaviour.yaml"
    behaviour.write_text(BEHAVIOUR)
    expected = ("--expect", "telemetry on all within 60s", "--expect", "method reboot on 50% within 60s")
    listed = ",".join(f"cl-{number:02}" for number in range(COUNT))
    ran = hub.az.run(
        " ".join(EXPORT[:4]), *EXPORT[4:], "--device-ids", listed, *expected, "--behaviour-file", str(behaviour)
    )
    assert ran.code == 0, ran.stderr
    assert "kubectl create secret generic pumps --from-env-file" in ran.stderr
    assert hub.document["connectionString"] not in ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture
def pods(hub: ScenarioHub, devices: None, tmp_path: Path) -> Pods:
    return Pods(
        manifest=exported(hub, tmp_path),
        folder=tmp_path,
        secrets={"pumps": {"IOTJOBS_CONNECTION_STRING": hub.document["connectionString"]}},
        # A hub in Azure is known by its name; the local one's address and CA are in this folder.
        image={"AZURE_EXTENSION_DIR": str(hub.az.extensions), "AZURE_CONFIG_DIR": str(hub.az.config_dir)},
        labels={"batch.kubernetes.io/controller-uid": str(uuid.uuid4())},
    )


@pytest.fixture
def job(pods: Pods) -> Iterator[dict[int, Pod]]:
    """The pods of the Job, by their index."""
    spec = one_of_kind(pods.manifest, "Job")["spec"]
    assert spec["completions"] == SHARDS
    with ExitStack() as stack:
        started: dict[int, Pod] = {}
        for index in range(SHARDS):
            started[index] = start(pods, index)
        stack.callback(close_all, started)
        yield started


def close_all(started: dict[int, Pod]) -> None:
    for pod in started.values():
        pod.close()


def start(pods: Pods, index: int) -> Pod:
    template: dict[str, Any] = one_of_kind(pods.manifest, "Job")["spec"]["template"]
    return pods.start(template, f"pod-{index}", JOB_COMPLETION_INDEX=str(index))


def requested(pods: Pods) -> str:
    """The memory that a pod asks for."""
    (container,) = one_of_kind(pods.manifest, "Job")["spec"]["template"]["spec"]["containers"]
    return str(container["resources"]["requests"]["memory"])


def wait_for(pod: Pod) -> None:
    """Until its devices are connected."""
    wait_until(f"{pod.log.name} is connected", lambda: connected(pod) or pod.process.poll() is not None)
    assert connected(pod), pod.text()


def connected(pod: Pod) -> bool:
    return re.search(r"All \d+ devices are connected", pod.text()) is not None


def test_pods_of_a_job_are_one_simulation_also_when_one_is_killed_and_started_again(
    hub: ScenarioHub, pods: Pods, job: dict[int, Pod]
) -> None:
    for pod in job.values():
        wait_for(pod)
    job[1].kill()
    killed = job[1].text()
    job[1].log.unlink()  # the pod that replaces it has a log of its own
    job[1] = start(pods, 1)
    wait_for(job[1])
    call(hub, 20)
    if sys.platform == "linux":
        asked = [float(requested(pods).removesuffix("Mi")) for _ in job]
        assert [pod.peak_mib() < mib for pod, mib in zip(job.values(), asked, strict=True)] == [True] * SHARDS
    codes = [pod.end() for pod in job.values()]
    logs = "".join([killed, *(pod.text() for pod in job.values())])
    merged = hub.az.run("iot device simulate --merge -", stdin=logs)
    assert (codes, merged.code) == ([0, 0, 0], 0), logs + merged.stderr
    result = merged.json
    assert result["devices"]["count"] == COUNT
    assert result["shards"] == {"total": SHARDS, "merged": SHARDS, "missing": []}
    assert result["methods"]["byName"][0] == {"name": "reboot", "received": 20, "answered": 20, "statuses": {"204": 20}}
    assert [each["cameTrue"] for each in result["expectations"]] == [True, True]
    assert result["seed"] == pods.labels["batch.kubernetes.io/controller-uid"]


def call(hub: ScenarioHub, count: int) -> None:
    """Call a method of some devices; a few of each shard answer."""
    listed = ",".join(f"cl-{number:02}" for number in range(count))
    line = f"iot hub invoke-device-method -n {hub.name} --method-name reboot"
    ran = hub.az.run(line, "--device-ids", listed)
    assert ran.code == 0, ran.stderr


def test_an_extension_for_all_is_found_by_a_user_without_a_folder(hub: ScenarioHub, tmp_path: Path) -> None:
    """As `az extension add --system` puts it into the image, and as a pod runs az: its configuration is empty."""
    environment = {
        "PYTHONNOUSERSITE": "1",  # so that az is started, and not forked from one that has loaded it
        "AZURE_EXTENSION_SYS_DIR": str(hub.az.extensions),
        "AZURE_EXTENSION_DIR": str(tmp_path / "none"),
        "AZURE_CONFIG_DIR": str(tmp_path / "azure"),
    }
    ran = hub.az.run("iot device simulate --prefix p --count 3 --until 1h", environment=environment)
    assert ran.code == 1 and "No hub is named" in ran.stderr, ran.stderr


def test_what_is_of_an_export_goes_with_nothing_else(hub: ScenarioHub) -> None:
    ran = hub.az.run(f"iot device simulate -n {hub.name} --prefix p --count 3 --shards 2")
    assert ran.code == 1 and "--shards is for --export kubernetes." in ran.stderr, ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pods run no sh there, and signals end processes")
def test_a_pod_that_is_stopped_prints_its_result_where_az_is_a_script_as_in_the_official_images(
    hub: ScenarioHub, pods: Pods, tmp_path: Path
) -> None:
    az = tmp_path / "bin" / "az"
    az.parent.mkdir()
    az.write_text(f'#!/usr/bin/env bash\n"{sys.executable}" -sm azure.cli "$@"\n')
    az.chmod(0o755)
    scripted = replace(pods, image={**pods.image, "PATH": f"{az.parent}:{os.defpath}"})
    with closing(start(scripted, 0)) as pod:
        wait_for(pod)
        pod.process.terminate()
        code = pod.end()
    merged = hub.az.run("iot device simulate --merge -", stdin=pod.text())
    assert (code, merged.code) == (4, 4), pod.text() + merged.stderr
    assert merged.json["shards"] == {"total": SHARDS, "merged": 1, "missing": [2, 3]}
