"""The steps that start a local hub in GitHub Actions and Azure Pipelines, run as their agents run them."""

import os
import re
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from azext_iotjobs.localhub.process.folder import FolderLock
from azext_iotjobs.localhub.testing import pipelines
from tests.helpers.az import REPOSITORY
from tests.helpers.waiting import wait_until

ACTION = REPOSITORY / ".github" / "actions" / "local-hub"
TEMPLATE = REPOSITORY / "container" / "azure-pipelines" / "local-hub.yml"
BASH = ("bash", "--noprofile", "--norc")
FREE_PORTS = "--https-port 0 --mqtt-port 0 --amqp-port 0"
# Of a runner's Python only that it makes an environment and installs into it is replaced: both take long.
RUNNERS_PYTHON = """#!/bin/sh
case "$1 $2" in
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip") for word; do :; done; echo "$word" > "$INSTALLED" ;;
*) exec {python} "$@" ;;
esac
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its Python is made by a shell script")


class Ran(NamedTuple):
    """What a step printed, and what it had installed."""

    result: "subprocess.CompletedProcess[str]"
    installed: str


class Job:
    """A job's folder and environment on an agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        python = folder / "python"
        python.write_text(RUNNERS_PYTHON.format(python=sys.executable))
        python.chmod(0o755)
        for name in ("env", "output", "installed"):
            (folder / name).touch()
        self.python = str(python)

    def run(self, step: dict[str, Any], given: dict[str, str], *options: str) -> Ran:
        """Run a step's lines. given: inputs or parameters; options: of bash."""
        script = self.folder / "script.sh"
        script.write_text(step.get("run") or step["bash"])
        env = {name: re.sub(r"\$\{\{ \w+\.(\w+) \}\}", lambda m: given[m[1]], v) for name, v in step["env"].items()}
        result = subprocess.run(
            [*BASH, *options, str(script)],
            cwd=self.folder,
            env={
                **{name: value for name, value in os.environ.items() if name != "NO_PROXY"},
                **{"PYTHONPATH": str(REPOSITORY), "INSTALLED": str(self.folder / "installed")},
                **{"RUNNER_TEMP": str(self.folder), "AGENT_TEMPDIRECTORY": str(self.folder)},
                **{"GITHUB_ENV": str(self.folder / "env"), "GITHUB_OUTPUT": str(self.folder / "output")},
                **{"GITHUB_ACTION_PATH": str(ACTION), **env},
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ran(result, (self.folder / "installed").read_text().strip())


def action_step() -> dict[str, Any]:
    (step,) = yaml.safe_load((ACTION / "action.yml").read_text())["runs"]["steps"]
    assert step["shell"] == "bash"
    return dict(step)


def template_step() -> dict[str, Any]:
    (step,) = yaml.safe_load(TEMPLATE.read_text())["steps"]
    return dict(step)


def pairs(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.fixture
def at_end() -> Iterator[Callable[[dict[str, str]], None]]:
    """Takes the variables of hubs that are ended when the test ends, as an agent does at a job's end."""
    hubs: list[dict[str, str]] = []
    yield hubs.append
    for each in hubs:
        os.kill(int(each["IOTJOBS_LOCAL_HUB_PID"]), signal.SIGTERM)
        wait_until("it has ended", partial(is_free, Path(each["IOTJOBS_LOCAL_HUB_CA"]).parent))


def is_free(data_folder: Path) -> bool:
    lock = FolderLock(data_folder)
    if lock.is_ours:
        lock.release()
    return lock.is_ours


def health(variables: dict[str, str]) -> str:
    """What the hub says to a client that trusts what the environment variables name."""
    host = re.findall(r"HostName=([^;]+)", variables["IOTJOBS_CONNECTION_STRING"])[0]
    context = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
    with urllib.request.urlopen(f"https://{host}/_local/health", context=context, timeout=30) as answer:
        return str(answer.read().decode())


def test_the_github_action_starts_a_hub_for_later_steps(job: Job, at_end: Callable[[dict[str, str]], None]) -> None:
    given = {"options": f"--sku S1 {FREE_PORTS}", "package": "", "python": job.python}
    ran = job.run(action_step(), given, "-eo", "pipefail")
    assert ran.result.returncode == 0, ran.result.stderr
    variables, outputs = pairs((job.folder / "env").read_text()), pairs((job.folder / "output").read_text())
    at_end(variables)
    assert ran.installed == f"{REPOSITORY}[local-hub]"
    assert health(variables) == '{"status":"up"}'
    assert outputs["connection-string"] == variables["IOTJOBS_CONNECTION_STRING"]
    described = yaml.safe_load((ACTION / "action.yml").read_text())["outputs"]
    assert {each["value"] for each in described.values()} == {
        f"${{{{ steps.start.outputs.{name} }}}}" for name in outputs
    }
    assert described.keys() == outputs.keys()


def test_a_step_of_azure_pipelines_starts_one_too(job: Job, at_end: Callable[[dict[str, str]], None]) -> None:
    given = {"options": FREE_PORTS, "package": "iotjobs-1.whl[local-hub]", "python": job.python}
    ran = job.run(template_step(), given)
    assert ran.result.returncode == 0, ran.result.stderr
    told = dict(re.findall(r"^##vso\[task\.setvariable variable=(\w+)\](.*)$", ran.result.stdout, re.MULTILINE))
    at_end(told)
    assert ran.installed == "iotjobs-1.whl[local-hub]"
    assert health(told) == '{"status":"up"}'
    masked = re.findall(r"^##vso\[task\.setsecret\](.*)$", ran.result.stdout, re.MULTILINE)
    assert told["IOTJOBS_CONNECTION_STRING"].endswith(f";SharedAccessKey={masked[0]}")
    assert ran.result.stdout.index("task.setsecret") < ran.result.stdout.index("task.setvariable")


def test_what_a_template_and_an_action_pass_on_is_what_they_take() -> None:
    action, template = yaml.safe_load((ACTION / "action.yml").read_text()), yaml.safe_load(TEMPLATE.read_text())
    for taken, step in (
        (set(action["inputs"]), action_step()),
        ({each["name"] for each in template["parameters"]}, template_step()),
    ):
        assert set(re.findall(r"\$\{\{ (?:inputs|parameters)\.(\w+) \}\}", str(step["env"]))) == taken


def test_a_hub_that_does_not_start_fails_the_step_with_its_own_words(job: Job) -> None:
    given = {"options": "--https-port 70000", "package": "", "python": job.python}
    ran = job.run(action_step(), given, "-eo", "pipefail")
    assert ran.result.returncode == pipelines.NOT_STARTED
    assert "--https-port 70000: give a port from 0 to 65535." in ran.result.stderr
    assert (job.folder / "env").read_text() == ""


def test_keys_and_signatures_are_masked_each_once() -> None:
    document = {
        "connectionString": "HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=a%+/=",
        "eventHubsConnectionString": "Endpoint=sb://h/;SharedAccessKeyName=service;SharedAccessKey=b=;EntityPath=e",
        "again": "SharedAccessKey=b=",
        "containerUri": "https://h/c?sr=c&sig=c%2F&se=2",
        "httpsPort": 443,
    }
    assert pipelines.secrets_of(document) == ["a%+/=", "b=", "c%2F"]


def test_a_value_of_several_lines_is_one_value_and_sets_nothing_else(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ENV", str(job.folder / "env"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(job.folder / "output"))
    values = dict.fromkeys(pipelines.GITHUB_OUTPUTS.values(), "x")
    pipelines.tell_github({**values, "NO_PROXY": "a\nPATH=b"}, [])
    *_, first, line, other, last = (job.folder / "env").read_text().splitlines()
    name, end = first.split("<<")
    assert (name, line, other, last) == ("NO_PROXY", "a", "PATH=b", end) and len(end) == 32
    pipelines.tell_azure({"NO_PROXY": "a%\r\n##vso[task.setvariable variable=PATH]b"}, [])
    assert capsys.readouterr().out == (
        "##vso[task.setvariable variable=NO_PROXY]a%AZP25%0D%0A##vso[task.setvariable variable=PATH]b\n"
    )


def test_options_of_the_scripts_are_not_names_of_files() -> None:
    scripts = [
        REPOSITORY / ".github/actions/local-hub/start.sh",
        REPOSITORY / "container/azure-pipelines/local-hub.yml",
    ]
    for script in scripts:
        assert "set -euf -o pipefail\n" in script.read_text(encoding="utf-8"), f"{script}: * in $HUB_OPTIONS"
