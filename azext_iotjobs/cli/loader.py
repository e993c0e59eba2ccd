"""What az asks for: the command table and the arguments of the command that was typed."""

from typing import Any

from azure.cli.core import AzCommandsLoader


class IotJobsCommandsLoader(AzCommandsLoader):
    """Hands az the table of strings first, and a command's arguments only when that command was typed."""

    # az's command index remembers an extension by the module that its loader says it comes from, and later imports
    # just that module: it must be the package's own name.
    __module__ = "azext_iotjobs"

    def load_command_table(self, args: Any) -> Any:
        from azext_iotjobs.cli import commands, help  # noqa: F401 - importing help fills knack's table of help texts

        commands.load_command_table(self)
        return self.command_table

    def load_arguments(self, command: str) -> None:
        from azext_iotjobs.cli import params

        params.load_arguments(self, command)
        if command in params.OPTIONS:
            from azext_iotjobs.cli.output import keep_terminals_safe

            keep_terminals_safe(self.cli_ctx)
