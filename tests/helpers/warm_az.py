"""az that has loaded azure-cli already: each command is a process of its own, forked from one that has.

Two thirds of an az command's time go into importing azure-cli, before it looks at the command, and most of the rest
into importing our modules. All else a command does by itself, as ever. That it does so from a cold start too is looked
at where `AZ` is run (az.py); what it imports then, in scenarios/test_starting.py.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.helpers.warm_process import WarmProcess

LOADED = """
    azure.cli.core._breaking_change azure.cli.core._completers azure.cli.core._help azure.cli.core._output
    azure.cli.core.azlogging azure.cli.core.command_recommender azure.cli.core.commands.arm
    azure.cli.core.commands.command_operation azure.cli.core.commands.parameters azure.cli.core.commands.transform
    azure.cli.core.extension._index azure.cli.core.extension.operations azure.cli.core.intercept_survey
    azure.cli.core.parser azure.cli.core.telemetry
    azure.cli.command_modules.iot.commands azure.cli.command_modules.iot.custom azure.cli.core._help_loaders
    azure.cli.command_modules.iot._validators azure.common encodings.utf_8_sig gc glob html jmespath msal
    msal_extensions pkginfo.wheel pkgutil pwd sqlite3 tabulate timeit yaml
""".split()  # what commands below `az iot` import of azure-cli and others, with what that imports


class WarmAz(WarmProcess):
    """One process with az's modules; its environment is what every command gets."""

    def __init__(self, environment: Mapping[str, str], *, extension: bool) -> None:
        """extension: whether our extension's modules may be loaded too."""
        super().__init__("azure.cli", LOADED, environment, ["loaded_extension"] if extension else [])

    def run(
        self, words: Sequence[str], stdin: bytes, folder: Path, limit_s: float, environment: Mapping[str, str]
    ) -> tuple[int, bytes, bytes]:
        """Run a command to its end; gives the exit code, and what it wrote to stdout and stderr.

        folder: where it runs.  environment: what it has besides.
        """
        pipe = subprocess.PIPE
        command = self.start(words, folder, stdin=pipe, stdout=pipe, stderr=pipe, environment=environment)
        stdout, stderr = command.communicate(stdin, limit_s)
        return command.wait(), stdout, stderr
