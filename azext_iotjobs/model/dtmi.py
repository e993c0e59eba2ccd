"""What the id of a model, a DTMI, looks like. Pure.

Source: Digital Twin Modeling Identifier, "formal ABNF"; its longest length.
"""

import re

from azext_iotjobs.model.errors import BadValue

MAX_CHARACTERS = 4096
MAX_SHOWN = 100
_SEGMENT = r"[A-Za-z_][A-Za-z0-9_]*(?<!_)"
_DTMI = re.compile(rf"dtmi:{_SEGMENT}(?::{_SEGMENT})*(?:;[1-9][0-9]{{0,8}}(?:\.[1-9][0-9]{{0,5}})?)?")


def check_dtmi(text: str, option: str) -> None:
    """Raise BadValue for a text that is not a DTMI. option: where it was given, for the error."""
    if len(text) > MAX_CHARACTERS:
        raise BadValue(f"{option} has {len(text)} characters; a DTMI has at most {MAX_CHARACTERS}.")
    if not _DTMI.fullmatch(text):
        raise BadValue(
            f"{option} {text[:MAX_SHOWN]!r} is not a DTMI: dtmi, then names after colons, then a version, such as "
            "dtmi:com:example:Thermostat;1.",
            hint="Names hold ASCII letters, digits and _, begin with no digit and do not end with _. A shell ends the "
            "command at the semicolon unless the DTMI is quoted.",
        )
