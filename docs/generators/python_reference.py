"""Write docs/reference/local-hub-python.md and python-library.md from signatures and docstrings.

`make docs` calls this; a test keeps the pages equal to what it produces, and has every parameter described.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from azext_iotjobs import sdk
from azext_iotjobs.localhub import testing
from azext_iotjobs.localhub.testing.containers import IoTHubContainer
from azext_iotjobs.localhub.testing.faults import Fault
from azext_iotjobs.localhub.testing.running_hub import RunningHub

FOLDER = Path(__file__).parents[1] / "reference"
NOTE = "<!-- Made by `make docs` from the signatures and docstrings. Do not edit. -->"
CONTENTS = "<!-- made: contents -->\n<!-- end -->\n"
OURS = "azext_iotjobs."
OF_ANY = {  # what a parameter is wherever nothing else is said
    "device_id": "a device id, 1 to 128 characters",
    "module_id": "a module id, 1 to 128 characters; None: the device itself",
    "job_id": "1 to 64 of a-z, 0-9 and dash",
}
MADE_BY_USERS = (RunningHub, sdk.JobClient)  # classes of which objects are made by a call of theirs
ELSEWHERE = {
    "Fault": "What `LocalHub.fault()` gives.",
    "IoTHubContainer": "`from azext_iotjobs.localhub.testing.containers import IoTHubContainer`. It has and does all "
    "that a LocalHub does, but `kill`, `close` and `process`.",
}


class Reference(NamedTuple):
    """A page about some classes."""

    file: str
    title: str
    introduction: str
    classes: Mapping[str, type]  # by their headings

    @property
    def path(self) -> Path:
        """Where the page is."""
        return FOLDER / self.file


REFERENCES = (
    Reference(
        "local-hub-python.md",
        "LocalHub in Python",
        "`azext_iotjobs.localhub.testing`: every class and parameter. How to use it, and its pytest fixtures:\n"
        "[testing.md](../how-to/testing.md).",
        {
            **{name: getattr(testing, name) for name in testing.__all__},
            "Fault": Fault,
            "IoTHubContainer": IoTHubContainer,
        },
    ),
    Reference(
        "python-library.md",
        "The Python library",
        "`azext_iotjobs.sdk`: `JobClient` and what it gives, with every parameter. How to use it, and its errors:\n"
        "[library.md](../how-to/library.md).",
        {each.__name__: each for each in (sdk.JobClient, sdk.Job, sdk.JobTally, sdk.DeviceResult, sdk.WaitOver)},
    ),
)


class Docstring(NamedTuple):
    """What a docstring says: of the whole, of each parameter, and the rest."""

    summary: str
    parameters: dict[str, str]
    notes: str


def page(reference: Reference) -> str:
    """A page, without its table of contents."""
    head = f"# {reference.title}\n\n{NOTE}\n\n{reference.introduction}\n\n{CONTENTS}"
    return head + "".join(f"\n## {name}\n\n{''.join(_class(name, each))}" for name, each in reference.classes.items())


def described(function: Any) -> dict[str, str]:
    """Each parameter of a function, and what is said of it; '' where nothing is."""
    said = docstring(function)
    return {name: said.parameters.get(name) or OF_ANY.get(name, "") for name in _parameters(function)}


def functions() -> Iterator[tuple[str, Any]]:
    """Every public function, and each way to make one of a class, by its name."""
    for name, each in [pair for reference in REFERENCES for pair in reference.classes.items()]:
        if issubclass(each, MADE_BY_USERS):
            yield f"{name}.__init__", each.__init__
        for member, function in _members(each):
            if inspect.isfunction(function):
                yield f"{name}.{member}", function


def docstring(function: Any) -> Docstring:
    """Read a docstring; parameters begin a line, or follow two spaces."""
    summary, _, rest = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    names = "|".join(map(re.escape, _parameters(function))) or "(?!)"
    start = re.compile(rf"(?:^|\n|  )((?:{names})(?:, (?:{names}))*): ")
    notes, *found = start.split(rest)
    parameters: dict[str, str] = {}
    for listed, text in zip(found[::2], found[1::2], strict=True):
        said, *more = re.split(r"(?:\n|  )(?=Raises |Gives )", text, maxsplit=1)
        parameters.update(dict.fromkeys(listed.split(", "), _flowing(said).rstrip(".")))
        notes += f" {''.join(more)}"
    return Docstring(_flowing(summary), parameters, _flowing(notes))


def _flowing(text: str) -> str:
    return " ".join(text.split())


def _parameters(function: Any) -> dict[str, inspect.Parameter]:
    return {
        name: each for name, each in inspect.signature(function).parameters.items() if name not in ("self", "cls", "_")
    }


def _members(kind: type) -> list[tuple[str, Any]]:
    """Its public functions and properties, of its own and those that it has of ours, sorted."""
    found: dict[str, Any] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith(OURS) and (kind is not IoTHubContainer or each is IoTHubContainer):
            own = {name: value for name, value in vars(each).items() if not name.startswith("_")}
            found.update({name: getattr(value, "__func__", value) for name, value in own.items()})
    return sorted(
        (name, each) for name, each in found.items() if inspect.isfunction(each) or isinstance(each, property)
    )


def _class(name: str, kind: type) -> Iterator[str]:
    yield f"{inspect.cleandoc(kind.__doc__ or '')}\n"
    if name in ELSEWHERE:
        yield f"\n{ELSEWHERE[name]}\n"
    if issubclass(kind, MADE_BY_USERS):
        yield f"\n{_signature(name, kind.__init__)}\n"
        yield _rest(kind.__init__)
    if rows := [*_fields(kind)]:
        yield "\n| has | |\n|---|---|\n" + "".join(rows)
    for member, function in _members(kind):
        if inspect.isfunction(function):
            yield f"\n### {name}.{member}\n\n{_signature(member, function)}\n\n{docstring(function).summary}\n"
            yield _rest(function)


def _rest(function: Any) -> str:
    """The table of parameters, and what else is said."""
    rows = [f"| `{_shown(each)}` | {_default(each)} | {_cell(said)} |\n" for each, said in _said(function)]
    table = "\n| parameter | default | |\n|---|---|---|\n" + "".join(rows) if rows else ""
    notes = docstring(function).notes
    return table + (f"\n{notes}\n" if notes else "")


def _said(function: Any) -> Iterator[tuple[inspect.Parameter, str]]:
    said = described(function)
    for name, each in _parameters(function).items():
        yield each, said[name]


def _fields(kind: type) -> Iterator[str]:
    """Rows of its properties, and of what its source says of its attributes."""
    source = inspect.getsource(kind)
    for name, what in re.findall(
        r"^    (?:    self\.)?([a-z]\w*)(?:: [^=\n#]+(?:= field\(\S+\))?| = \w+)(?:  # (.+))?$", source, re.MULTILINE
    ):
        yield f"| `{name}` | {what} |\n"
    for name, each in _members(kind):
        if isinstance(each, property):
            yield f"| `{name}` | {_flowing(each.__doc__ or '')} |\n"


def _signature(name: str, function: Any) -> str:
    parts: list[str] = []
    is_keyword = False
    for each in _parameters(function).values():
        if each.kind is each.KEYWORD_ONLY and not is_keyword:
            parts += [] if any(part.startswith("*") for part in parts) else ["*"]
            is_keyword = True
        parts.append(_shown(each) + ("" if each.default is each.empty else f"={_value(each.default)}"))
    return f"`{name}({', '.join(parts)})`"


def _shown(parameter: inspect.Parameter) -> str:
    stars: dict[Any, str] = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
    return f"{stars.get(parameter.kind, '')}{parameter.name}"


def _default(parameter: inspect.Parameter) -> str:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return "none"
    return "**required**" if parameter.default is parameter.empty else f"`{_value(parameter.default)}`"


def _value(default: Any) -> str:
    """A default as it is written; a function by its name."""
    return default.__name__ if inspect.isfunction(default) else repr(default)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def write() -> None:
    """Make them anew; their tables of contents are written by contents.py."""
    for reference in REFERENCES:
        reference.path.write_text(page(reference), encoding="utf-8")
