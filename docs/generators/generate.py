"""Write commands.md and a page for each group of commands below commands/, in docs/reference; have the rest made.

They are made from the help texts and options that az has after loading the extension. `make docs` calls this; a test
keeps the pages equal to what it produces.
"""

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

OF_AZ = ("cmd", "_subscription")  # az's own additions to every command
FOLDER = Path(__file__).parents[1] / "reference"
PAGE_WORDS = 3  # how much of a command's name names its page: "iot hub job"
NOTE = "<!-- Made by `make docs` from the help texts. Do not edit. -->"
HEADER = f"""# Commands

{NOTE}

A page for each group, with every option and examples. Every command also takes az's own options: `--output`,
`--query`, `--debug`, `--only-show-errors`, `--verbose`.
"""


def pages() -> dict[str, str]:
    """Every page by its path below docs/reference/."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("AZURE_CONFIG_DIR", folder)  # nothing of the user's is read or written
        commands = dict(sorted(loaded_commands().items()))
    groups: dict[str, list[str]] = {}
    for name in commands:
        groups.setdefault(_group_of(name, commands), []).append(name)
    made = {"commands.md": HEADER + "".join(_in_index(group, names) for group, names in groups.items())}
    for group, names in groups.items():
        made[_path(group)] = _head(group, names) + "".join(_command(name, commands[name]) for name in names)
    return made


def write() -> None:
    """Make the pages anew, and remove those of groups that are gone."""
    made = pages()
    (FOLDER / "commands").mkdir(exist_ok=True)
    for old in (FOLDER / "commands").glob("*.md"):
        if f"commands/{old.name}" not in made:
            old.unlink()
    for path, text in made.items():
        (FOLDER / path).write_text(text, encoding="utf-8")


def loaded_commands() -> dict[str, Any]:
    """Every command of ours, as az has it after loading: name -> its object with all arguments."""
    return dict(loaded_loader().command_table)


def loaded_loader() -> Any:
    """What az loads our commands with, once it has."""
    from azure.cli.core.mock import DummyCli

    from azext_iotjobs import COMMAND_LOADER_CLS

    cli = DummyCli()
    loader = COMMAND_LOADER_CLS(cli_ctx=cli)
    cli.invocation = cli.invocation_cls(
        cli_ctx=cli,
        parser_cls=cli.parser_cls,
        commands_loader_cls=cli.commands_loader_cls,
        help_cls=cli.help_cls,
    )
    cli.invocation.commands_loader = loader
    loader.skip_applicability = True  # every command's options, not only those of one that was typed
    table = loader.load_command_table([])
    for name, command in table.items():
        loader.command_name = name
        command.load_arguments()
        loader.load_arguments(name)
    loader._update_command_definitions()
    return loader


def shown_arguments(command: Any) -> dict[str, dict[str, Any]]:
    """The settings of a command's own arguments, by dest."""
    return {
        dest: argument.type.settings
        for dest, argument in command.arguments.items()
        if dest not in OF_AZ and argument.type.settings.get("options_list")
    }


def described(settings: dict[str, Any]) -> dict[str, Any]:
    """What can be compared of an argument's settings."""
    choices = settings.get("choices")
    return {
        "options": sorted(str(option) for option in settings["options_list"]),
        "required": bool(settings.get("required")),
        "default": settings.get("default"),
        "choices": sorted(choices) if choices else None,
        "help": settings.get("help"),
    }


def described_commands(commands: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """command -> dest -> options, required, default, choices, help."""
    return {
        name: {dest: described(settings) for dest, settings in shown_arguments(command).items()}
        for name, command in commands.items()
    }


def _group_of(name: str, commands: Iterable[str]) -> str:
    """The words that name a command's page; a group of one command stands on the page above."""
    words = name.split()
    group = " ".join(words[: min(PAGE_WORDS, len(words) - 1)])
    is_alone = sum(each.startswith(f"{group} ") for each in commands) == 1
    return group.rpartition(" ")[0] if is_alone else group


def _path(group: str) -> str:
    return f"commands/{group.replace(' ', '-')}.md"


def _link(name: str) -> str:
    return f"az {name}".replace(" ", "-")


def _summary(name: str) -> str:
    import yaml
    from knack.help_files import helps

    return str(yaml.safe_load(helps[name])["short-summary"]).replace("|", "\\|")


def _in_index(group: str, names: list[str]) -> str:
    rows = [f"| [`az {name}`]({_path(group)}#{_link(name)}) | {_summary(name)} |\n" for name in names]
    return f"\n## az {group}\n\n| command | what it does |\n|---|---|\n{''.join(rows)}"


def _head(group: str, names: list[str]) -> str:
    contents = "".join(f"- [az {name}](#{_link(name)})\n" for name in names)
    return f"# az {group}\n\n{NOTE}\n\n{contents}\n[All commands](../commands.md)\n"


def _command(name: str, command: Any) -> str:
    import yaml
    from knack.help_files import helps

    text, options = yaml.safe_load(helps[name]), shown_arguments(command).values()
    lines = [f"\n## az {name}\n", f"\n{text['short-summary']}\n"]
    if "long-summary" in text:
        lines += [f"\n{paragraph}\n" for paragraph in text["long-summary"].split("\n")]
    lines.append("\n| option | meaning |\n|---|---|\n")
    ordered = sorted(options, key=lambda each: (not each.get("required"), _names(each)))
    lines += [f"| {_names(each)} | {_meaning(each)} |\n" for each in ordered]
    for example in text["examples"]:
        lines.append(f"\n{example['name']}\n\n```bash\n{example['text']}\n```\n")
    return "".join(lines)


def _names(settings: dict[str, Any]) -> str:
    return " ".join(
        f"`{name}`" for name in sorted(map(str, settings["options_list"]), key=lambda name: (-len(name), name))
    )


def _meaning(settings: dict[str, Any]) -> str:
    parts = [str(settings.get("help", "")).replace("|", "\\|")]
    if settings.get("required"):
        parts.insert(0, "**Required.**")
    if settings.get("choices"):
        parts.append("One of: " + ", ".join(f"`{each}`" for each in settings["choices"]) + ".")
    default = settings.get("default")
    if default not in (None, False, "") and "Default:" not in parts[0]:
        parts.append(f"Default: `{default}`.")
    return " ".join(parts)


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parents[1]))
    import compatibility  # beside this file
    import contents
    import error_tables
    import hub_tables
    import job_file_members
    import job_file_schema
    import local_rest_page
    import local_rest_schema
    import python_reference
    import scale_tables

    write()
    compatibility.write(described_commands(loaded_commands()))
    error_tables.write()
    hub_tables.write()
    local_rest_schema.write()
    local_rest_page.write()
    python_reference.write()
    scale_tables.write()
    contents.write()
    job_file_members.write()
    job_file_schema.write()
