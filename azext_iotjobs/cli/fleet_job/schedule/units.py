"""Files that have `run-due` called every few minutes: units of systemd, a crontab, pipelines.

Pure. Secrets are in none of them: each says where its own goes.
"""

import json
import shlex
from typing import NamedTuple

from azext_iotjobs.model.errors import BadValue

MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)  # that divide an hour
HOURS = (1, 2, 3, 4, 6, 8, 12)  # that divide a day
GITHUB_LEAST_MINUTES = 5  # GitHub Actions starts nothing more often
SECRET = "IOTJOBS_CONNECTION_STRING"
RIGHTS = "read and write the registry, and connect as a service; with Microsoft Entra: IoT Hub Data Contributor"


class UnitFile(NamedTuple):
    """A file to be written."""

    name: str
    text: str


class Calling(NamedTuple):
    """What is called, how often."""

    words: tuple[str, ...]  # after az
    az: tuple[str, ...]  # how az is called on this machine
    folder: str  # the state folder on this machine
    minutes: int  # between two calls; as `minutes_of` gives them
    name: str  # of the unit: letters, digits, dashes
    store: tuple[str, ...] = ()  # what was typed of a team's store; (): it is the folder

    @property
    def cron(self) -> str:
        """How often, as a cron expression."""
        if self.minutes >= 60:
            return f"0 */{self.minutes // 60} * * *" if self.minutes > 60 else "0 * * * *"
        return f"*/{self.minutes} * * * *" if self.minutes > 1 else "* * * * *"

    def line(self, folder: str, az: str = "az") -> str:
        """The command for a shell. folder: the state folder where it runs."""
        place = shlex.join(self.store) if self.store else f"--state-dir {folder}"
        return f"{az} {shlex.join(self.words)} {place}"

    def pipeline_line(self, folder: str) -> str:
        """The command for a step of a pipeline, which is signed in unless something else was typed."""
        sign_in = "" if "--auth-type" in self.words else " --auth-type login"
        return f"{self.line(folder)}{sign_in} -o table"


def minutes_of(seconds: float) -> int:
    """How often, in minutes. Raises BadValue for what a cron expression cannot say."""
    minutes = seconds / 60
    if minutes not in MINUTES and minutes / 60 not in HOURS:
        raise BadValue(
            f"--every: give {', '.join(f'{each}m' for each in MINUTES)}, {', '.join(f'{each}h' for each in HOURS)}.",
            hint="What is due starts when it is looked for: --every 5m",
        )
    return int(minutes)


def systemd(calling: Calling) -> list[UnitFile]:
    """A service, and the timer that starts it."""
    words = (*calling.az, *calling.words, *(calling.store or ("--state-dir", calling.folder)))
    every = f"*:0/{calling.minutes}" if calling.minutes < 60 else f"0/{calling.minutes // 60}:00"
    service = f"""\
# Starts what schedules of fleet jobs say. Install both files:
#   cp {calling.name}.service {calling.name}.timer ~/.config/systemd/user/
#   systemctl --user daemon-reload && systemctl --user enable --now {calling.name}.timer
#   loginctl enable-linger    # so that it also runs while you are not signed in
# Sign-in: by `az login` of this user, or by a line in a file that only this user may read:
#   install -m 600 /dev/null ~/.config/{calling.name}.env
#   {SECRET}=HostName=…;SharedAccessKeyName=…;SharedAccessKey=…
# The policy must have the rights to {RIGHTS}.
# What happened: journalctl --user -u {calling.name}
[Unit]
Description=Start what schedules of fleet jobs say
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
EnvironmentFile=-%h/.config/{calling.name}.env
ExecStart={" ".join(map(_systemd_word, words))}
# A run may take hours. It is stopped by SIGTERM: what is under way ends, and the next call goes on with it.
TimeoutStartSec=infinity
TimeoutStopSec=10min
KillMode=mixed
"""
    timer = f"""\
[Unit]
Description=Look for what schedules of fleet jobs say

[Timer]
OnCalendar={every}
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
"""
    return [UnitFile(f"{calling.name}.service", service), UnitFile(f"{calling.name}.timer", timer)]


def crontab(calling: Calling) -> list[UnitFile]:
    """A crontab of a user's own."""
    command = calling.line(shlex.quote(calling.folder), shlex.join(calling.az)).replace("%", r"\%")
    text = f"""\
# Starts what schedules of fleet jobs say. Add it to this user's crontab:
#   (crontab -l 2>/dev/null; cat {calling.name}.crontab) | crontab -
# Sign-in: by `az login` of this user, or by a file that only this user may read (mode 600), with the line
#   export {SECRET}='HostName=…;SharedAccessKeyName=…;SharedAccessKey=…'
# The policy must have the rights to {RIGHTS}.
# cron mails what is printed: results, and what was missed. The exit code says it too.
{calling.cron} test -r "$HOME/.config/{calling.name}.env" && . "$HOME/.config/{calling.name}.env"; {command} -o table
"""
    return [UnitFile(f"{calling.name}.crontab", text)]


def github_actions(calling: Calling) -> list[UnitFile]:
    """A workflow. Raises BadValue for what is more often than GitHub starts anything."""
    if calling.minutes < GITHUB_LEAST_MINUTES:
        raise BadValue(
            f"--every {calling.minutes}m: for GitHub Actions give {GITHUB_LEAST_MINUTES}m or more.",
            hint="--every 5m",
        )
    text = f"""\
# Starts what schedules of fleet jobs say. Put it into .github/workflows/.
# Fleet jobs and schedules live in the folder .fleet-jobs, which the cache keeps from one call to the next. Make it once
# by `fleet-job create` and `schedule set` with --state-dir .fleet-jobs in a step before. A cache that is lost forgets
# history and what was missed; it starts nothing twice, as the hub knows what was started.
# Sign-in: a federated credential of an app registration with the role IoT Hub Data Contributor on the hub. The
# repository's variables are its ids. Or remove the step Sign in and `--auth-type login`, and give the step
# Run what is due `env: {{{SECRET}: "${{{{ secrets.{SECRET} }}}}"}}`.
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
      - name: State
        uses: actions/cache/restore@v4
        with:
          path: .fleet-jobs
          key: {calling.name}-${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}
          restore-keys: {calling.name}-
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
      - name: Run what is due
        run: {json.dumps(calling.pipeline_line(".fleet-jobs"))}
      - name: Save state
        if: always()
        uses: actions/cache/save@v4
        with:
          path: .fleet-jobs
          key: {calling.name}-${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}
"""
    return [UnitFile(f"{calling.name}.yml", text)]


def azure_pipelines(calling: Calling) -> list[UnitFile]:
    """A pipeline of Azure DevOps."""
    text = f"""\
# Starts what schedules of fleet jobs say. Make a pipeline of this file, and set its variables:
#   serviceConnection: an Azure Resource Manager connection whose identity has the role IoT Hub Data Contributor
#   iotjobsWheel: address of the extension's wheel
# Fleet jobs and schedules live in a folder that the cache keeps from one call to the next. Make it once by
# `fleet-job create` and `schedule set` with the same --state-dir in a step before. A cache that is lost forgets history
# and what was missed; it starts nothing twice, as the hub knows what was started.
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
      - task: Cache@2
        displayName: State
        inputs:
          key: '"{calling.name}" | "$(Build.BuildId)" | "$(System.JobAttempt)"'
          restoreKeys: '"{calling.name}"'
          path: $(Pipeline.Workspace)/fleet-jobs
      - task: AzureCLI@2
        name: due
        displayName: Run what is due
        inputs:
          azureSubscription: $(serviceConnection)
          scriptType: bash
          scriptLocation: inlineScript
          # The cache is saved only where no step fails: the exit code is that of the next job.
          inlineScript: |
            az extension add --yes --source "$(iotjobsWheel)"
            code=0
            {calling.pipeline_line('"$(Pipeline.Workspace)/fleet-jobs"')} || code=$?
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
    return [UnitFile(f"{calling.name}.azure-pipelines.yml", text)]


def _systemd_word(word: str) -> str:
    """A word of a command line of systemd's, which has specifiers, variables and escapes of its own."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or any(each.isspace() or each in "';" for each in word) else word
