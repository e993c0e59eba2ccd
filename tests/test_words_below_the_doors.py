"""Below the doors no text spells an option or a command of az: fields and commands are data, which doors render."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.cli.output.spelling import OPTIONS, OPTIONS_OF, SHORT, option_of

PACKAGE = Path(__file__).resolve().parents[1] / "azext_iotjobs"
DOCS = PACKAGE.parent / "docs"
FLOORS = ("model", "clients", "operations", "fleet_job", "transport", "simulator", "central")
SPELLED = re.compile(r"(?<![\w-])--[a-z](?![\w-]*>)|\baz (?:iot|extension|account|role|config|login)\b")


def _files() -> Iterator[tuple[str, ast.Module]]:
    for floor in FLOORS:
        for path in sorted((PACKAGE / floor).rglob("*.py")):
            yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and value of each string but docstrings."""
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def _arguments(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What `command` gets as options instead of fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "command":
            yield from ((node.lineno, ast.unparse(each)) for each in node.args[1:])


def test_no_text_below_the_doors_spells_an_option_or_a_command() -> None:
    spelled = [
        f"{name}:{line}: {text[:80]}" for name, tree in _files() for line, text in _texts(tree) if SPELLED.search(text)
    ]
    spelled += [f"{name}:{line}: {text}" for name, tree in _files() for line, text in _arguments(tree)]
    assert not spelled, "\n".join(spelled)


@pytest.mark.parametrize("text", ["give --ttl", "--exclude", "see az iot hub job list", "(az account show)"])
def test_what_is_spelled_is_found(text: str) -> None:
    assert SPELLED.search(text)


@pytest.mark.parametrize("text", ["a -- b", "pending --start--> running", "az is signed in", "x--y", "-dash", "-"])
def test_what_is_no_option_and_no_command_is_left_alone(text: str) -> None:
    assert not SPELLED.search(text)


def _fields() -> Iterator[str]:
    """Every field that some text below the doors names: Field("…"), and `{…}` in Text.of without a value."""
    for _, tree in _files():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            match ast.unparse(node.func), node.args[0].value:
                case "Field", str(name):
                    yield name
                case "Text.of", str(template):
                    values = {each.arg for each in node.keywords}
                    yield from (each for each in re.findall(r"\{(\w+)\}", template) if each not in values)


def test_every_field_is_spelled_as_an_option_that_is_there() -> None:
    documented = "\n".join(path.read_text() for path in DOCS.rglob("*.md"))
    fields = {*_fields(), *OPTIONS, *SHORT, *(name for table in OPTIONS_OF.values() for name in table)}
    options = {
        name: {option_of(name), *(table.get(name, option_of(name)) for table in OPTIONS_OF.values())} for name in fields
    }
    unknown = {
        f"{name} as {option}"
        for name, spellings in options.items()
        for option in spellings
        if not re.search(rf"(?<![\w-]){option}(?![\w-])", documented)
    }
    assert fields and not unknown
