"""Options that take JSON: inline, in a file, from standard input, or as typed pairs.

az itself puts a file's text in the place of @file before a command begins; what is read here is what az left alone, so
that both ways mean the same, and so does a file's bare path.
"""

from collections.abc import Sequence
from typing import Any

from azext_iotjobs.cli import json_mistakes, json_pairs, stdin
from azext_iotjobs.cli.json_dict import parse_dict_notation
from azext_iotjobs.cli.json_parsing import NotAllowed, parse_json
from azext_iotjobs.cli.values import MAX_FILE_BYTES, existing_file, shown, text_of, text_of_file
from azext_iotjobs.model.errors import BadValue

STDIN = (stdin.MARK, "@-")

Given = str | Sequence[str]  # one word, or the words that stand behind an option


def json_or_file(given: Given, option: str) -> Any:
    """The JSON value that an option gives.

    given: what was typed: JSON, @file, a file's path, - for standard input, or pairs like `a.b=5 c=text`.
    option: its name, for the error.
    Raises BadValue when it is none of these, or not what may be sent.
    """
    words = _words(given)
    if len(words) != 1:
        return _of_words(words, option)
    (text,) = words
    if text in STDIN:
        return _parsed(_stdin(option), option, "standard input")
    if text.startswith("@"):
        return _json_file(text[1:], option)
    if len(text) > MAX_FILE_BYTES:
        raise BadValue(f"{option} has {len(text)} characters; {MAX_FILE_BYTES} are taken.")
    try:
        return _read(text)
    except NotAllowed as err:
        raise BadValue(f"{option}: {shown(text)}: {err}.") from err
    except ValueError as err:
        if existing_file(text) is not None:
            return _json_file(text, option)
        if json_pairs.is_pair(text):
            return json_pairs.object_of(words, option)
        raise json_mistakes.explained(text, option, err) from err


def json_object_or_file(given: Given, option: str) -> dict[str, Any]:
    """Like `json_or_file`, for options that take a JSON object and nothing else."""
    value = json_or_file(given, option)
    if not isinstance(value, dict):
        raise BadValue(
            f"{option}: {shown(' '.join(_words(given)))} is JSON, but not an object.",
            hint='Give an object: {"key": "value"}.',
        )
    return value


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


def _words(given: Given) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _of_words(words: list[str], option: str) -> Any:
    if not words:
        raise BadValue(f"{option} is empty.", hint="Give JSON, @file, or key=value.")
    if words[0].lstrip("'").startswith(("{", "[")):
        raise json_mistakes.explained(" ".join(words), option, ValueError(f"it came as {len(words)} words"))
    return json_pairs.object_of(words, option)


def _json_file(path: str, option: str) -> Any:
    if existing_file(path) is None:
        raise json_mistakes.no_file(path, option)
    return _parsed(text_of_file(path, option), option, path)


def _parsed(text: str, option: str, source: str) -> Any:
    try:
        return _read(text)
    except ValueError as err:
        raise BadValue(f"{option}: {source} does not hold JSON: {err}.") from err


def _stdin(option: str) -> str:
    content = stdin.read(option)
    if not content.strip():
        raise BadValue(f"{option}: standard input is empty.")
    return text_of(content, option, "standard input")
