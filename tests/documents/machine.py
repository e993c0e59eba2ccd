"""The machine that pages are gone through on: az, a home folder and a PATH of its own, and nothing of the user's."""

import os
import shutil
import signal
import stat
import sys
import tempfile
from pathlib import Path

from azext_iotjobs.localhub.testing.forked_process import IS_POSSIBLE
from tests.documents import az_shim
from tests.documents.az_server import AzServer
from tests.helpers.az import AZ, EXTENSIONS
from tests.helpers.short_form import IN_FULL

HERE = Path(__file__).parent


class Machine:
    """Folders and an environment that begin anew with each page; az is forked from one process for all of them.

    In full (`make torture`) each az is the real program, from a cold start.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pages-"))  # short: a socket is in it
        self.home, self.work = self._folder / "home", self._folder / "work"
        self.environment = self._environment()
        self._write_az()
        self.anew()
        self.server = AzServer(self._folder / "az", self.environment) if IS_POSSIBLE and not IN_FULL else None

    def anew(self) -> None:
        """Empty the home and the working folder."""
        for folder in (self.home, self.work, self._folder / "tmp"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        (self.home / ".azure").mkdir()
        (self.home / ".azure" / "cliextensions").symlink_to(EXTENSIONS)

    @property
    def hubs(self) -> Path:
        """Where az finds the local hubs that run."""
        return self.home / ".azure" / "iotjobs" / "hubs"

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def end_all(self) -> None:
        """Kill what still runs of a page, such as a hub in the background: all that has this home."""
        mark = f"HOME={self.home}\0".encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                begun, parent = (
                    (process / "environ").read_bytes(),
                    (process / "stat").read_text().split(")")[-1].split()[1],
                )
                if mark in begun and not (self.server and int(parent) == os.getpid()):
                    os.kill(int(process.name), signal.SIGKILL)
            except (OSError, IndexError):  # it has ended meanwhile, or is another user's
                continue

    def _environment(self) -> dict[str, str]:
        """What a reader's terminal has; az's extension folder is the checkout's, with what was built."""
        return {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(self._folder / "bin"), str(Path(sys.executable).parent), *_system_path()]),
            "TMPDIR": str(self._folder / "tmp"),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "AZURE_EXTENSION_DIR": str(EXTENSIONS),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_NO_COLOR": "yes",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            az_shim.REAL: str(AZ),
            **({az_shim.SOCKET: str(self._folder / "az")} if IS_POSSIBLE and not IN_FULL else {}),
        }

    def _write_az(self) -> None:
        """Put the shim first into the PATH, as a program."""
        program = self._folder / "bin" / "az"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable} -ISB\n" + (HERE / "az_shim.py").read_text("utf-8"), encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)


def _system_path() -> list[str]:
    """The folders of PATH, which come behind ours."""
    return [each for each in os.environ.get("PATH", os.defpath).split(os.pathsep) if each]
