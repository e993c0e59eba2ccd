"""az that has loaded azure-cli already: each command is a process of its own, forked from one that has.

Two thirds of an az command's time go into importing azure-cli, before it looks at the command, and most of the rest
into importing our modules. All else a command does by itself, as ever. That it does so from a cold start too is looked
at where `AZ` is run (az.py); what it imports then, in scenarios/test_starting.py.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from azext_iotjobs.localhub.testing.forked_process import ForkedProcess, PreloadedProcess, Stream

HERE = Path(__file__).parent
MANY = 2  # commands, from which on it is worth while to load our extension


class WarmAz(PreloadedProcess):
    """One process with az's modules; its environment is what every command gets."""

    def __init__(self, environment: Mapping[str, str], *, extension: bool) -> None:
        """extension: whether our extension's modules may be loaded too."""
        super().__init__("azure.cli", environment)
        self._extension = extension
        self._commands = 0
        self.load(HERE / "loaded_az.py")

    def command(
        self,
        words: Sequence[str],
        folder: Path,
        *,
        stdin: Stream,
        stdout: Stream,
        stderr: Stream,
        environment: Mapping[str, str] | None = None,
    ) -> ForkedProcess:
        """Start a command. folder: where it runs.  environment: what it has besides."""
        if self._commands == MANY and self._extension:
            self.load(HERE / "loaded_extension.py")
        self._commands += 1
        whole = {**self.environment, **(environment or {})}
        return self.start(words, folder, environment=whole, stdin=stdin, stdout=stdout, stderr=stderr)

    def run(
        self, words: Sequence[str], stdin: bytes, folder: Path, limit_s: float, environment: Mapping[str, str]
    ) -> tuple[int, bytes, bytes]:
        """Run a command to its end; gives the exit code, and what it wrote to stdout and stderr.

        folder: where it runs.  environment: what it has besides.
        """
        pipe = subprocess.PIPE
        command = self.command(words, folder, stdin=pipe, stdout=pipe, stderr=pipe, environment=environment)
        stdout, stderr = command.communicate(stdin, limit_s)
        return command.wait(), stdout, stderr
