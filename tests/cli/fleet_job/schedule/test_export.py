"""`schedule export` at the door: what was typed of the hub is in the command, and no secret is."""

import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule.export import export
from azext_iotjobs.cli.fleet_job.team_store import TeamStore
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.model.errors import ConflictingChoice

TARGETS = ("systemd", "cron", "github_actions", "azure_pipelines")
TYPED = {"our_hub_name": "myhub", "resource_group": "rg 1", "auth_type": "key"}
LOGIN = "HostName=myhub.azure-devices.net;SharedAccessKeyName=owner;SharedAccessKey=a2V5"


def exported(folder: Path, target: str, typed: dict[str, Any], team: TeamStore | None = None) -> str:
    context = FleetJobContext(SimpleNamespace(), typed, None if team else str(folder), None, Access.READ, team=team)
    files: list[dict[str, str]] | None = export(SimpleNamespace(), context, **{target: True})
    assert files is not None
    return files[0]["content"]


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_typed_of_the_hub_is_in_the_command(tmp_path: Path, target: str) -> None:
    text = exported(tmp_path, target, TYPED)
    (line,) = [each for each in text.splitlines() if "run-due" in each and "--state-dir" in each]
    command = line.partition("run: ")[2]
    words = shlex.split(json.loads(command) if command else line.replace(",", " "))
    for option, value in (("--hub-name", "myhub"), ("--resource-group", "rg 1"), ("--auth-type", "key")):
        assert words[words.index(option) + 1] == value
    assert "login" not in words


TEAM = TeamStore("postgresql://ann%40example.com@db.example.com/fleet", "password", None)
LINES = {"cron": "* * * *", "systemd": "ExecStart=", "github_actions": "run: ", "azure_pipelines": "az iot"}


def command_in(text: str, target: str) -> list[str]:
    (line,) = [each.strip() for each in text.splitlines() if LINES[target] in each and "run-due" in each]
    if target == "github_actions":
        line = json.loads(line.removeprefix("run: "))
    return shlex.split(line.replace("%%", "%").replace("\\%", "%"))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("auth", ["password", "login"])
def test_a_teams_store_is_in_the_command_in_place_of_a_folder(tmp_path: Path, target: str, auth: str) -> None:
    text = exported(tmp_path, target, TYPED, TEAM._replace(auth=auth))
    words = command_in(text, target)
    assert words[words.index("--store") + 1] == TEAM.url and words[words.index("--store-auth") + 1] == auth
    for each in ("--state-dir", "fleet-jobs", "cache", "folder"):
        assert each not in text
    assert ("PGPASSWORD" in text) == (auth == "password")


@pytest.mark.parametrize("target", TARGETS)
def test_a_file_with_the_stores_password_is_named_where_it_is(tmp_path: Path, target: str) -> None:
    text = exported(tmp_path, target, {}, TEAM._replace(password_file="secret"))
    words = command_in(text, target)
    if target in ("github_actions", "azure_pipelines"):  # it runs elsewhere
        assert "--store-password-file" not in words and "PGPASSWORD" in text
    else:
        assert words[words.index("--store-password-file") + 1] == str(Path("secret").absolute())
        assert "PGPASSWORD" not in text


@pytest.mark.parametrize("url", ["postgresql://ann@localhost/fleet", "postgresql:///fleet?host=/run/postgresql"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_store_of_this_machine_is_warned_of_where_another_one_would_need_it(
    tmp_path: Path, target: str, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    exported(tmp_path, target, {}, TEAM)
    assert "is on this machine" not in caplog.text
    exported(tmp_path, target, {}, TEAM._replace(url=url))
    assert ("is on this machine" in caplog.text) == (target in ("github_actions", "azure_pipelines"))


@pytest.mark.parametrize("target", [*TARGETS, "kubernetes"])
def test_a_connection_string_goes_into_no_file(tmp_path: Path, target: str) -> None:
    with pytest.raises(ConflictingChoice, match="No file has a secret: leave --login out"):
        exported(tmp_path, target, {"our_login": LOGIN})


@pytest.mark.parametrize("option", [{"image": "a"}, {"secret_name": "a"}, {"loop": True}])
def test_what_is_of_a_cluster_goes_with_no_other_target(tmp_path: Path, option: dict[str, Any]) -> None:
    context = FleetJobContext(SimpleNamespace(), {}, str(tmp_path), None, Access.READ)
    with pytest.raises(ConflictingChoice, match="is for --kubernetes"):
        export(SimpleNamespace(), context, cron=True, **option)
