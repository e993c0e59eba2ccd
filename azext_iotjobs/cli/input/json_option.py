"""Options that take JSON: inline, in a file, from standard input, or as typed pairs.

az itself puts a file's text in the place of @file before a command begins; what is read here is what az left alone, so
that both ways mean the same, and so does a file's bare path.
"""

from collections.abc import Sequence
from typing import Any

from azext_iotjobs.cli.input.scalars import MAX_FILE_BYTES, shown
from azext_iotjobs.cli.input.strict_json import NotAllowed, parse_json
from azext_iotjobs.model.errors import BadValue

Given = str | Sequence[str]  # one word, or the words that stand behind an option


def json_or_file(given: Given, option: str) -> Any:
    """The JSON value that an option gives.

    given: what was typed: JSON, @file, a file's path, - for standard input, or pairs like `a.b=5 c=text`.
    option: its name, for the error.
    Raises BadValue when it is none of these, or not what may be sent.
    """
    words = _words(given)
    longest = max(map(len, words), default=0)
    if longest > MAX_FILE_BYTES:
        raise BadValue(f"{option} has {longest} characters; {MAX_FILE_BYTES} are taken.")
    try:
        (text,) = words
        return parse_json(text)
    except NotAllowed as err:
        raise BadValue(f"{option}: {shown(text)}: {err}.") from err
    except ValueError:
        from azext_iotjobs.cli.input.json_forms import value_of  # here, so that plain JSON starts quickly

        return value_of(words, option)


def json_object_or_file(given: Given, option: str) -> dict[str, Any]:
    """Like `json_or_file`, for options that take a JSON object and nothing else."""
    value = json_or_file(given, option)
    if not isinstance(value, dict):
        raise BadValue(
            f"{option}: {shown(' '.join(_words(given)))} is JSON, but not an object.",
            hint='Give an object: {"key": "value"}.',
        )
    return value


def _words(given: Given) -> list[str]:
    return [given] if isinstance(given, str) else list(given)
