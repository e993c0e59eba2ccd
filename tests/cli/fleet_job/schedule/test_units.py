"""Exported files: each is read by its own tool or by a parser, and calls what it is to call."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cronsim import CronSim

from azext_iotjobs.cli.fleet_job.schedule import pipelines, units
from azext_iotjobs.cli.fleet_job.schedule.units import Calling, UnitFile, minutes_of
from azext_iotjobs.cli.fleet_job.team_store import TeamStore
from azext_iotjobs.model.errors import BadValue
from tests.helpers.clock_double import START

WORDS = ("iot", "hub", "fleet-job", "schedule", "run-due", "-j", "fw-7")
ODD_FOLDER = "/var/lib/it's 100% $HOME/state"
EVERY = (1, 5, 30, 60, 180)


def calling(minutes: int = 5, folder: str = "/var/lib/state", az: tuple[str, ...] = (sys.executable,)) -> Calling:
    return Calling(words=WORDS, az=az, folder=folder, minutes=minutes, name="iotjobs-run-due")


TEAM = TeamStore("postgresql://ann@db.example.com/fleet", "password", None)


def in_store(auth: str = "password") -> Calling:
    """What is called where fleet jobs are in a team's store."""
    return calling()._replace(team=TEAM._replace(auth=auth))


def only(files: list[UnitFile]) -> UnitFile:
    (found,) = files
    return found


def checked(tool: str, *words: str) -> None:
    """Have a tool read something, where there is one."""
    program = shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} is not here")
    ran = subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("folder", ["/var/lib/state", ODD_FOLDER])
def test_systemd_takes_its_units(tmp_path: Path, folder: str) -> None:
    for each in units.systemd(calling(folder=folder)):
        (tmp_path / each.name).write_text(each.text)
    checked("systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir())))


@pytest.mark.parametrize("minutes", EVERY)
def test_systemd_takes_how_often(minutes: int) -> None:
    timer = units.systemd(calling(minutes))[1].text
    found = re.search(r"^OnCalendar=(.*)$", timer, re.MULTILINE)
    assert found is not None
    checked("systemd-analyze", "calendar", found[1])


def test_a_crontab_calls_it_whatever_the_folder_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "it's 100% $HOME"
    az = tmp_path / "my az"
    az.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    az.chmod(0o755)
    text = only(units.crontab(calling(folder=str(folder), az=(str(az),)))).text
    (line,) = [each for each in text.splitlines() if not each.startswith("#")]
    fields, command = line.split(" ", 5)[:5], line.split(" ", 5)[5]
    assert next(CronSim(" ".join(fields), START)) > START
    assert not re.search(r"(?<!\\)%", command), "cron would end the line there"
    ran = subprocess.run(["sh", "-c", command.replace(r"\%", "%")], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [*WORDS, "--state-dir", str(folder), "-o", "table"]


def test_crontab_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "crontab"
    path.write_text(only(units.crontab(calling(folder=ODD_FOLDER))).text)
    checked("crontab", "-T", str(path))


@pytest.mark.parametrize("what", [calling(), in_store(), in_store("login")])
def test_github_takes_its_workflow(tmp_path: Path, what: Calling) -> None:
    path = tmp_path / "run-due.yml"
    path.write_text(only(pipelines.github_actions(what)).text)
    checked("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(path))


@pytest.mark.parametrize("what", [calling(), in_store(), in_store("login")])
def test_azure_devops_takes_its_pipeline(tmp_path: Path, what: Calling) -> None:
    path = tmp_path / "run-due.yml"
    path.write_text(only(pipelines.azure_pipelines(what)).text)
    how = ("--data-transform", "azure-pipelines", "--regex-variant", "nonunicode")
    checked("check-jsonschema", "--builtin-schema", "vendor.azure-pipelines", *how, str(path))


def test_a_workflow_calls_it_from_a_folder_that_is_kept() -> None:
    document = yaml.safe_load(only(pipelines.github_actions(calling(15))).text)
    assert document[True]["schedule"] == [{"cron": "*/15 * * * *"}]  # YAML 1.1 reads `on` so
    steps = document["jobs"]["run-due"]["steps"]
    last = shlex.split(steps[-2]["run"])
    assert last[1 : len(WORDS) + 1] == list(WORDS) and last[last.index("--state-dir") + 1] == steps[0]["with"]["path"]
    assert document["permissions"] == {"contents": "read", "id-token": "write"}


def test_a_pipeline_calls_it_from_a_folder_that_is_kept() -> None:
    document = yaml.safe_load(only(pipelines.azure_pipelines(calling())).text)
    assert document["schedules"][0]["cron"] == "*/5 * * * *" and document["schedules"][0]["always"] == "true"
    cache, run = document["jobs"][0]["steps"]
    (line,) = [each for each in run["inputs"]["inlineScript"].splitlines() if "run-due" in each]
    last = shlex.split(line)
    assert last[1 : len(WORDS) + 1] == list(WORDS)
    assert last[last.index("--state-dir") + 1] == cache["inputs"]["path"].replace("$(Pipeline", "$(Pipeline")


def test_a_workflow_saves_its_state_also_after_a_step_that_failed() -> None:
    steps = yaml.safe_load(only(pipelines.github_actions(calling())).text)["jobs"]["run-due"]["steps"]
    first, last = steps[0], steps[-1]
    assert (first["uses"], last["uses"]) == ("actions/cache/restore@v4", "actions/cache/save@v4")
    assert last["if"] == "always()" and last["with"] == {each: first["with"][each] for each in ("path", "key")}
    assert first["with"]["key"].startswith(first["with"]["restore-keys"])
    assert "github.run_attempt" in last["with"]["key"], "a second attempt has a key of its own"


@pytest.mark.parametrize("code", [0, 4, 10])
def test_a_pipeline_saves_its_state_and_ends_with_the_exit_code_of_run_due(tmp_path: Path, code: int) -> None:
    runs, outcome = yaml.safe_load(only(pipelines.azure_pipelines(calling())).text)["jobs"]
    az = tmp_path / "az"
    az.write_text(f'#!/bin/sh\ncase "$*" in *run-due*) exit {code};; esac\n')
    az.chmod(0o755)
    script = runs["steps"][-1]["inputs"]["inlineScript"].replace("$(", "$(echo ")  # Azure replaces $(variable)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    ran = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, env=environment, check=True)
    found = re.search(r"##vso\[task.setvariable variable=code;isOutput=true\](\d+)$", ran.stdout, re.MULTILINE)
    assert found is not None, "the step succeeds, so the cache is saved"
    step = runs["steps"][-1]["name"]
    assert outcome["variables"]["code"] == f"$[ dependencies.{runs['job']}.outputs['{step}.code'] ]"
    assert outcome["dependsOn"] == runs["job"]
    last = outcome["steps"][-1]
    assert last["env"] == {"CODE": "$(code)"}
    assert subprocess.run(["bash", "-c", last["script"]], env={"CODE": found[1]}, check=False).returncode == code


def test_a_workflow_gets_the_stores_password_from_a_secret_and_none_for_a_login() -> None:
    document = yaml.safe_load(only(pipelines.github_actions(in_store())).text)
    steps = document["jobs"]["run-due"]["steps"]
    assert [each["name"] for each in steps] == ["Sign in", "Install", "Install the store's driver", "Run what is due"]
    assert steps[-1]["env"] == {"PGPASSWORD": "${{ secrets.PGPASSWORD }}"}
    login = only(pipelines.github_actions(in_store("login"))).text
    assert "env" not in yaml.safe_load(login)["jobs"]["run-due"]["steps"][-1]
    assert "remove the step Sign in" not in login, "the store needs it"


def test_a_pipeline_gets_the_stores_password_from_a_variable_and_none_for_a_login() -> None:
    text = only(pipelines.azure_pipelines(in_store())).text
    (job,) = yaml.safe_load(text)["jobs"]
    (step,) = job["steps"]
    assert step["env"] == {"PGPASSWORD": "$(storePassword)"} and "#   storePassword: " in text
    (job,) = yaml.safe_load(only(pipelines.azure_pipelines(in_store("login"))).text)["jobs"]
    assert "env" not in job["steps"][0]


@pytest.mark.parametrize("code", [0, 4, 10])
def test_a_pipeline_installs_the_driver_for_azs_python_and_ends_as_run_due_does(tmp_path: Path, code: int) -> None:
    (job,) = yaml.safe_load(only(pipelines.azure_pipelines(in_store())).text)["jobs"]
    script = job["steps"][0]["inputs"]["inlineScript"].replace("$(iotjobsWheel)", "wheel")
    where = f"Python location '{tmp_path}/az python'"
    programs = {
        "az": f'case "$*" in *run-due*) exit {code};; --version) echo "{where}";; esac',
        "az python": 'case "$1" in -c) echo python3.12;; *) printf "%s\\n" "$@";; esac',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": "/home/me"}
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == code, ran.stderr
    words = ran.stdout.split("\n")
    assert words[words.index("--target") + 1] == "/home/me/.azure/iotjobs/packages/python3.12"
    assert words[-2].startswith("psycopg")


def test_a_pipeline_signs_in_as_was_typed() -> None:
    for write in (pipelines.github_actions, pipelines.azure_pipelines):
        assert "run-due -j fw-7" in only(write(calling())).text
        text = only(write(calling()._replace(words=(*WORDS, "--auth-type", "key")))).text
        (line,) = [each for each in text.splitlines() if " run-due " in each]
        assert "--auth-type key" in line and "--auth-type login" not in line


def test_a_workflow_says_where_a_connection_string_goes() -> None:
    text = only(pipelines.github_actions(calling())).text
    found = re.search(r"^# Run what is due `(env: .*)`\.$", text, re.MULTILINE)
    assert found is not None and "Run what is due" in text.rpartition("steps:")[2]
    secret = "${{ secrets.IOTJOBS_CONNECTION_STRING }}"
    assert yaml.safe_load(found[1]) == {"env": {"IOTJOBS_CONNECTION_STRING": secret}}, "as it stands"


@pytest.mark.parametrize("minutes", EVERY)
def test_how_often_is_a_cron_expression(minutes: int) -> None:
    found = CronSim(calling(minutes).cron, START)
    first, second = next(found), next(found)
    assert (second - first).total_seconds() == minutes * 60 == minutes_of(minutes * 60.0) * 60


@pytest.mark.parametrize("seconds", [0.0, 30.0, 7 * 60.0, 90 * 60.0, 5 * 3600.0, 2 * 86400.0])
def test_how_often_that_no_cron_expression_says_is_refused(seconds: float) -> None:
    with pytest.raises(BadValue, match="--every"):
        minutes_of(seconds)


def test_github_starts_nothing_more_often_than_every_five_minutes() -> None:
    with pytest.raises(BadValue, match="5m or more"):
        pipelines.github_actions(calling(1))
