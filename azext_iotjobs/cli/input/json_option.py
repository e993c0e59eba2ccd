"""Options that take JSON: inline, in a file, from standard input, or as key=value pairs.

az itself replaces @file by the file's content before a command begins. What it leaves alone is read here, so that both
work alike; so does the bare path of a file.
"""

from collections.abc import Sequence
from typing import Any

from azext_iotjobs.cli.input.scalars import MAX_FILE_BYTES, shown
from azext_iotjobs.cli.input.strict_json import NotAllowed, parse_json
from azext_iotjobs.model.errors import BadValue

Given = str | Sequence[str]  # one word, or all words behind an option


def json_or_file(given: Given, option: str) -> Any:
    """The JSON value of an option.

    given: as typed: JSON, @file, a file's path, - for standard input, or pairs such as `a.b=5 c=text`.
    option: its name, for errors.
    Raises BadValue for another text, and for a value that may not be sent.
    """
    words = _words(given)
    longest = max(map(len, words), default=0)
    if longest > MAX_FILE_BYTES:
        raise BadValue(f"{option} has {longest} characters; at most {MAX_FILE_BYTES} are allowed.")
    try:
        (text,) = words
        return parse_json(text)
    except NotAllowed as err:
        raise BadValue(f"{option}: {shown(text)}: {err}.") from err
    except ValueError:
        from azext_iotjobs.cli.input.json_forms import value_of  # here, so that plain JSON starts quickly

        return value_of(words, option)


def json_object_or_file(given: Given, option: str) -> dict[str, Any]:
    """As `json_or_file`, for options that take only a JSON object."""
    value = json_or_file(given, option)
    if not isinstance(value, dict):
        raise BadValue(
            f"{option}: {shown(' '.join(_words(given)))} is JSON, but not an object.",
            hint='Give an object: {"key": "value"}.',
        )
    return value


def _words(given: Given) -> list[str]:
    return [given] if isinstance(given, str) else list(given)
