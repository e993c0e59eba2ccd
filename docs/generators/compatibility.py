"""Write docs/reference/compatibility.md: what each command and option of Microsoft's azure-iot extension is here.

Compares our options, as az has them after loading, with our record of the reference's, and adds the notes of
compatibility_notes.py. `make docs` calls this; a test keeps the page equal to what it produces.
"""

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

PREVIEWS_ONLY = "previews only"  # a mark of options that 0.31.0 itself does not have
PAGE = Path(__file__).parents[1] / "reference" / "compatibility.md"
REFERENCE = Path(__file__).parents[2] / "tests" / "data" / "reference_options.json"
HEADER = """# Compatibility with azure-iot

<!-- Made by `make docs` from the options of both and docs/generators/compatibility_notes.py. Do not edit. -->

Every command of Microsoft's `azure-iot` extension, version 0.31.0, under `az iot hub`, `az iot device` and
`az iot edge`, and each of its options:

- **same**: has the same spellings, choices, default and meaning;
- **extended**: has options or choices that azure-iot does not have;
- **fixed**: differs on purpose, as described;
- **absent**: is not here, for the reason that is given.

Commands that are absent stay those of `azure-iot`, beside which this extension can be installed: configurations,
deployments of IoT Edge, digital twins, file upload, `state` and others.

Commands that manage the hub as an Azure resource are not listed (`az iot hub message-endpoint`, `message-route`,
`certificate`, and those of az itself): they use Azure Resource Manager, and work beside this extension.
"""


@dataclass
class Compared:
    """A command of the reference, compared; lines are Markdown."""

    name: str
    same: list[str] = field(default_factory=list)  # options
    rows: list[tuple[str, str, str]] = field(default_factory=list)  # options, what they are, what that means
    marks: list[str] = field(default_factory=list)  # the reference's own: experimental, preview, hidden options
    is_absent: str | None = None  # why
    fixed: str | None = None  # the command as a whole

    @property
    def words(self) -> str:
        """What it is, in the page's words."""
        if self.is_absent is not None:
            return "absent"
        kinds = {kind for _, kind, _ in self.rows} | ({"fixed"} if self.fixed else set())
        return ", ".join(each for each in ("extended", "fixed", "absent in part") if each.split()[0] in kinds) or "same"


def page(ours: dict[str, dict[str, dict[str, Any]]], record: dict[str, Any] | None = None) -> str:
    """The whole page.

    ours: command -> dest -> options, required, default, choices.  record: of the reference; None: the one that is kept.
    Raises ValueError for a difference that no note explains, and for a note about nothing.
    """
    record = record or json.loads(REFERENCE.read_text(encoding="utf-8"))
    reference, marks = record["commands"], record["marks"]
    notes = _beside("compatibility_notes")
    problems = _stale(notes, reference, ours)
    compared = []
    for name in sorted(reference):
        if name in ours:
            compared.append(_compare(name, reference[name], list(ours[name].values()), notes, problems))
        elif name in notes.ABSENT_COMMANDS:
            compared.append(Compared(name, is_absent=notes.ABSENT_COMMANDS[name]))
        else:
            problems.append(f"az {name} is not here, and no note says why")
            continue
        compared[-1].marks += [*marks.get(name, ()), *_marked_options(reference[name], is_absent=name not in ours)]
    if problems:
        raise ValueError("docs/generators/compatibility_notes.py: " + "; ".join(problems))
    alone = sorted(ours.keys() - reference.keys())
    return (
        HEADER
        + _everywhere(notes.EVERYWHERE)
        + _summary(compared)
        + "".join(map(_section, compared))
        + _ours_alone(alone)
    )


def _compare(
    name: str, theirs: list[dict[str, Any]], ours: list[dict[str, Any]], notes: ModuleType, problems: list[str]
) -> Compared:
    result = Compared(name, fixed=notes.FIXED.get((name, "")))
    by_option = {option: each for each in ours for option in each["options"]}
    for option in theirs:
        longest = _longest(option["options"])
        absent = notes.ABSENT_OPTIONS.get((name, longest)) or notes.ABSENT_OPTIONS.get(("*", longest))
        mine = by_option.get(longest)
        if absent is not None:
            result.rows.append((_shown(option["options"]), "absent", absent))
            continue
        if mine is None and PREVIEWS_ONLY in option.get("marks", ()):
            continue
        if mine is None:
            problems.append(f"az {name} has no {longest}, and no note says why")
            continue
        if difference := _difference(option, mine, notes.OTHER_DEFAULTS):
            problems.append(f"az {name} {longest}: {difference}")
        fixed = notes.FIXED.get((name, longest)) or notes.FIXED.get(("*", longest))
        if fixed is not None:
            result.rows.append((_shown(mine["options"]), "fixed", fixed))
        elif PREVIEWS_ONLY in option.get("marks", ()):
            result.rows.append((_shown(mine["options"]), "extended", "as in preview versions of azure-iot"))
        elif more := _more(option, mine):
            result.rows.append((_shown(mine["options"]), "extended", more))
        else:
            result.same.append(_shown(mine["options"]))
    known = {_longest(option["options"]) for option in theirs}
    for mine in ours:
        if not known & set(mine["options"]):
            result.rows.append((_shown(mine["options"]), "extended", f"ours. {mine['help']}"))
    return result


def _difference(theirs: dict[str, Any], mine: dict[str, Any], other_defaults: dict[str, Any]) -> str | None:
    """What the reference has and we have not; None when there is nothing."""
    if missing := set(theirs["options"]) - set(mine["options"]):
        return f"lacks the spelling {', '.join(sorted(missing))}"
    if theirs["choices"] and mine["choices"] and (missing := set(theirs["choices"]) - set(mine["choices"])):
        return f"lacks the choice {', '.join(sorted(missing))}"
    if bool(theirs["choices"]) != bool(mine["choices"]):
        return "has choices in one of the two only"
    if mine["default"] != other_defaults.get(_longest(theirs["options"]), theirs["default"]):
        return f"has the default {mine['default']!r}, not {theirs['default']!r}"
    return "is required" if mine["required"] and not theirs["required"] else None


def _more(theirs: dict[str, Any], mine: dict[str, Any]) -> str:
    spellings = sorted(set(mine["options"]) - set(theirs["options"]))
    choices = sorted(set(mine["choices"] or ()) - set(theirs["choices"] or ()))
    said = [f"also spelled {', '.join(spellings)}"] if spellings else []
    said += [f"also {', '.join(choices)}"] if choices else []
    return "; ".join(said + (["need not be given"] if theirs["required"] and not mine["required"] else []))


def _marked_options(options: list[dict[str, Any]], *, is_absent: bool) -> list[str]:
    """What the reference itself says of its options: of an absent command that is all that is said of them."""
    said = []
    for each in options:
        own = [mark for mark in each.get("marks", ()) if mark != PREVIEWS_ONLY]
        if own and (is_absent or own != ["preview"]):
            said.append(f"{_shown(each['options'])} {' and '.join(own)}")
    return said


def _stale(notes: ModuleType, reference: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Notes about what does not exist, or is not absent."""
    options = {name: {_longest(each["options"]) for each in theirs} for name, theirs in reference.items()}
    options["*"] = set().union(*options.values())
    here = [name for name in notes.ABSENT_COMMANDS if name in ours or name not in reference]
    problems = [f"az {name} is here; a note says that it is absent" for name in here]
    for name, option in (*notes.ABSENT_OPTIONS, *notes.FIXED):
        if name not in options or (option and option not in options[name]) or (name != "*" and name not in ours):
            problems.append(f"a note is about az {name} {option}, which is not there")
    return problems


def _everywhere(differences: tuple[str, ...]) -> str:
    return "\nIn every command:\n\n" + "".join(f"- {each};\n" for each in differences)[:-2] + ".\n"


def _summary(compared: list[Compared]) -> str:
    rows = [
        f"| {_link(each)} | {each.words}{f': {each.is_absent}' if each.is_absent else ''} | {', '.join(each.marks)} |\n"
        for each in compared
    ]
    return "\n| command | compared | in azure-iot |\n|---|---|---|\n" + "".join(rows)


def _link(each: Compared) -> str:
    title = f"az {each.name}"
    return f"`{title}`" if each.is_absent else f"[`{title}`](#{title.replace(' ', '-')})"


def _section(each: Compared) -> str:
    if each.is_absent is not None:
        return ""
    lines = [f"\n## az {each.name}\n"]
    if each.fixed:
        lines.append(f"\n**Fixed**: {each.fixed}.\n")
    if each.same:
        lines.append(f"\nSame: {', '.join(each.same)}.\n")
    if each.rows:
        lines.append("\n| option | is | |\n|---|---|---|\n")
        lines += [f"| {options} | {kind} | {_in_cell(meaning)} |\n" for options, kind, meaning in each.rows]
    return "".join(lines)


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|")


def _ours_alone(names: list[str]) -> str:
    return "\n## Ours alone\n\n" + "".join(f"- `az {name}`\n" for name in names)


def _longest(options: list[str]) -> str:
    return max(options, key=lambda each: (len(each), each))


def _shown(options: list[str]) -> str:
    return " ".join(f"`{each}`" for each in sorted(options, key=lambda each: (-len(each), each)))


def write(ours: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Make the page anew."""
    PAGE.write_text(page(ours), encoding="utf-8")


def _beside(name: str) -> ModuleType:
    """The program of that name beside this one: they are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
