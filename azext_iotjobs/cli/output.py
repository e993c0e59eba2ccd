"""Print a result while the command goes on; az itself prints only what a handler returns at its end."""

from typing import Any

from knack.events import EVENT_INVOKER_FILTER_RESULT
from knack.util import CommandResultItem


def print_now(cmd: Any, document: Any) -> None:
    """Print `document` on stdout as az would: --output and --query apply."""
    cli = cmd.cli_ctx
    event = {"result": document}
    cli.raise_event(EVENT_INVOKER_FILTER_RESULT, event_data=event)  # --query
    formatter = cli.output.get_formatter(cli.invocation.data["output"])
    item = CommandResultItem(event["result"], is_query_active=cli.invocation.data["query_active"])
    cli.output.out(item, formatter=formatter, out_file=cli.out_file)
    cli.out_file.flush()  # whoever reads a pipe waits for it
