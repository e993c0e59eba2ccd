"""Documents that are printed as they come, each at once: JSON, one a line where no person reads, YAML, or as az has it.

--query applies to each of them.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from knack.events import EVENT_INVOKER_FILTER_RESULT

from azext_iotjobs.cli.output.file_writing import check_link, is_file, open_new, open_there, write_all
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.cli.output.terminal_safe import YAML_FORMATS, encoding_of, print_now
from azext_iotjobs.model.errors import BadValue

INDENT = 4  # as the reference has it
OUTPUT_OPTIONS = ("--output", "-o")
FILE_OPTION = "--output-file"
LINE_ENDINGS = (".jsonl", ".ndjson", ".log", ".txt")  # of names of files of JSON lines
Show = Callable[[dict[str, Any]], bool]  # gives whether there is still someone who reads


def format_of(cmd: Any, default: str = "json") -> str:
    """az's --output; where nothing was typed, `default` in the place of az's json."""
    chosen = str(cmd.cli_ctx.invocation.data["output"])
    typed = set(cmd.cli_ctx.data.get("safe_params") or ()) & set(OUTPUT_OPTIONS)
    return default if chosen == "json" and not typed else chosen


def printer(cmd: Any, format_type: str) -> Show:
    """What prints a document on stdout.

    format_type: of az's --output. JSON is indented on a terminal, and one line elsewhere.
    """
    query = _Query(cmd.cli_ctx)
    if format_type == "json" or (format_type == "jsonc" and not sys.stdout.isatty()):
        indent = INDENT if sys.stdout.isatty() else None
        return lambda document: wrote(sys.stdout, json_text(query.of(document), indent) + "\n")
    if format_type in YAML_FORMATS:
        return lambda document: wrote(sys.stdout, f"---\n{_yaml(query.of(document))}")

    def print_document(document: dict[str, Any]) -> bool:
        query.renew()
        print_now(cmd, document)
        return True

    return print_document


def into_file(cmd: Any, file: "LinesFile") -> Show:
    """What writes a document into a file, as --query leaves it."""
    query = _Query(cmd.cli_ctx)
    return lambda document: file.show(query.of(document))


def json_text(document: Any, indent: int | None = None) -> str:
    """A document as JSON in ASCII: nothing that a device said reaches a terminal raw. indent: None: on one line."""
    return json.dumps(document, indent=indent)


class LinesFile:
    """A file that gets a JSON document a line, behind what is in it; each line is written at once."""

    def __init__(self, path: str) -> None:
        """Open it. Raises BadValue where that is not possible, or its name is one of another form."""
        ending = os.path.splitext(path)[1]
        if not path or path == "-":
            raise BadValue(f"{FILE_OPTION} {path}: name a file; without it, documents go to stdout.")
        if ending and ending.lower() not in LINE_ENDINGS and (is_file(path) or not os.path.exists(path)):
            raise BadValue(
                f"{FILE_OPTION} {path}: JSON lines are written, whose file does not end in {ending}.",
                hint=f"Give a name that ends in {' or '.join(LINE_ENDINGS)}, or has no ending.",
            )
        check_link(path, FILE_OPTION)
        self._path = path
        try:
            self._file = self._opened()
        except OSError as err:
            raise self._unwritable(err) from err

    def show(self, document: Any) -> bool:
        """Write a document. Raises BadValue where that fails."""
        try:
            write_all(self._file, json_text(document).encode() + b"\n")
        except OSError as err:
            raise self._unwritable(err) from err
        return True

    def close(self) -> None:
        """Nothing more is written."""
        os.close(self._file)

    def _opened(self) -> int:
        try:
            return open_new(self._path)
        except FileExistsError:
            return open_there(self._path, FILE_OPTION, os.O_APPEND)

    def _unwritable(self, err: OSError) -> BadValue:
        return BadValue(f"{FILE_OPTION} {self._path} cannot be written: {err.strerror}.")


class _Query:
    """What --query does to a result, for many of them: az forgets it after the first."""

    def __init__(self, cli_ctx: Any) -> None:
        self._cli_ctx = cli_ctx
        self._filters = list(cli_ctx._event_handlers[EVENT_INVOKER_FILTER_RESULT])
        for each in self._filters:
            cli_ctx.unregister_event(EVENT_INVOKER_FILTER_RESULT, each)

    def renew(self) -> None:
        """Have az apply it to the next result."""
        for each in self._filters:
            self._cli_ctx.register_event(EVENT_INVOKER_FILTER_RESULT, each)

    def of(self, document: dict[str, Any]) -> Any:
        """What is left of a document."""
        self.renew()
        event = {"result": document}
        self._cli_ctx.raise_event(EVENT_INVOKER_FILTER_RESULT, event_data=event)
        return event["result"]


def _yaml(document: Any) -> str:
    from azext_iotjobs.cli.output.yaml_output import safe_yaml

    return safe_yaml(document, encoding_of(sys.stdout), has_color=False)
