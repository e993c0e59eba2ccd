"""Other forms of a JSON value: files, standard input, key=value pairs, Python's notation; and errors for the rest."""

from typing import Any

from azext_iotjobs.cli.input import json_diagnostics, key_value_json, stdin
from azext_iotjobs.cli.input.python_literal import parse_dict_notation
from azext_iotjobs.cli.input.scalars import existing_file, shown, text_of, text_of_file
from azext_iotjobs.cli.input.strict_json import NotAllowed, parse_json
from azext_iotjobs.model.errors import BadValue

STDIN = (stdin.MARK, "@-")


def value_of(words: list[str], option: str) -> Any:
    """The JSON value of the words behind an option. Raises BadValue when they have none of these forms."""
    if len(words) != 1:
        return _of_words(words, option)
    (text,) = words
    if text in STDIN:
        return _parsed(_stdin(option), option, "standard input")
    if text.startswith("@"):
        return _json_file(text[1:], option)
    try:
        return _read(text)
    except NotAllowed as err:
        raise BadValue(f"{option}: {shown(text)}: {err}.") from err
    except ValueError as err:
        if existing_file(text) is not None:
            return _json_file(text, option)
        if key_value_json.is_pair(text):
            return key_value_json.object_of(words, option)
        raise json_diagnostics.explained(text, option, err) from err


def _read(text: str) -> Any:
    try:
        return parse_json(text)
    except NotAllowed:
        raise
    except ValueError as err:
        try:
            return parse_dict_notation(text)
        except NotAllowed:
            raise
        except ValueError:
            raise err from None


def _of_words(words: list[str], option: str) -> Any:
    if not words:
        raise BadValue(f"{option} is empty.", hint="Give JSON, @file, or key=value.")
    if words[0].lstrip("'").startswith(("{", "[")):
        raise json_diagnostics.explained(
            " ".join(words), option, ValueError(f"the shell split it into {len(words)} words")
        )
    return key_value_json.object_of(words, option)


def _json_file(path: str, option: str) -> Any:
    if existing_file(path) is None:
        raise json_diagnostics.no_file(path, option)
    return _parsed(text_of_file(path, option), option, path)


def _parsed(text: str, option: str, source: str) -> Any:
    try:
        return _read(text)
    except ValueError as err:
        raise BadValue(f"{option}: {source} does not contain JSON: {err}.") from err


def _stdin(option: str) -> str:
    content = stdin.read(option)
    if not content.strip():
        raise BadValue(f"{option}: standard input is empty.")
    return text_of(content, option, "standard input")
