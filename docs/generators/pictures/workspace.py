"""Where sessions run: a fresh folder, az with this extension, a local hub; what only a clock knows is masked."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from pictures.terminal import COLUMNS, Terminal
from pictures.window import Row

DOTS = "…"


class Screenshot(NamedTuple):
    """What a picture shows."""

    rows: list[Row]
    title: str  # of the window
    description: str  # what is to be seen, in a sentence
    columns: int = COLUMNS


class Workspace:
    """A folder, and terminals in it."""

    def __init__(self, folder: Path) -> None:
        """folder: a fresh one."""
        self._folder = folder
        kept = {name: os.environ[name] for name in ("AZURE_EXTENSION_DIR", "LANG") if name in os.environ}
        self._environment = {
            **kept,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.defpath)),
            "HOME": str(folder),
            "AZURE_CONFIG_DIR": str(folder / "azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "PYTHONUTF8": "1",
        }

    def add(self, file: Path) -> None:
        """Copy a file into the folder."""
        shutil.copy(file, self._folder)

    def terminal(self, *, columns: int = COLUMNS) -> Terminal:
        """A new one."""
        return Terminal(self._folder, self._environment, columns=columns)

    @contextmanager
    def lasting(self, command: str, ready: str, *, columns: int = COLUMNS) -> Iterator[Terminal]:
        """A terminal with a command that lasts until the block ends, and is ended by Ctrl-C then.

        command: the one to type.  ready: what it has written when the block begins.  columns: how wide it is.
        """
        terminal = self.terminal(columns=columns)
        terminal.begin(command)
        try:
            terminal.wait_until(command, seen(terminal, ready))
            yield terminal
        finally:
            terminal.interrupt()

    def hub(self) -> AbstractContextManager[Terminal]:
        """A local hub, at its usual ports, so that its name is the same each time."""
        return self.lasting("az iot local-hub start --in-memory", '"hostName"')


def seen(terminal: Terminal, text: str) -> Callable[[], bool]:
    """Whether a text is on the screen of a terminal."""
    return lambda: text in terminal.text()


def masked(rows: list[Row], patterns: tuple[str, ...]) -> list[Row]:
    """Rows with dots for what the patterns find in them."""
    pattern = re.compile("|".join(patterns))
    return [tuple(span._replace(text=pattern.sub(DOTS, span.text)) for span in row) for row in rows]
