"""What is wrong with text that should be JSON, and how to write it in each shell.

Nothing is repaired and sent: the error shows a guess at the intended value, for a person to type.
"""

import json
import re
from pathlib import Path
from typing import Any

from azext_iotjobs.cli.input.scalars import not_a_file, shown
from azext_iotjobs.cli.input.strict_json import parse_json
from azext_iotjobs.model.errors import BadValue

CURLY = re.compile("[“”„‟″«»]")  # as word processors and chat programs write quotes
CURLY_SINGLE = re.compile("[‘’‚‛′]")
EXAMPLE = {"key": "value"}
MAX_PATH = 4096  # characters
MAX_SHOWN = 200  # characters of a guess; longer values belong in a file
FILE_NAME = re.compile(r"""[^{}\[\]"'=]*(?:[\\/][^{}\[\]"'=]*|\.[A-Za-z]\w{0,9})""")
BETWEEN = re.compile(r"([{}\[\],:])")
WORD = re.compile(r"[\w.-]+")


def explained(text: str, option: str, error: ValueError) -> BadValue:
    """The error for a text that is neither JSON nor anything else that an option takes.

    option: its name.  error: of the JSON parser.
    """
    bare = text.strip()
    inside = bare[1:-1].strip() if len(bare) > 1 and bare[0] == bare[-1] == "'" else bare
    if not bare:
        return BadValue(f"{option} is empty.", hint="Give JSON, null for nothing, @file, or key=value.")
    for quotes in (CURLY, CURLY_SINGLE):
        if quotes.search(bare) and '"' not in bare:
            return _wrong(
                text, option, "has typographic quotes; JSON has straight ones", _parsed(quotes.sub('"', bare))
            )
    if len(bare) <= MAX_PATH and FILE_NAME.fullmatch(bare):
        return no_file(bare, option)
    if inside.startswith(("{", "[")):
        return _like_json(text, inside, option, error)
    guess = bare if WORD.fullmatch(bare) else None
    return _wrong(text, option, f"is not JSON ({error}); put text between double quotes", guess)


def no_file(path: str, option: str) -> BadValue:
    """The error for a file that does not exist."""
    return BadValue(
        f"{option}: {not_a_file(path)}",
        hint=f"Relative paths begin in {Path.cwd()}. A text as a JSON value needs double quotes around it.",
    )


def _like_json(text: str, inside: str, option: str, error: ValueError) -> BadValue:
    if '"' not in inside and "'" not in inside and WORD.search(inside):
        return _wrong(text, option, "has no quotes: the shell has removed them", _quoted(inside))
    if '"' not in inside and "'" in inside:
        return _wrong(text, option, "has single quotes; JSON has double ones", _parsed(inside.replace("'", '"')))
    if '\\"' in inside and (guess := _parsed(inside.replace('\\"', '"'))) is not None:
        return _wrong(text, option, "has backslashes before its quotes, which this shell does not remove", guess)
    if inside != text.strip():
        return _wrong(text, option, "has single quotes around it: cmd does not remove them", _parsed(inside))
    return _wrong(text, option, f"is not JSON ({error})", None)


def _wrong(text: str, option: str, what: str, guess: Any) -> BadValue:
    return BadValue(f"{option}: {shown(text)} {what}.", hint=_forms(option, EXAMPLE if guess is None else guess))


def _forms(option: str, value: Any) -> str:
    """How to type a JSON value in each shell."""
    plain = json.dumps(value, ensure_ascii=False)
    if len(plain) > MAX_SHOWN or not plain.isprintable():
        plain = json.dumps(EXAMPLE)
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', plain)
    in_bash, in_powershell = plain.replace("'", "'\\''"), escaped.replace("'", "''")
    lines = (
        ("bash, zsh", f"{option} '{in_bash}'"),
        # On Windows az is a batch file, to which every PowerShell passes quotes as versions before 7.3 did; elsewhere
        # 7.3 and later keep them. Source: about_Preference_Variables "PSNativeCommandArgumentPassing".
        ("PowerShell on Windows, or before 7.3", f"{option} '{in_powershell}'"),
        ("PowerShell 7.3 or later elsewhere", f"{option} '{plain.replace(chr(39), chr(39) * 2)}'"),
        ("cmd", f'{option} "{escaped}"'),
        ("any shell, from a file", f'{option} "@payload.json"'),
        ("any shell, as pairs", f"{option} key=value other.key=5"),
    )
    width = max(len(shell) for shell, _ in lines) + 1
    return "\n".join(["Write it like this:", *(f"  {shell + ':':<{width}} {form}" for shell, form in lines)])


def _parsed(text: str) -> Any:
    """The value of a repaired text; None when it still is not JSON."""
    try:
        return parse_json(text)
    except ValueError:
        return None


def _quoted(text: str) -> Any:
    """The probable value of a text whose quotes are gone; None when it cannot be guessed."""
    pieces = [piece.strip() for piece in BETWEEN.split(text)]
    return _parsed("".join(piece if _is_whole(piece) else json.dumps(piece) for piece in pieces))


def _is_whole(piece: str) -> bool:
    return not piece or BETWEEN.fullmatch(piece) is not None or _parsed(piece) is not None or piece == "null"
