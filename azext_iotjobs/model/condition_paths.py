"""Which members of a twin a condition names: the paths in it, such as properties.reported.firmware.version. Pure."""

from collections.abc import Sequence

from azext_iotjobs.model.condition import ROOTS
from azext_iotjobs.model.condition_tokens import NOTHING, Token, tokens_of

Path = tuple[str, ...]  # the names in it, without the brackets of [[name]]
ALIAS = "devices"  # may stand before a path
IDS = ("deviceid", "moduleid")  # whose values are known without looking


def named_paths(condition: str) -> tuple[Path, ...]:
    """The paths in a condition, each once, in their order; what every row shows anyway, ids, is left out."""
    tokens = tokens_of(condition)
    found: dict[Path, None] = {}
    number = 0
    while number < len(tokens):
        path, number = _path_from(tokens, number)
        if path and path[0].lower() in ROOTS and path[0].lower() not in IDS:
            found[path] = None
    return tuple(found)


def _path_from(tokens: Sequence[Token], number: int) -> tuple[Path, int]:
    """The path that begins with a token, and the number of the token behind it; (): none begins there."""
    names: list[str] = []
    while number < len(tokens) and tokens[number].kind in ("name", "escaped"):
        names.append(_name(tokens[number]))
        following = tokens[number + 1] if number + 1 < len(tokens) else NOTHING
        if following.text != ".":
            if following.text == "(":  # a function's name
                names.clear()
            break
        number += 2
    if len(names) > 1 and names[0].lower() == ALIAS:
        del names[0]
    return tuple(names), number + 1


def _name(token: Token) -> str:
    return token.text[2:-2].strip() if token.kind == "escaped" else token.text
