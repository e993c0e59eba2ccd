"""Pipelines that call `run-due` every few minutes: a workflow of GitHub Actions, a pipeline of Azure DevOps.

Pure. Secrets are in none of them: each says where its own goes. Fleet jobs in a folder are kept by a cache from one
call to the next; those in a team's store are there anyway, and the step installs its driver.
"""

import json
import shlex
from textwrap import indent

from azext_iotjobs.cli.fleet_job.schedule.units import PASSWORD, SECRET, Calling, UnitFile
from azext_iotjobs.cli.fleet_job.team_store import LOGIN, PACKAGES, REQUIREMENT, TeamStore
from azext_iotjobs.model.errors import BadValue

GITHUB_LEAST_MINUTES = 5  # GitHub Actions starts nothing more often
GITHUB_FOLDER, AZURE_FOLDER = ".fleet-jobs", '"$(Pipeline.Workspace)/fleet-jobs"'
AZURE_PASSWORD = "storePassword"  # a variable of a pipeline's, which becomes PGPASSWORD
DRIVER = f"""\
python=$(az --version 2>/dev/null | sed -n "s/^Python location '\\(.*\\)'$/\\1/p")
version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
packages="${{AZURE_CONFIG_DIR:-$HOME/.azure}}/iotjobs/{PACKAGES}/$version"
"$python" -m pip install --quiet --target "$packages" "{REQUIREMENT}"
"""


def line(calling: Calling, folder: str) -> str:
    """The command of a step, which is signed in unless something else was typed. folder: as its shell reads it."""
    store = f"--state-dir {folder}"
    if calling.team is not None:
        store = shlex.join(calling.team._replace(password_file=None).options())  # a file of this machine is not there
    sign_in = "" if "--auth-type" in calling.words else " --auth-type login"
    return f"az {shlex.join(calling.words)} {store}{sign_in} -o table"


def github_actions(calling: Calling) -> list[UnitFile]:
    """A workflow. Raises BadValue for what is more often than GitHub starts anything."""
    if calling.minutes < GITHUB_LEAST_MINUTES:
        raise BadValue(
            f"--every {calling.minutes}m: for GitHub Actions give {GITHUB_LEAST_MINUTES}m or more.",
            hint="--every 5m",
        )
    where = GITHUB_IN_FOLDER if calling.team is None else _in_store(calling.team, f"the repository's secret {PASSWORD}")
    secrets = {PASSWORD: _github_secret(PASSWORD)} if _has_password(calling.team) else {}
    text = f"""\
# Starts what schedules of fleet jobs say. Put it into .github/workflows/.
{where}\
# Sign-in: a federated credential of an app registration with the role IoT Hub Data Contributor on the hub. The
# repository's variables are its ids. Or remove {"" if _is_login(calling.team) else "the step Sign in and "}\
`--auth-type login`, and give the step
# Run what is due `env: {{{", ".join(f'{name}: "{value}"' for name, value in _github_all(secrets).items())}}}`.
# GitHub starts late when it is busy: what is late is caught up as --missed and --catch-up of each schedule say.
name: {json.dumps(calling.name)}
on:
  schedule:
    - cron: {json.dumps(calling.cron)}
  workflow_dispatch:
permissions:
  contents: read
  id-token: write
concurrency:
  group: {json.dumps(calling.name)}
  cancel-in-progress: false
jobs:
  run-due:
    runs-on: ubuntu-latest
    steps:
{_github_restore(calling)}\
      - name: Sign in
        uses: azure/login@v2
        with:
          client-id: ${{{{ vars.AZURE_CLIENT_ID }}}}
          tenant-id: ${{{{ vars.AZURE_TENANT_ID }}}}
          subscription-id: ${{{{ vars.AZURE_SUBSCRIPTION_ID }}}}
      - name: Install
        run: az extension add --yes --source "$IOTJOBS_WHEEL"
        env:
          IOTJOBS_WHEEL: ${{{{ vars.IOTJOBS_WHEEL }}}}
{_github_driver(calling)}\
      - name: Run what is due
        run: {json.dumps(line(calling, GITHUB_FOLDER))}
{_environment(secrets, 8)}\
{_github_save(calling)}"""
    return [UnitFile(f"{calling.name}.yml", text)]


GITHUB_IN_FOLDER = """\
# Fleet jobs and schedules live in the folder .fleet-jobs, which the cache keeps from one call to the next. Make it once
# by `fleet-job create` and `schedule set` with --state-dir .fleet-jobs in a step before. A cache that is lost forgets
# history and what was missed; it starts nothing twice, as the hub knows what was started.
"""


def _github_secret(name: str) -> str:
    return f"${{{{ secrets.{name} }}}}"


def _github_all(secrets: dict[str, str]) -> dict[str, str]:
    """The variables of the step where the hub's connection string is one."""
    return {SECRET: _github_secret(SECRET), **secrets}


def _github_cache(calling: Calling) -> str:
    return f"""\
          path: {GITHUB_FOLDER}
          key: {calling.name}-${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}
"""


def _github_restore(calling: Calling) -> str:
    if calling.team is not None:
        return ""
    return f"""\
      - name: State
        uses: actions/cache/restore@v4
        with:
{_github_cache(calling)}\
          restore-keys: {calling.name}-
"""


def _github_save(calling: Calling) -> str:
    if calling.team is not None:
        return ""
    return f"""\
      - name: Save state
        if: always()
        uses: actions/cache/save@v4
        with:
{_github_cache(calling)}"""


def _github_driver(calling: Calling) -> str:
    if calling.team is None:
        return ""
    return f"""\
      - name: Install the store's driver
        run: |
{indent(DRIVER, " " * 10)}"""


def azure_pipelines(calling: Calling) -> list[UnitFile]:
    """A pipeline of Azure DevOps."""
    where = AZURE_IN_FOLDER if calling.team is None else _in_store(calling.team, f"the variable {AZURE_PASSWORD}")
    variable = ""
    if _has_password(calling.team):
        variable = f"#   {AZURE_PASSWORD}: the password of the store's role, kept secret\n"
    text = f"""\
# Starts what schedules of fleet jobs say. Make a pipeline of this file, and set its variables:
#   serviceConnection: an Azure Resource Manager connection whose identity has the role IoT Hub Data Contributor
#   iotjobsWheel: address of the extension's wheel
{variable}{where}\
trigger: none
pr: none
schedules:
  - cron: {json.dumps(calling.cron)}
    displayName: "Fleet jobs: run what is due"
    branches:
      include:
        - main
    always: "true"
    batch: "true"
pool:
  vmImage: ubuntu-latest
jobs:
  - job: runs
    displayName: Run what is due
    steps:
{_azure_cached_steps(calling) if calling.team is None else _azure_steps(calling)}"""
    return [UnitFile(f"{calling.name}.azure-pipelines.yml", text)]


AZURE_IN_FOLDER = """\
# Fleet jobs and schedules live in a folder that the cache keeps from one call to the next. Make it once by
# `fleet-job create` and `schedule set` with the same --state-dir in a step before. A cache that is lost forgets history
# and what was missed; it starts nothing twice, as the hub knows what was started.
"""
AZURE_TASK = """\
      - task: AzureCLI@2
        name: due
        displayName: Run what is due
        inputs:
          azureSubscription: $(serviceConnection)
          scriptType: bash
          scriptLocation: inlineScript
"""
AZURE_INSTALL = """\
            az extension add --yes --source "$(iotjobsWheel)"
"""


def _azure_steps(calling: Calling) -> str:
    """What calls it where nothing has to be kept: its exit code is that of the step."""
    secrets = {PASSWORD: f"$({AZURE_PASSWORD})"} if _has_password(calling.team) else {}
    return f"""\
{AZURE_TASK}\
          inlineScript: |
            set -e
{AZURE_INSTALL}\
{indent(DRIVER, " " * 12)}\
            {line(calling, AZURE_FOLDER)}
{_environment(secrets, 8)}"""


def _azure_cached_steps(calling: Calling) -> str:
    return f"""\
      - task: Cache@2
        displayName: State
        inputs:
          key: '"{calling.name}" | "$(Build.BuildId)" | "$(System.JobAttempt)"'
          restoreKeys: '"{calling.name}"'
          path: $(Pipeline.Workspace)/fleet-jobs
{AZURE_TASK}\
          # The cache is saved only where no step fails: the exit code is that of the next job.
          inlineScript: |
{AZURE_INSTALL}\
            code=0
            {line(calling, AZURE_FOLDER)} || code=$?
            echo "##vso[task.setvariable variable=code;isOutput=true]$code"
  - job: outcome
    displayName: What it came to
    dependsOn: runs
    variables:
      code: $[ dependencies.runs.outputs['due.code'] ]
    steps:
      - checkout: none
      - script: exit "$CODE"
        displayName: End with its exit code
        env:
          CODE: $(code)
"""


def _is_login(team: TeamStore | None) -> bool:
    return team is not None and team.auth == LOGIN


def _has_password(team: TeamStore | None) -> bool:
    """Whether a step gets a store's password."""
    return team is not None and team.auth != LOGIN


def _in_store(team: TeamStore, password: str) -> str:
    """Comment: where fleet jobs are, and who signs in there. password: where that is."""
    sign_in = f"Its password is {password}."
    if _is_login(team):
        sign_in = "Whoever signs in below signs in to it too: the role in the store's URL has to be that identity's."
    return f"""\
# Fleet jobs and schedules are in the database that --store names, which has to be reached from there.
# {sign_in}
"""


def _environment(variables: dict[str, str], spaces: int) -> str:
    """Variables of a step; none: nothing."""
    if not variables:
        return ""
    return indent("env:\n" + "".join(f"  {name}: {value}\n" for name, value in variables.items()), " " * spaces)
