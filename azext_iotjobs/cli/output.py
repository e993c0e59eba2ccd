"""What is printed: a result while the command goes on (az itself prints only what a handler returns at its end), and no
control characters in a table."""

from typing import Any

from knack.events import EVENT_INVOKER_FILTER_RESULT, EVENT_INVOKER_POST_PARSE_ARGS
from knack.util import CommandResultItem


def print_now(cmd: Any, document: Any) -> None:
    """Print `document` on stdout as az would: --output and --query apply."""
    cli = cmd.cli_ctx
    event = {"result": document}
    cli.raise_event(EVENT_INVOKER_FILTER_RESULT, event_data=event)  # --query
    formatter = cli.output.get_formatter(cli.invocation.data["output"])
    item = CommandResultItem(
        event["result"],
        table_transformer=cmd.table_transformer,
        is_query_active=cli.invocation.data["query_active"],
    )
    cli.output.out(item, formatter=formatter, out_file=cli.out_file)
    cli.out_file.flush()  # whoever reads a pipe waits for it


def keep_tables_printable(cli: Any) -> None:
    """Have what --query picks made fit for a terminal when the command that was typed prints a table.

    Without --query the views of tables.py see to that. JSON escapes control characters by itself; tsv is for programs.
    """

    def after_parsing(cli: Any, **_: Any) -> None:
        if cli.invocation.data["output"] == "table" and cli.invocation.data["query_active"]:
            cli.register_event(EVENT_INVOKER_FILTER_RESULT, _make_printable)  # behind --query, which is there already

    cli.register_event(EVENT_INVOKER_POST_PARSE_ARGS, after_parsing)


def _make_printable(_cli: Any, **kwargs: Any) -> None:
    from azext_iotjobs.cli.tables import printable

    kwargs["event_data"]["result"] = printable(kwargs["event_data"]["result"])
