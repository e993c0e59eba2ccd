"""The real az, as a user runs it: a process, its exit code and what it wrote.

It is forked from a process that has loaded azure-cli (warm_az.py), unless what a test's environment says is for Python,
or another version of az is tested: IOTJOBS_TEST_AZ names its program (`make cores`).
"""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.testing.forked_process import IS_POSSIBLE
from tests.helpers.warm_az import WarmAz

REPOSITORY = Path(__file__).resolve().parents[2]
OTHER_AZ = os.environ.get("IOTJOBS_TEST_AZ")
AZ = Path(OTHER_AZ).absolute() if OTHER_AZ else Path(sys.executable).with_name("az")
IS_WARM = IS_POSSIBLE and not OTHER_AZ
EXTENSIONS = Path(os.environ.get("AZURE_EXTENSION_DIR", REPOSITORY / ".az" / "extensions"))
TIMEOUT_S = 180.0
READ_AT_START = ("PYTHON", "LC_", "LANG")  # how variables begin that Python looks at only as it starts


@dataclass(frozen=True)
class Ran:
    """One az command that has ended."""

    words: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The result that az printed; None when it printed nothing."""
        return json.loads(self.stdout) if self.stdout.strip() else None


class Az:
    """az with folders of its own: nothing of the user's configuration is read or changed."""

    def __init__(self, config_dir: Path, extension_dir: Path = EXTENSIONS, **more_environment: str) -> None:
        self.config_dir = config_dir
        self.extensions = extension_dir
        self.environment = {
            **os.environ,
            "AZURE_CONFIG_DIR": str(config_dir),
            "AZURE_EXTENSION_DIR": str(extension_dir),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "AZURE_CORE_NO_COLOR": "yes",
            **more_environment,
        }
        self.environment.pop("PYTHONPATH", None)
        self._warm: WarmAz | None = None

    def _warm_az(self) -> WarmAz:
        """The process with this environment as it is now; tests may have changed it."""
        if self._warm is None or self._warm.environment != self.environment:
            self._warm = WarmAz(self.environment, extension=self.extensions == EXTENSIONS)
        return self._warm

    def run(self, line: str, *words: str, stdin: str | None = None, environment: dict[str, str] | None = None) -> Ran:
        """Run a command to its end, whatever its exit code.

        line: how it begins, as it is typed: split as a shell does.  words: the rest, each taken as it is.
        """
        typed = (*shlex.split(line), *words)
        more = environment or {}
        if IS_WARM and not any(name.startswith(READ_AT_START) for name in more):
            code, stdout, stderr = self._warm_az().run(typed, (stdin or "").encode(), self.config_dir, TIMEOUT_S, more)
            return Ran(typed, code, _text(stdout), _text(stderr))
        done = subprocess.run(
            [str(AZ), *typed],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            env={**self.environment, **more},
            input=stdin if stdin is not None else "",
            cwd=self.config_dir,  # not the checkout: az would find the code there before the installed extension
        )
        return Ran(typed, done.returncode, done.stdout, done.stderr)

    def json(self, line: str, *words: str) -> Any:
        """Run a command that must succeed; give its result."""
        ran = self.run(line, *words)
        assert ran.code == 0, f"az {' '.join(ran.words)} ended with {ran.code}:\n{ran.stderr}"
        return ran.json

    def complete(self, line: str) -> list[str]:
        """What a shell is offered for the end of `line` when Tab is pressed."""
        done = subprocess.run(
            # As argcomplete's shell code does it: file descriptor 8 is the answer, 9 is for debugging.
            ["sh", "-c", 'exec "$0" 8>&1 9>/dev/null 1>/dev/null', str(AZ)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            env={
                **self.environment,
                "_ARGCOMPLETE": "1",
                "_ARGCOMPLETE_IFS": "\n",
                "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
                "COMP_LINE": line,
                "COMP_POINT": str(len(line)),
            },
            stdin=subprocess.DEVNULL,
            cwd=self.config_dir,
        )
        # az's parser says on stderr that the line is not whole; shells throw that away.
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
        return done.stdout.split("\n") if done.stdout else []

    def start(self, line: str, *words: str, output: Path) -> "subprocess.Popen[bytes]":
        """Start a command that goes on; stdout goes into `output`, stderr beside it in `<output>.err`."""
        with open(output, "wb") as stdout, open(f"{output}.err", "wb") as stderr:
            if IS_WARM:
                typed = (*shlex.split(line), *words)
                return self._warm_az().command(typed, self.config_dir, stdin=0, stdout=stdout, stderr=stderr)
            return subprocess.Popen(
                [str(AZ), *shlex.split(line), *words],
                stdout=stdout,
                stderr=stderr,
                env=self.environment,
                cwd=self.config_dir,
            )


def _text(written: bytes) -> str:
    """As subprocess reads what is text."""
    return written.decode().replace("\r\n", "\n").replace("\r", "\n")
