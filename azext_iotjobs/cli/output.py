"""Results on stdout: no control characters of devices reach a terminal, and some are printed before the command ends.

az prints text as it is in tables and tsv, and JSON escapes only half of what steers a terminal. What is changed here
is the finished text. JSON keeps its value: what is escaped here, every parser reads back. In tables and tsv a control
character becomes its picture, of the same width; tabs and line ends stay, since scripts rely on them. YAML escapes by
itself.
"""

import re
from collections.abc import Callable
from typing import Any

from knack.events import EVENT_INVOKER_FILTER_RESULT
from knack.util import CommandResultItem

DELETE = 0x7F
BIDI = "\u202a-\u202e\u2066-\u2069"  # these turn the direction of what stands behind them
# Not compiled here: a command needs one of them at most.
_IN_JSON = f"[\x7f-\x9f{BIDI}]"
_IN_TEXT = f"[\x00-\x08\x0b-\x1f\x7f-\x9f{BIDI}]"
JSON_FORMATS = ("json", "jsonc")
TEXT_FORMATS = ("table", "tsv")


def keep_terminals_safe(cli_ctx: Any) -> None:
    """Have az print this command's results without raw control characters, whatever the format."""
    plain_formatter = cli_ctx.output.get_formatter

    def get_formatter(format_type: str) -> Callable[[Any], str]:
        formatter = plain_formatter(format_type)
        return lambda item: harmless(formatter(item), format_type)

    cli_ctx.output.get_formatter = get_formatter


def harmless(text: str, format_type: str) -> str:
    """A result's finished text without raw control characters; `format_type` is az's --output."""
    if format_type in JSON_FORMATS:  # below 0x20 it has escaped all itself; what is there now is color
        return re.sub(_IN_JSON, lambda found: f"\\u{ord(found[0]):04x}", text)
    return re.sub(_IN_TEXT, _picture, text) if format_type in TEXT_FORMATS else text


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == DELETE else "\ufffd"


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
