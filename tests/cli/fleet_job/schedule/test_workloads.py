"""`schedule export --kubernetes`: what Kubernetes takes, what is in it, and what its pods run."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule import workloads
from azext_iotjobs.cli.fleet_job.schedule.export import _object_name, export
from azext_iotjobs.cli.fleet_job.schedule.workloads import Pods
from azext_iotjobs.cli.fleet_job.team_store import TeamStore
from azext_iotjobs.cli.output import kubernetes
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from tests.helpers.pods import check_schema, objects_in, one_of_kind, words_of

WORDS = ("iot", "hub", "fleet-job", "schedule", "run-due", "-j", "fw-7")
CALLED = Pods("iotjobs-run-due", "registry.example/az:1", "iotjobs-hub", WORDS, "*/5 * * * *")
LOOPING = CALLED._replace(cron=None, words=(*WORDS, "--loop"))
KINDS = {"CronJob": CALLED, "Deployment": LOOPING}


def manifest_of(pods: Pods) -> str:
    return kubernetes.manifest(workloads.comment(pods), workloads.objects(pods))


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    spec = workload["spec"]
    found: dict[str, Any] = spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]
    return found


@pytest.mark.parametrize("pods", [CALLED, LOOPING, CALLED._replace(in_database=True)])
def test_kubernetes_takes_the_manifest(pods: Pods) -> None:
    pytest.importorskip("kubernetes_validate")
    check_schema(manifest_of(pods))


def test_the_manifest_says_what_to_do_with_it() -> None:
    text = manifest_of(CALLED)
    assert "#   kubectl apply -f FILE\n" in text
    assert (
        "# Needs Kubernetes 1.29 or newer, and the secret that it names, which has: IOTJOBS_CONNECTION_STRING.\n"
        in text
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_called_from_a_volume_that_one_node_mounts(kind: str) -> None:
    text = manifest_of(KINDS[kind])
    claim, workload = one_of_kind(text, "PersistentVolumeClaim"), one_of_kind(text, kind)
    spec = pod_of(workload)["spec"]
    (container,) = spec["containers"]
    words = list(words_of(container, {}))
    start = words.index("az")  # behind the shell's
    assert words[start : start + len(WORDS) + 1] == ["az", *WORDS] and ("--loop" in words) == (kind == "Deployment")
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "state"]
    assert words[words.index("--state-dir") + 1].startswith(f"{mount['mountPath']}/")
    (volume,) = [each for each in spec["volumes"] if each["name"] == "state"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_a_deployment_never_has_two_pods_at_once() -> None:
    spec = one_of_kind(manifest_of(LOOPING), "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_with_a_database_there_is_no_volume_and_the_secret_says_where_it_is() -> None:
    text = manifest_of(CALLED._replace(in_database=True))
    assert [each["kind"] for each in objects_in(text)] == ["CronJob"]
    (container,) = pod_of(one_of_kind(text, "CronJob"))["spec"]["containers"]
    assert "--state-dir" not in words_of(container, {})
    keys = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each}
    assert keys == {
        name: {"name": "iotjobs-hub", "key": name}
        for name in ("IOTJOBS_CONNECTION_STRING", "IOTJOBS_STORE", "PGPASSWORD")
    }


FLEET_JOB_IDS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,39}", fullmatch=True)


@given(st.lists(FLEET_JOB_IDS, min_size=1, max_size=20, unique=True))
def test_every_fleet_job_has_objects_of_its_own(ids: list[str]) -> None:
    names = [_object_name(each) for each in [*ids, "fw.7", "fw-7", "fw_7"]]
    assert len(set(names)) == len({*ids, "fw.7", "fw-7", "fw_7"})
    for each in names:
        kubernetes.check_name(each, "name", 52)


TEAM = TeamStore("postgresql://ann@db.example.com/fleet", "password", None)


def exported(folder: Path, typed: dict[str, Any], team: TeamStore | None = None, **options: Any) -> Any:
    context = FleetJobContext(SimpleNamespace(), typed, None if team else str(folder), None, Access.READ, team=team)
    return export(SimpleNamespace(), context, kubernetes=True, **options)


def test_stdout_has_the_manifest_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = {"our_hub_name": "myhub", "resource_group": "rg $(HOME) 1", "auth_type": "key"}
    assert exported(tmp_path, typed, image="az:1", loop=True) is None
    text = capsys.readouterr().out
    (container,) = pod_of(one_of_kind(text, "Deployment"))["spec"]["containers"]
    words = list(words_of(container, {"HOME": "expanded"}))
    for option, value in (("--hub-name", "myhub"), ("--resource-group", "rg $(HOME) 1"), ("--auth-type", "key")):
        assert words[words.index(option) + 1] == value


def test_what_was_typed_of_a_teams_store_is_in_the_secret_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    exported(tmp_path, {}, TEAM, image="az:1", loop=True)
    text = capsys.readouterr().out
    assert "db.example.com" not in text and "PersistentVolumeClaim" not in text
    spec = one_of_kind(text, "Deployment")["spec"]
    assert "strategy" not in spec, "pods of a database may be replaced one by one"
    lines = [each.strip() for each in caplog.text.splitlines()]
    first, last = lines.index("IOTJOBS_CONNECTION_STRING=…"), lines.index("Then:")
    assert lines[first:last] == [f"{each}=…" for each in ("IOTJOBS_CONNECTION_STRING", "IOTJOBS_STORE", "PGPASSWORD")]
    assert lines[last + 1] == "kubectl create secret generic iotjobs-hub --from-env-file=hub.env"


def test_a_manifest_is_written_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = exported(tmp_path, {}, image="az:1", every="1h", our_output_dir=str(tmp_path / "out"))
    assert (tmp_path / "out" / "iotjobs-run-due.yaml").read_text() == file["content"]
    assert one_of_kind(file["content"], "CronJob")["spec"]["schedule"] == "0 * * * *"
    assert capsys.readouterr().out == ""


REFUSED: tuple[tuple[type[Exception], str, dict[str, Any], dict[str, Any]], ...] = (
    (MissingChoice, "none is published: give --image", {}, {}),
    (BadValue, "is not the name of an image", {}, {"image": "a b"}),
    (BadValue, "--secret-name", {}, {"image": "a", "secret_name": "A"}),
    (ConflictingChoice, "--every is how often", {}, {"image": "a", "loop": True, "every": "5m"}),
    (BadValue, "--every", {}, {"image": "a", "every": "7m"}),
    (ConflictingChoice, "--auth-type login", {"auth_type": "login"}, {"image": "a"}),
    (ConflictingChoice, "--store-auth login", {}, {"image": "a", "team": TEAM._replace(auth="login")}),
)


@pytest.mark.parametrize(("kind", "match", "typed", "options"), REFUSED)
def test_what_no_pod_could_do_is_refused(
    tmp_path: Path,
    kind: type[Exception],
    match: str,
    typed: dict[str, Any],
    options: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(kind, match=match):
        exported(tmp_path, typed, **options)
    assert capsys.readouterr().out == ""
