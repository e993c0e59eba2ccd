"""Handler of az iot local-hub exec: a command with a hub of its own.

The work is done by the hub's program, iotjobs-local-hub exec. It takes the place of az's process, which leaves it the
terminal, all signals and the exit code; Windows cannot do that.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.transport.own_import import own_folders

# The search path is not given by the environment, which the command gets too.
PROGRAM = """
import sys
sys.path[:0] = {folders!r}
from azext_iotjobs.localhub.__main__ import main
sys.exit(main(["exec", *sys.argv[1:]]))
"""


class ExecOptions(NamedTuple):
    """What hub the command gets, as typed; None: as the hub's program has it for `exec`, in memory, on free ports."""

    seed: str | None = None
    data_dir: str | None = None
    bind: str | None = None
    https_port: int | None = None
    mqtt_port: int | None = None
    amqp_port: int | None = None
    sku: str | None = None
    units: int | None = None

    def words(self) -> list[str]:
        """The same as arguments of the hub's program."""
        typed = {f"--{name.replace('_', '-')}": value for name, value in self._asdict().items() if value is not None}
        return [word for name, value in typed.items() for word in (name, str(value))]


@takes_option_groups
def run(our_command: Sequence[str], *, options: ExecOptions) -> NoReturn:
    """Run a command with a local hub."""
    program = [sys.executable, "-I", "-c", PROGRAM.format(folders=own_folders())]
    words = [*program, *options.words(), "--", *our_command]
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform == "win32":
        sys.exit(subprocess.call(words))
    os.execv(sys.executable, words)
