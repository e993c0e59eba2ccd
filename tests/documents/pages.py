"""Pages of Markdown, read as a reader goes through them: blocks of commands, programs and files, in their order.

What a reader is told in words stands for the tests in marks, which are comments that are not shown:

    <!-- run: with hub, pumps -->          set-ups (set_ups/) that stand from here on
    <!-- run: anew -->                     from here on everything is as at the page's beginning
    <!-- run: ctrl-c -->                   Ctrl-C is pressed where something lasts, and it ends

On the lines before a block, about that block alone:

    <!-- run: terminal 2 -->               it is typed in a second terminal
    <!-- run: background until TEXT -->    its last command lasts; what follows is typed once it has written TEXT
    <!-- run: until TEXT -->               what follows is typed once it has written TEXT, as a command with & does
    <!-- run: exit 4 -->                   its last command's exit code; `# exit code 4` beside a command says it too
    <!-- run: exit 4 of 3 -->              the exit code of its third command
    <!-- run: file NAME -->                it is a file of the page's folder, with this name, from here on
    <!-- run: shows -->                    the block before has shown this, line by line; … stands for anything
    <!-- run: needs PROGRAM -->            it is not run where this program is not installed
    <!-- run: no, REASON -->               it is not run; its commands are read by az's parser
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = Path(__file__).parents[2]
MARK = re.compile(r"<!--\s*run:\s*(.*?)\s*-->", re.DOTALL)
WORDS = "with, anew, ctrl-c, terminal, background until, until, exit, file, shows, needs, no"


class BadPage(Exception):
    """A page that cannot be gone through; the text says where and why."""


@dataclass(frozen=True)
class Block:
    """A fenced block, with what its marks say of it."""

    language: str
    text: str
    line: int  # of its first line, from 1
    terminal: int = 1
    lasts: bool = False  # its last command
    until: str | None = None  # what is waited for before what follows
    exit_code: int | None = None  # of one command; None: as the block says
    exit_of: int | None = None  # which command, from 1; None: the last
    file: str | None = None  # its name, where it is one
    shows: bool = False  # it is what the block before has shown
    needs: str | None = None  # a program
    not_run: str | None = None  # why


class SetUp(NamedTuple):
    """Names of set-ups that stand from here on."""

    names: tuple[str, ...]
    line: int


class Anew(NamedTuple):
    """Everything is as at the page's beginning."""

    line: int


class CtrlC(NamedTuple):
    """What was started last in the background ends."""

    line: int


Step = Block | SetUp | Anew | CtrlC


@dataclass
class Page:
    """What is done with a page, in its order. name: its path, from the checkout."""

    name: str
    steps: list[Step] = field(default_factory=list)

    @property
    def blocks(self) -> list[Block]:
        return [step for step in self.steps if isinstance(step, Block)]


def all_pages() -> list[Path]:
    """The README and every page that is written by hand; those of commands are made from help."""
    pages = sorted((REPOSITORY / "docs").rglob("*.md"))
    return [REPOSITORY / "README.md", *(path for path in pages if path.parent.name != "commands")]


def name_of(path: Path) -> str:
    """A page's path from the checkout."""
    return path.relative_to(REPOSITORY).as_posix()


def read_page(text: str, name: str = "page.md") -> Page:
    """Read a page. Raises BadPage for marks that mean nothing."""
    page, marks = Page(name), list[Token]()
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "html_block" and "run:" in token.content:
            marks += [token]
        elif token.type == "fence":
            page.steps += _block(page, token, marks)
            marks = []
        else:
            page.steps += _standing_alone(page, marks)
            marks = []
    page.steps += _standing_alone(page, marks)
    return page


def _block(page: Page, fence: Token, marks: list[Token]) -> Iterator[Step]:
    """The steps of marks and of the block that they precede."""
    language, at = fence.info.split(" ")[0], (fence.map or [0])[0] + 2
    block = Block(language, fence.content, at)
    for line, typed in _typed(marks):
        step = _step(typed, line)
        if step is not None:
            yield step
        else:
            block = _marked(block, typed, f"{page.name}:{line}")
    yield block


def _standing_alone(page: Page, marks: list[Token]) -> Iterator[Step]:
    for line, typed in _typed(marks):
        step = _step(typed, line)
        if step is None:
            raise BadPage(f"{page.name}:{line}: '{typed}' stands before no block, or is not a mark: {WORDS}")
        yield step


def _typed(marks: list[Token]) -> Iterator[tuple[int, str]]:
    """The marks' lines, and what they say."""
    for token in marks:
        for number, line in enumerate(token.content.splitlines(), (token.map or [0])[0] + 1):
            for typed in MARK.findall(line):
                yield number, typed


def _step(typed: str, line: int) -> Step | None:
    """What a mark says that needs no block; None: it is about one."""
    word, _, rest = typed.partition(" ")
    if word == "with":
        return SetUp(tuple(each.strip() for each in rest.split(",")), line)
    if typed == "anew":
        return Anew(line)
    return CtrlC(line) if typed == "ctrl-c" else None


def _marked(block: Block, typed: str, where: str) -> Block:
    """A block with what one more mark says of it."""
    word, _, rest = typed.partition(" ")
    if word == "no," and rest:
        return replace(block, not_run=rest)
    if word == "terminal" and rest.isdecimal():
        return replace(block, terminal=int(rest))
    if word == "exit" and (codes := re.fullmatch(r"(\d+)(?: of (\d+))?", rest)):
        return replace(block, exit_code=int(codes[1]), exit_of=int(codes[2]) if codes[2] else None)
    if word == "file" and re.fullmatch(r"[\w./-]+", rest):
        return replace(block, file=rest)
    if typed == "shows":
        return replace(block, shows=True)
    if word == "needs" and rest:
        return replace(block, needs=rest)
    if word == "until" and rest:
        return replace(block, until=rest)
    if typed.startswith("background until "):
        return replace(block, lasts=True, until=typed.removeprefix("background until "))
    raise BadPage(f"{where}: '{typed}' is not a mark: {WORDS}")
