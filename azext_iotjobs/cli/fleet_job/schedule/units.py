"""Files that have `run-due` called every few minutes on this machine: units of systemd, a crontab.

Pure. Secrets are in none of them: each says where its own goes.
"""

import shlex
from typing import NamedTuple

from azext_iotjobs.cli.fleet_job.team_store import LOGIN, TeamStore
from azext_iotjobs.model.errors import BadValue

MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)  # that divide an hour
HOURS = (1, 2, 3, 4, 6, 8, 12)  # that divide a day
SECRET = "IOTJOBS_CONNECTION_STRING"
PASSWORD = "PGPASSWORD"  # of a team's store, as libpq reads it
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
    team: TeamStore | None = None  # typed or configured; None: fleet jobs are in the folder

    @property
    def cron(self) -> str:
        """How often, as a cron expression."""
        if self.minutes >= 60:
            return f"0 */{self.minutes // 60} * * *" if self.minutes > 60 else "0 * * * *"
        return f"*/{self.minutes} * * * *" if self.minutes > 1 else "* * * * *"

    @property
    def store(self) -> list[str]:
        """Where fleet jobs are, as words of the command on this machine."""
        return ["--state-dir", self.folder] if self.team is None else self.team.options()

    def store_sign_in(self, line: str) -> str:
        """How it signs in to a team's store, as a line of a comment; empty: there is none. line: with a password."""
        if self.team is None:
            return ""
        if self.team.auth == LOGIN:
            return "# Sign-in to the team's store: by that same `az login`.\n"
        if self.team.password_file is not None:
            return "# Sign-in to the team's store: by the password in the file that the command names.\n"
        return f"# Sign-in to the team's store: by a line in that file, {line}; or by ~/.pgpass.\n"


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
    words = (*calling.az, *calling.words, *calling.store)
    every = f"*:0/{calling.minutes}" if calling.minutes < 60 else f"0/{calling.minutes // 60}:00"
    service = f"""\
# Starts what schedules of fleet jobs say. Install both files:
#   cp {calling.name}.service {calling.name}.timer ~/.config/systemd/user/
#   systemctl --user daemon-reload && systemctl --user enable --now {calling.name}.timer
#   loginctl enable-linger    # so that it also runs while you are not signed in
# Sign-in: by `az login` of this user, or by a line in a file that only this user may read:
#   install -m 600 /dev/null ~/.config/{calling.name}.env
#   {SECRET}=HostName=…;SharedAccessKeyName=…;SharedAccessKey=…
{calling.store_sign_in(f"{PASSWORD}=…")}# The policy must have the rights to {RIGHTS}.
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
    command = shlex.join((*calling.az, *calling.words, *calling.store)).replace("%", r"\%")
    text = f"""\
# Starts what schedules of fleet jobs say. Add it to this user's crontab:
#   (crontab -l 2>/dev/null; cat {calling.name}.crontab) | crontab -
# Sign-in: by `az login` of this user, or by a file that only this user may read (mode 600), with the line
#   export {SECRET}='HostName=…;SharedAccessKeyName=…;SharedAccessKey=…'
{calling.store_sign_in(f"export {PASSWORD}='…'")}# The policy must have the rights to {RIGHTS}.
# cron mails what is printed: results, and what was missed. The exit code says it too.
{calling.cron} test -r "$HOME/.config/{calling.name}.env" && . "$HOME/.config/{calling.name}.env"; {command} -o table
"""
    return [UnitFile(f"{calling.name}.crontab", text)]


def _systemd_word(word: str) -> str:
    """A word of a command line of systemd's, which has specifiers, variables and escapes of its own."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or any(each.isspace() or each in "';" for each in word) else word
