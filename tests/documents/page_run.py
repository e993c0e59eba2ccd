"""A page, gone through as by a reader: its blocks are typed, in their order, and each command's exit code is checked.

What differs from typing them: it begins in an empty folder, with an empty home folder, and without a terminal's window,
so that az asks nothing and shows no status line. az has local hubs take free ports where the page names none, and is
forked from a process that has loaded it (az_shim.py); `make torture` runs the real program. A pipeline's exit code is
that of its first command that failed, and a variable that is unset is not unset for az. What stands before a page
begins, and what the page says in words, is in marks (pages.py).
"""

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.documents.machine import Machine
from tests.documents.pages import Anew, BadPage, Block, CtrlC, Page, SetUp, Step, name_of, read_page
from tests.documents.shell_lines import Command, commands_of
from tests.documents.shown_output import missing_lines
from tests.documents.terminal import Terminal
from tests.helpers.hub_process import HubProcess

SET_UPS = Path(__file__).parent / "set_ups"
BUILT_IN = "hub"
SHELL, PROGRAM = "bash", "python"
MAY_FAIL = ("||", "if ", "while ", "until ", "! ", "case ", "&")


def is_typed(block: Block) -> bool:
    """Whether a block is run: commands and programs are, unless they are files or have a reason."""
    return block.language in (SHELL, PROGRAM) and block.not_run is None and block.file is None


class PageFailed(AssertionError):
    """A command of a page did not end as the page says."""


class Lasting(NamedTuple):
    """What runs in a terminal of its own until Ctrl-C."""

    terminal: Terminal
    command: Command
    where: str  # the page, or the set-up


class PageRun:
    """One page on a machine."""

    def __init__(self, page: Page, machine: Machine) -> None:
        self._page, self._machine = page, machine
        self._begin()

    def _begin(self) -> None:
        self._machine.anew()
        self._open = ExitStack()
        self._open.callback(self._machine.end_all)
        self._terminals: dict[int, Terminal] = {}
        self._lasting: list[Lasting] = []
        self._stood: set[str] = set()
        self._shown: list[str] = []  # by the commands of the last block that was typed

    def go_through(self) -> None:
        """Do all that the page says. Raises PageFailed at the first command that does not end as it says."""
        try:
            for step in self._page.steps:
                self._do(step, self._page.name)
            self._end_lasting()
        finally:
            self._open.close()

    def _do(self, step: Step, where: str) -> None:
        match step:
            case SetUp(names, line):
                for name in names:
                    self._stand(name, f"{where}:{line}")
            case CtrlC(line):
                if not self._lasting:
                    raise BadPage(f"{where}:{line}: nothing is in the background")
                self._end_last()
            case Anew():
                self._end_lasting()
                self._open.close()
                self._begin()
            case Block(not_run=None) if step.needs is None or shutil.which(step.needs):
                self._run(step, where)

    def _stand(self, name: str, where: str) -> None:
        """Have a set-up stand, once."""
        if name in self._stood:
            return
        self._stood.add(name)
        if name == BUILT_IN:
            data = self._machine.home / ".azure" / "iotjobs" / "local-hub"
            data.mkdir(parents=True)
            self._open.enter_context(HubProcess(data, "--in-memory", "--state-dir", str(self._machine.hubs)))
            return
        path = SET_UPS / f"{name}.md"
        if not path.exists():
            known = sorted([BUILT_IN, *(each.stem for each in SET_UPS.glob("*.md"))])
            raise BadPage(f"{where}: there is no set-up '{name}', only {', '.join(known)}")
        for step in read_page(path.read_text(encoding="utf-8"), path.name).steps:
            self._do(step, path.name)

    def _run(self, block: Block, where: str) -> None:
        if block.shows:
            self._compare(block, where)
        elif block.file is not None:
            path = self._machine.work / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == SHELL:
            self._type(block, list(commands_of(block)), where)
        elif block.language == PROGRAM:
            program = self._machine.home / f"line-{block.line}.py"  # beside the page's folder
            program.write_text(block.text, encoding="utf-8")
            self._type(block, [Command(f"python {program}", block.line, block.exit_code or 0)], where)

    def _type(self, block: Block, commands: list[Command], where: str) -> None:
        terminal = self._new_terminal() if block.lasts else self._terminal(block.terminal)
        self._shown = []
        for number, command in enumerate(commands, 1):
            lasts = block.lasts and number == len(commands)
            before = len(self._failed())
            terminal.type(command.text)
            if lasts:
                self._lasting.append(Lasting(terminal, command, where))
            else:
                self._look(command, terminal.exit_code(), terminal, where)
                self._look_inside(command, before, terminal, where)
                self._shown.append(terminal.shown)
        if block.until is not None:
            terminal.wait_for(block.until)
            self._shown.append(terminal.shown)

    def _compare(self, block: Block, where: str) -> None:
        """Whether what was typed last has shown this."""
        shown = "".join(self._shown)
        if missing := missing_lines(block.text, shown):
            lines = "\n".join(missing)
            raise PageFailed(
                f"{where}:{block.line}: the block before has not shown:\n{lines}\n\nIt has shown:\n{shown}"
            )

    def _look(self, command: Command, code: int, terminal: Terminal, where: str) -> None:
        if code != command.exit_code:
            wanted = f", not {command.exit_code}" if command.exit_code else ""
            raise PageFailed(f"{where}:{command.line}: {command.text}\n\nended with {code}{wanted}:\n{terminal.shown}")

    def _look_inside(self, command: Command, before: int, terminal: Terminal, where: str) -> None:
        """An az within a command, as in `export A=$(az …)`, may have failed though the command has not."""
        if command.exit_code or any(each in command.text for each in MAY_FAIL):
            return
        for words in self._failed()[before:]:
            raise PageFailed(f"{where}:{command.line}: az {' '.join(words)}\n\nfailed:\n{terminal.shown}")

    def _failed(self) -> list[tuple[str, ...]]:
        server = self._machine.server
        return [each.words for each in server.ended if each.code] if server is not None else []

    def _end_lasting(self) -> None:
        while self._lasting:
            self._end_last()

    def _end_last(self) -> None:
        """Press Ctrl-C where something was started last in the background."""
        lasting = self._lasting.pop()
        lasting.terminal.press_ctrl_c()
        self._look(lasting.command, lasting.terminal.exit_code(), lasting.terminal, lasting.where)

    def _terminal(self, number: int) -> Terminal:
        if number not in self._terminals:
            self._terminals[number] = self._new_terminal()
        return self._terminals[number]

    def _new_terminal(self) -> Terminal:
        names = (self._machine.home / f"shown-{number}" for number in range(1, 100))
        output = next(each for each in names if not each.exists())
        terminal = Terminal(self._machine.work, self._machine.environment, output)
        self._open.callback(terminal.close)
        return terminal


def go_through(path: Path, machine: Machine) -> None:
    """Go through the page of a file."""
    PageRun(read_page(path.read_text(encoding="utf-8"), name_of(path)), machine).go_through()
