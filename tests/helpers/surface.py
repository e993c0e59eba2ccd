"""The options of our commands as az has them after loading: asked of az's own machinery, in this process."""

import os
import tempfile
from functools import cache
from typing import Any

# az's own additions to every command.
OF_AZ = {"cmd", "_subscription"}


@cache
def our_arguments() -> dict[str, dict[str, dict[str, Any]]]:
    """command -> dest -> {options, required, default, choices}."""
    with tempfile.TemporaryDirectory() as folder:
        before = dict(os.environ)
        os.environ.update(AZURE_CONFIG_DIR=folder, AZURE_EXTENSION_DIR=folder)
        try:
            return _load()
        finally:
            os.environ.clear()
            os.environ.update(before)


def _load() -> dict[str, dict[str, dict[str, Any]]]:
    from azure.cli.core.mock import DummyCli

    from azext_iotjobs import COMMAND_LOADER_CLS

    cli = DummyCli()
    loader = COMMAND_LOADER_CLS(cli_ctx=cli)
    cli.invocation = cli.invocation_cls(
        cli_ctx=cli, parser_cls=cli.parser_cls, commands_loader_cls=cli.commands_loader_cls, help_cls=cli.help_cls
    )
    cli.invocation.commands_loader = loader
    loader.skip_applicability = True  # every command's options, not only those of one that was typed
    table = loader.load_command_table([])
    for name, command in table.items():
        loader.command_name = name
        command.load_arguments()
        loader.load_arguments(name)
    loader._update_command_definitions()
    return {
        name: {
            dest: _described(argument.type.settings)
            for dest, argument in command.arguments.items()
            if dest not in OF_AZ and argument.type.settings.get("options_list")
        }
        for name, command in table.items()
    }


def _described(settings: dict[str, Any]) -> dict[str, Any]:
    choices = settings.get("choices")
    return {
        "options": sorted(str(option) for option in settings["options_list"]),
        "required": bool(settings.get("required")),
        "default": settings.get("default"),
        "choices": sorted(choices) if choices else None,
    }
