"""Results on stdout: text that a terminal shows and does not obey, in characters that stdout has, lost in no format.

az prints text as it is in tables and tsv, and JSON escapes only half of what steers a terminal. Where one character
cannot be encoded, az drops all that are not ASCII from the whole result. What is changed here is the finished text.
JSON and YAML keep their value: what is escaped here, every parser reads back. In tables and tsv a control character
becomes its picture, of the same width, and what has no picture its escape; tabs and line ends stay, since scripts rely
on them.
"""

import re
import sys
from collections.abc import Callable
from typing import Any

from knack.events import EVENT_INVOKER_FILTER_RESULT
from knack.util import CommandResultItem

from azext_iotjobs.cli.output.characters import (
    CONTROLS,
    DIRECTION_MARKS,
    LONE_SURROGATES,
    encodable,
    python_escape,
)
from azext_iotjobs.cli.output.json_output import is_many_rows, many_rows
from azext_iotjobs.cli.output.streams import give_up_result, wrote

DELETE = 0x7F
# Not compiled here: a command needs one of them at most.
_IN_JSON = f"[\x7f-\x9f{DIRECTION_MARKS}{LONE_SURROGATES}]"
_IN_TEXT = f"[{CONTROLS}{DIRECTION_MARKS}{LONE_SURROGATES}]"
JSON_FORMATS = ("json", "jsonc")
YAML_FORMATS = ("yaml", "yamlc")
TEXT_FORMATS = ("table", "tsv")
UTF_8 = "utf-8"


def keep_terminals_safe(cli_ctx: Any) -> None:
    """Have az print this command's results without raw control characters, whatever the format."""
    plain_formatter, plain_out = cli_ctx.output.get_formatter, cli_ctx.output.out

    def out(item: Any, formatter: Any = None, out_file: Any = None) -> None:
        """A result whose reader has left is not a failure of the command, nor of what it did; a lost result is."""
        file = cli_ctx.out_file if out_file is None else out_file
        try:
            plain_out(item, formatter=formatter, out_file=file)
            file.flush()
        except OSError as err:
            give_up_result(file, err)

    def get_formatter(format_type: str) -> Callable[[Any], str]:
        formatter = plain_formatter(format_type)
        return lambda item: _formatted(item, formatter, format_type, cli_ctx)

    cli_ctx.output.get_formatter = get_formatter
    cli_ctx.output.out = out


def harmless(text: str, format_type: str, encoding: str = UTF_8) -> str:
    """A result's finished text without raw control characters, and with nothing that `encoding` does not have.

    format_type: az's --output.
    """
    if format_type in JSON_FORMATS:  # below 0x20 it has escaped all itself; what is there now is color
        text = re.sub(_IN_JSON, lambda found: f"\\u{ord(found[0]):04x}", text)
        return encodable(text, encoding, _json_escape)
    if format_type in TEXT_FORMATS:
        return encodable(re.sub(_IN_TEXT, _picture, text), encoding)
    return text


def print_text(text: str) -> None:
    """Print a text of ours on stdout, with what stdout's encoding does not have escaped."""
    wrote(sys.stdout, encodable(text, encoding_of(sys.stdout)) + "\n")


def encoding_of(file: Any) -> str:
    """How a file's text is encoded."""
    return getattr(file, "encoding", None) or UTF_8


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
    cli.output.out(item, formatter=formatter, out_file=cli.out_file)  # at once: whoever reads a pipe waits for it


def _formatted(item: Any, formatter: Callable[[Any], str], format_type: str, cli_ctx: Any) -> str:
    encoding = encoding_of(cli_ctx.out_file)
    text = many_rows(item.result) if format_type == "json" and is_many_rows(item.result) else formatter(item)
    if format_type not in YAML_FORMATS:
        return harmless(text, format_type, encoding)
    from azext_iotjobs.cli.output.yaml_output import is_safe, safe_yaml

    if is_safe(text, encoding):
        return text
    return safe_yaml(item.result, encoding, has_color=format_type == "yamlc" and cli_ctx.enable_color)


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if 0xD800 <= code < 0xE000:
        return python_escape(found[0])
    return "\u2421" if code == DELETE else "\ufffd"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
