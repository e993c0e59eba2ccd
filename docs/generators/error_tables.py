"""Write the tables of docs/reference/errors.md from the tables that errors are made of.

`make docs` calls this; a test keeps the page equal to what it produces. What is not made stays as it was written.
"""

import re
from pathlib import Path

from azext_iotjobs.cli.errors import AZ_CLASSES
from azext_iotjobs.cli.output.hints import Typed, note, spelled
from azext_iotjobs.clients.access import ACCESS, ACTION_PREFIX, Throttle
from azext_iotjobs.clients.advice import BY_CODE
from azext_iotjobs.transport.trust import CERTIFICATE_FAULTS

PAGE = Path(__file__).parents[1] / "reference" / "errors.md"


def page(written: str) -> str:
    """The page with its made parts made anew."""
    for name, make in MADE_PARTS.items():
        part = rf"(?<=<!-- made: {name} -->\n).*?(?=<!-- end -->)"
        written, count = re.subn(part, make().replace("\\", r"\\"), written, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{PAGE.name} must have one part that is marked as made: {name}")
    return written


def _codes() -> str:
    rows = (f"| {code} | {_shown(hint)} |\n" for code, hint in BY_CODE.items())
    return "| code | what to do |\n|---|---|\n" + "".join(rows)


def _shown(text: str) -> str:
    """A text on one line, as the command shows it that calls a method."""
    note(Typed(command="iot hub invoke-device-method"))
    line = spelled(text).replace("\n", " ")
    note(Typed())
    return line


def _access() -> str:
    rows = [
        f"| `{each.method.replace('|', ' ')}` | `{_path(each.path)}` | {' and '.join(each.rights)} | "
        f"{', '.join(each.policies())} | {_action(each.action)} | {', '.join(each.roles()) or '–'} |\n"
        for each in ACCESS
    ]
    return "| verb | path | right | policies | data action | roles |\n|---|---|---|---|---|---|\n" + "".join(rows)


def _limits() -> str:
    throttles: list[Throttle] = list(dict.fromkeys(each.throttle for each in ACCESS if each.throttle is not None))
    return "| of | limit |\n|---|---|\n" + "".join(f"| {each.what} | {each.limit} |\n" for each in throttles)


def _certificates() -> str:
    rows = [f"| {fault} | {_shown(hint)} |\n" for fault, hint in dict.fromkeys(CERTIFICATE_FAULTS.values())]
    return "| the hub's certificate | what to do |\n|---|---|\n" + "".join(rows)


def _classes() -> str:
    rows = [
        f"| {(kind.__doc__ or '').splitlines()[0]} | `{kind.code}` | {az_class.__name__} |\n"
        for kind, az_class in AZ_CLASSES
    ]
    return "| what | our code | az's class |\n|---|---|---|\n" + "".join(rows)


def _path(pattern: str) -> str:
    return pattern.replace("[^/]+", "{id}").replace("(/.*)?", "").replace(".+", "…").replace(".*", "…")


def _action(action: str | None) -> str:
    return "–" if action is None else f"`{action.removeprefix(ACTION_PREFIX)}`"


MADE_PARTS = {
    "codes": _codes,
    "access": _access,
    "limits": _limits,
    "certificates": _certificates,
    "classes": _classes,
}


def write() -> None:
    """Bring the page up to date."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
