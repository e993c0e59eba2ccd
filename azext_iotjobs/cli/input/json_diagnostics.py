"""What is wrong with text that should be JSON, and how it is written in each shell.

Nothing is repaired and sent: a guess at what was meant is shown, for a person to type.
"""

import json
import re
from pathlib import Path
from typing import Any

from azext_iotjobs.cli.input.scalars import not_a_file, shown
from azext_iotjobs.cli.input.strict_json import parse_json
from azext_iotjobs.model.errors import BadValue

CURLY = re.compile("[“”„‟″«»]")  # what word processors and chats make of plain quotes
CURLY_SINGLE = re.compile("[‘’‚‛′]")
EXAMPLE = {"key": "value"}
MAX_PATH = 4096  # characters
MAX_SHOWN = 200  # characters of a guess; longer ones are better kept in a file
FILE_NAME = re.compile(r"""[^{}\[\]"'=]*(?:[\\/][^{}\[\]"'=]*|\.[A-Za-z]\w{0,9})""")
BETWEEN = re.compile(r"([{}\[\],:])")
WORD = re.compile(r"[\w.-]+")


def explained(text: str, option: str, error: ValueError) -> BadValue:
    """The error for `text`, which is neither JSON nor anything else that the option takes.

    error: what the JSON parser said of it.
    """
    bare = text.strip()
    inside = bare[1:-1].strip() if len(bare) > 1 and bare[0] == bare[-1] == "'" else bare
    if not bare:
        return BadValue(f"{option} is empty.", hint="Give JSON, null for nothing, @file, or key=value.")
    for quotes in (CURLY, CURLY_SINGLE):
        if quotes.search(bare) and '"' not in bare:
            return _wrong(text, option, "has typographic quotes; JSON takes plain ones", _parsed(quotes.sub('"', bare)))
    if len(bare) <= MAX_PATH and FILE_NAME.fullmatch(bare):
        return no_file(bare, option)
    if inside.startswith(("{", "[")):
        return _like_json(text, inside, option, error)
    guess = bare if WORD.fullmatch(bare) else None
    return _wrong(text, option, f"is not JSON ({error}); text stands between double quotes", guess)


def no_file(path: str, option: str) -> BadValue:
    """The error for a file that is not there."""
    return BadValue(
        f"{option}: {not_a_file(path)}",
        hint=f"Relative paths begin in {Path.cwd()}. Text as a JSON value stands between double quotes.",
    )


def _like_json(text: str, inside: str, option: str, error: ValueError) -> BadValue:
    if '"' not in inside and "'" not in inside:
        return _wrong(text, option, "has no quotes: the shell has eaten them", _quoted(inside))
    if '"' not in inside:
        return _wrong(text, option, "has single quotes; JSON takes double ones", _parsed(inside.replace("'", '"')))
    if '\\"' in inside and (guess := _parsed(inside.replace('\\"', '"'))) is not None:
        return _wrong(text, option, "has backslashes before its quotes, which this shell does not take away", guess)
    if inside != text.strip():
        return _wrong(text, option, "came with single quotes around it: cmd does not take them away", _parsed(inside))
    return _wrong(text, option, f"is not JSON ({error})", None)


def _wrong(text: str, option: str, what: str, guess: Any) -> BadValue:
    return BadValue(f"{option}: {shown(text)} {what}.", hint=_forms(option, EXAMPLE if guess is None else guess))


def _forms(option: str, value: Any) -> str:
    """How a JSON value is typed in each shell."""
    plain = json.dumps(value, ensure_ascii=False)
    if len(plain) > MAX_SHOWN or not plain.isprintable():
        plain = json.dumps(EXAMPLE)
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', plain)
    in_bash, in_powershell = plain.replace("'", "'\\''"), escaped.replace("'", "''")
    lines = (
        ("bash, zsh", f"{option} '{in_bash}'"),
        # On Windows az is a batch file, to which every PowerShell passes quotes in the old way; elsewhere 7.3 and later
        # keep them, about_Preference_Variables "PSNativeCommandArgumentPassing".
        ("PowerShell on Windows, or before 7.3", f"{option} '{in_powershell}'"),
        ("PowerShell 7.3 or later elsewhere", f"{option} '{plain.replace(chr(39), chr(39) * 2)}'"),
        ("cmd", f'{option} "{escaped}"'),
        ("any shell, from a file", f'{option} "@payload.json"'),
        ("any shell, as pairs", f"{option} key=value other.key=5"),
    )
    width = max(len(shell) for shell, _ in lines) + 1
    return "\n".join(["Write it so:", *(f"  {shell + ':':<{width}} {form}" for shell, form in lines)])


def _parsed(text: str) -> Any:
    """The value of a repaired text, None when it is still no JSON."""
    try:
        return parse_json(text)
    except ValueError:
        return None


def _quoted(text: str) -> Any:
    """The value of a text whose quotes are gone, as far as one can tell; None when one cannot."""
    pieces = [piece.strip() for piece in BETWEEN.split(text)]
    return _parsed("".join(piece if _is_whole(piece) else json.dumps(piece) for piece in pieces))


def _is_whole(piece: str) -> bool:
    return not piece or BETWEEN.fullmatch(piece) is not None or _parsed(piece) is not None or piece == "null"
