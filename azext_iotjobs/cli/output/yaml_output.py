"""A result as YAML in which every text is quoted that holds what must not reach a terminal, or cannot be encoded.

az writes such texts bare, where an escape would be read as it stands. Between double quotes it is one.
"""

import json
import re
from typing import Any

import yaml

from azext_iotjobs.cli.output.characters import CONTROLS, DIRECTION_MARKS, LONE_SURROGATES, encodable

UNSAFE = f"[{CONTROLS}\u2028\u2029{DIRECTION_MARKS}{LONE_SURROGATES}]"
COLOR = "\x1b[\\[][0-9;]*m"  # what az puts around words; a device's own escape character is never raw in YAML


def is_safe(text: str, encoding: str) -> bool:
    """Whether YAML that az has written may be printed as it is."""
    return re.search(UNSAFE, re.sub(COLOR, "", text)) is None and encodable(text, encoding) == text


def safe_yaml(result: Any, encoding: str, *, has_color: bool) -> str:
    """The result as az would write it, but for the texts that need quotes and escapes."""

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        """Of this result alone."""

    def represent(dumper: Dumper, text: str) -> yaml.ScalarNode:
        is_bare = re.search(UNSAFE, text) is None and encodable(text, encoding) == text
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_bare else '"')

    Dumper.add_representer(str, represent)
    plain = json.loads(json.dumps(result))  # --query gives mappings that YAML does not know
    text = yaml.dump(plain, Dumper=Dumper, default_flow_style=False, allow_unicode=True)
    text = encodable(re.sub(UNSAFE, lambda found: _escape(found[0]), text), encoding, _escape)
    return _colored(text) if has_color else text


def _colored(text: str) -> str:
    from pygments import highlight
    from pygments.formatters import TerminalFormatter
    from pygments.lexers import YamlLexer

    return str(highlight(text, YamlLexer(), TerminalFormatter()))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
