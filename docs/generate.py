"""Write docs/commands.md from the help texts and options that az has after loading the extension; have the rest made.

`make docs` calls this; a test keeps the page equal to what it produces.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

OF_AZ = ("cmd", "_subscription")  # az's own additions to every command
PAGE = Path(__file__).with_name("commands.md")
HEADER = """# Commands

<!-- Made by `make docs` from the help texts. Do not edit. -->

Every command also takes az's own options: `--output`, `--query`, `--debug`, `--only-show-errors`, `--verbose`.
"""


def page() -> str:
    """The whole page."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("AZURE_CONFIG_DIR", folder)  # nothing of the user's is read or written
        return HEADER + "".join(_command(name, command) for name, command in sorted(loaded_commands().items()))


def loaded_commands() -> dict[str, Any]:
    """Every command of ours, as az has it after loading: name -> its object with all arguments."""
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
    return dict(table)


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


def _command(name: str, command: Any) -> str:
    import yaml
    from knack.help_files import helps

    text, options = yaml.safe_load(helps[name]), shown_arguments(command).values()
    lines = [f"\n## az {name}\n", f"\n{text['short-summary']}\n"]
    if "long-summary" in text:
        lines.append(f"\n{text['long-summary']}\n")
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
    sys.path.insert(0, str(PAGE.parents[1]))
    PAGE.write_text(page(), encoding="utf-8")
    import compatibility  # beside this file
    import error_tables
    import hub_tables

    compatibility.write(described_commands(loaded_commands()))
    error_tables.write()
    hub_tables.write()
