"""--set, --add and --remove on a JSON document, in the order in which they were typed.

The reading of paths and values is az's own, so that they mean here what they mean in every az command.
"""

import copy
from collections.abc import Mapping
from typing import Any

from azure.cli.core.commands.arm import add_properties, remove_properties, set_properties
from knack.util import CLIError

from azext_iotjobs.model.errors import BadValue

Edit = tuple[int, list[str]]  # (how manieth edit on the command line, its words)


def apply_edits(
    document: dict[str, Any], edits: Mapping[str, list[Edit] | None], *, keep_text: bool
) -> dict[str, Any]:  # fmt: skip
    """A copy of `document` with the edits carried out.

    edits: "set", "add" and "remove" -> what was typed there.  keep_text: values stay text (--force-string).
    Raises BadValue when a path does not exist or does not take the edit.
    """
    edited = copy.deepcopy(document)
    in_order = sorted(
        (number, verb, words) for verb, typed in edits.items() for number, words in typed or ()
    )  # fmt: skip
    for _, verb, words in in_order:
        try:
            _apply(edited, verb, words, keep_text)
        except (CLIError, ValueError, KeyError, TypeError, AttributeError, IndexError) as err:
            raise BadValue(
                f"--{verb} {' '.join(words)}: cannot be carried out ({err}).",
                hint="Paths are written like properties.desired.key; look at the document with the show command.",
            ) from err
    return edited


def check_edits(edits: Mapping[str, list[Edit] | None]) -> None:
    """Raise BadValue for an edit that no document takes: before one is fetched."""
    for _, words in edits.get("set") or ():
        for word in words:
            if "=" not in word:
                raise BadValue(f"--set {word}: give path=value.", hint="For example: --set properties.desired.fan=5")


def merge_patch(before: Any, after: Any) -> dict[str, Any]:
    """The JSON merge patch (RFC 7396) that turns one object into another; {} when they are equal."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := merge_patch(old, value):
                patch[key] = inner
        elif key not in before or value != old or type(value) is not type(old):  # 1 == True in Python, not in JSON
            patch[key] = value
    return patch


def _apply(document: dict[str, Any], verb: str, words: list[str], keep_text: bool) -> None:
    if verb == "set":
        for word in words:
            set_properties(document, word, keep_text)
    elif verb == "add":
        add_properties(document, words, keep_text)
    else:
        remove_properties(document, words)
