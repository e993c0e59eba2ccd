"""What has `run-due` called on a cluster: a CronJob, or a Deployment that looks all the time. Pure.

No secret is in it.
"""

from typing import Any, NamedTuple

from azext_iotjobs.cli.output import kubernetes, pod_shell

STATE_FOLDER = "/state"
STATE_SIZE = "1Gi"
STORE = ("IOTJOBS_STORE", "PGPASSWORD")  # in the environment, and in the secret: where the store is; its password
STOP_S = 600  # what is under way ends, and the next call goes on with it
CONTAINER = "run-due"
MEMORY = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}


class Pods(NamedTuple):
    """What runs, with what. name: of all objects."""

    name: str
    image: str
    secret: str
    words: tuple[str, ...]  # after az, without the state folder
    cron: str | None  # how often it is called; None: it loops
    in_database: bool = False  # whether fleet jobs are in a database: else they are on a volume

    @property
    def variables(self) -> tuple[str, ...]:
        """What its secret holds."""
        return (kubernetes.CONNECTION_STRING, *STORE) if self.in_database else (kubernetes.CONNECTION_STRING,)


def comment(pods: Pods) -> str:
    """The first lines of the manifest."""
    if pods.in_database:
        where = "Fleet jobs and schedules are in the database that the secret names."
    else:
        where = (
            "Fleet jobs and schedules live on the volume: `kubectl exec` into a pod that mounts it, and give\n"
            f"--state-dir {STATE_FOLDER}/fleet-jobs to `fleet-job create` and `schedule set`. One node mounts it."
        )
    return (
        f"Starts what schedules of fleet jobs say.\n  kubectl apply -f FILE\n{where}\n"
        f"Needs Kubernetes {kubernetes.OLDEST} or newer, and the secret that it names, which has: "
        f"{', '.join(pods.variables)}."
    )


def objects(pods: Pods) -> list[dict[str, Any]]:
    """The workload, after the volume that it needs, if any."""
    head = {"name": pods.name, "labels": kubernetes.labels(pods.name, CONTAINER)}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": head,
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": STATE_SIZE}}},
    }
    workload = _deployment(pods, head) if pods.cron is None else _cron_job(pods, head, pods.cron)
    return [workload] if pods.in_database else [volume, workload]


def _deployment(pods: Pods, head: dict[str, Any]) -> dict[str, Any]:
    # The one before has to leave the volume first; on a database several share the work.
    strategy = {} if pods.in_database else {"strategy": {"type": "Recreate"}}
    spec = {
        "replicas": 1,
        **strategy,
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": head["labels"]},
        "template": {"metadata": {"labels": head["labels"]}, "spec": _pod(pods, "Always")},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": head, "spec": spec}


def _cron_job(pods: Pods, head: dict[str, Any], cron: str) -> dict[str, Any]:
    spec = {
        "schedule": cron,
        # Kubernetes may call it twice, or while a call still runs: each occurrence starts once all the same.
        "concurrencyPolicy": "Allow",
        "startingDeadlineSeconds": 200,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 10,
        "jobTemplate": {
            "spec": {
                "backoffLimit": 0,  # the next call looks again
                "template": {"metadata": {"labels": head["labels"]}, "spec": _pod(pods, "Never")},
            }
        },
    }
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": head, "spec": spec}


def _pod(pods: Pods, restarts: str) -> dict[str, Any]:
    state = [] if pods.in_database else ["--state-dir", f"{STATE_FOLDER}/fleet-jobs"]
    made = kubernetes.container(
        CONTAINER,
        pods.image,
        pod_shell.command(),
        [kubernetes.word(each) for each in (*pods.words, *state, "--output", "table")],
        [kubernetes.secret_variable(each, pods.secret) for each in pods.variables],
        [] if pods.in_database else [{"name": "state", "mountPath": STATE_FOLDER}],
        resources=MEMORY,
    )
    volumes = [] if pods.in_database else [{"name": "state", "persistentVolumeClaim": {"claimName": pods.name}}]
    return kubernetes.pod([made], volumes, restartPolicy=restarts, terminationGracePeriodSeconds=STOP_S)
