"""A simulation as an indexed Job of Kubernetes: each pod simulates a shard of the devices. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from azext_iotjobs.cli.output import kubernetes, pod_shell
from azext_iotjobs.cli.simulate.shard_record import RUN_VARIABLE
from azext_iotjobs.model.outcome import Outcome

FILES_FOLDER = "/simulation"
CONTAINER = "simulator"
DEVICES_PER_SHARD = 10_000  # of which one process has been measured
MAX_SHARDS = 10_000
# Measured with az and a local hub, on Linux with Python 3.11, at their most: 65 MiB, and 30 KiB for each device that
# sends. A request is what a node keeps free, and the rest up to the limit is for bursts.
BASE_MIB = 96
KIB_PER_DEVICE = 40
LIMIT_FACTOR = 2
CPU = "500m"  # at least; one process has one thread, and connecting takes the most
RETRIES = 6  # of a pod, after 10, 20, 40 … seconds
KEPT_S = 24 * 3600  # a finished Job, with the logs of its pods
STOP_S = 120  # to disconnect, and to print the result
# It would end in the same way again: what was typed is wrong, or there is no such device; or it is the result.
FINAL_CODES = (2, 3, int(Outcome.DEVICES_FAILED), int(Outcome.NO_DEVICE))
RUN_LABEL = "batch.kubernetes.io/controller-uid"  # the Job's own: another one for each Job of the same name


class SimulationJob(NamedTuple):
    """What is simulated, by how many, and where."""

    name: str
    image: str
    secret: str
    shards: int
    device_count: int  # at most
    words: Sequence[str]  # the options of `az iot device simulate`, as typed; files by their names in FILES_FOLDER
    has_seed: bool  # whether one is among them; without one each Job has its own
    files: Mapping[str, str]  # text by name
    metrics_port: int | None = None


def memory_mib(device_count: int) -> int:
    """What a pod with so many devices asks for."""
    return BASE_MIB + math.ceil(device_count * KIB_PER_DEVICE / 1024)


def largest_shard(device_count: int, shards: int) -> int:
    """At most so many devices are in a shard, but for chances of less than one in ten thousand: a hash decides."""
    mean = device_count / shards
    return min(device_count, math.ceil(mean + 4 * math.sqrt(mean * (1 - 1 / shards))))


def shards_for(device_count: int) -> int:
    """How many shards so many devices need."""
    return max(1, math.ceil(device_count / DEVICES_PER_SHARD))


def objects(job: SimulationJob) -> list[dict[str, Any]]:
    """The Job, after the ConfigMap that it needs, if any."""
    head = {"name": job.name, "labels": kubernetes.labels(job.name, "simulation")}
    made: list[dict[str, Any]] = []
    if job.files:
        made += [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": head, "data": dict(job.files)}]
    spec = {
        "completions": job.shards,
        "parallelism": job.shards,
        "completionMode": "Indexed",
        "backoffLimitPerIndex": RETRIES,
        "podFailurePolicy": _failure_policy(),
        "ttlSecondsAfterFinished": KEPT_S,
        "template": {"metadata": {"labels": head["labels"]}, "spec": _pod(job)},
    }
    return [*made, {"apiVersion": "batch/v1", "kind": "Job", "metadata": head, "spec": spec}]


def _failure_policy() -> dict[str, Any]:
    codes = {"containerName": CONTAINER, "operator": "In", "values": list(FINAL_CODES)}
    moved = {"type": "DisruptionTarget", "status": "True"}  # its node is drained, or somebody else needs the room
    return {"rules": [{"action": "FailIndex", "onExitCodes": codes}, {"action": "Ignore", "onPodConditions": [moved]}]}


def _pod(job: SimulationJob) -> dict[str, Any]:
    environment = [
        {"name": RUN_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{RUN_LABEL}']"}}},
        kubernetes.secret_variable(kubernetes.CONNECTION_STRING, job.secret),
    ]
    mib = memory_mib(largest_shard(job.device_count, job.shards))
    seed = [] if job.has_seed else ["--seed", f"$({RUN_VARIABLE})"]
    # Kubernetes counts from 0, --shard from 1.
    shard = f'--shard "$((JOB_COMPLETION_INDEX + 1))/{job.shards}"'
    words = ["iot", "device", "simulate", *job.words]
    mounts, volumes = _files(job)
    made = kubernetes.container(
        CONTAINER,
        job.image,
        pod_shell.command(shard),
        [*map(kubernetes.word, words), *seed, "--output", "json"],
        environment,
        mounts,
        **({} if job.metrics_port is None else {"ports": [{"name": "metrics", "containerPort": job.metrics_port}]}),
        resources={
            "requests": {"cpu": CPU, "memory": f"{mib}Mi"},
            "limits": {"memory": f"{mib * LIMIT_FACTOR}Mi"},
        },
    )
    return kubernetes.pod([made], volumes, restartPolicy="Never", terminationGracePeriodSeconds=STOP_S)


def _files(job: SimulationJob) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Mounts and volumes of its files."""
    if not job.files:
        return [], []
    mount = {"name": "files", "mountPath": FILES_FOLDER, "readOnly": True}
    return [mount], [{"name": "files", "configMap": {"name": job.name}}]
