"""What az asks for: the command table and the arguments of the command that was typed."""

from typing import Any

from azure.cli.core import AzCommandsLoader


class IotJobsCommandsLoader(AzCommandsLoader):  # type: ignore[misc]
    """Hands az the table of strings first, and a command's arguments only when that command was typed."""

    # az's command index remembers an extension by the module that its loader says it comes from, and later imports
    # just that module: it must be the package's own name.
    __module__ = "azext_iotjobs"

    def load_command_table(self, args: Any) -> Any:
        from azext_iotjobs.cli import commands
        from azext_iotjobs.cli.output import terminals

        terminals.heed_no_color(self.cli_ctx)
        commands.load_command_table(self, args or ())
        # Who loads everything, such as a linter or a program that writes documents, reads knack's table by itself.
        readers = getattr(getattr(self.cli_ctx.invocation, "help", None), "versioned_loaders", None)
        if args and readers is not None:
            readers["iotjobs"] = HelpOnDemand()
        else:
            from azext_iotjobs.cli import help

            help.load_every()
        return self.command_table

    def load_arguments(self, command: str) -> None:
        from azext_iotjobs.cli.commands import all_commands, options_of
        from azext_iotjobs.cli.input.options import register

        options = options_of(command)
        wanted = [command] if options else [words for words, _, _ in all_commands()]  # az may want everything
        for words in wanted:
            with self.argument_context(words) as context:
                register(context, options or options_of(words))
        if options:
            from azext_iotjobs.cli.output import terminals
            from azext_iotjobs.cli.output.streams import open_what_is_closed
            from azext_iotjobs.cli.output.terminal_safe import keep_terminals_safe

            open_what_is_closed(self.cli_ctx)
            keep_terminals_safe(self.cli_ctx)
            terminals.fit_messages()


class HelpOnDemand:
    """One of the readers that az asks, by version, for each text of help that it shows, examples in errors included.

    It only sees to it that our texts are where the next one looks, the reader of knack's table: most commands end
    without that.
    """

    version = -1  # knack's table is 0

    def versioned_load(self, shown: Any, _parser: Any) -> None:
        """Called before each text is put together, a list's summaries too; `shown` has the words that it is of."""
        from azext_iotjobs.cli import help

        is_listed = type(shown).__name__ == "CliHelpFile"  # a command in the list of a group
        (help.load_summary_of if is_listed else help.load_of)(shown.command)

    def get_noun_help_file_names(self, _nouns: Any) -> list[str]:
        """No files of ours."""
        return []

    def update_file_contents(self, _contents: Any) -> None:
        """No files of ours."""
