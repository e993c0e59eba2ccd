"""Which pictures there are, and how their files are made: NAME-light.svg and NAME-dark.svg, the same each time."""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pictures import architecture, curves, performance, states
from pictures.palette import PALETTES, Palette
from pictures.sessions import SESSIONS
from pictures.terminal import SessionFailed
from pictures.window import window
from pictures.workspace import Workspace

FOLDER = Path(__file__).parents[2] / "pictures"
Draw = Callable[[Palette], str]
DIAGRAMS: Mapping[str, Draw] = {
    "states": states.picture,
    "architecture": architecture.picture,
    "performance-peers": performance.peers,
    "performance-floors": performance.floors,
    "performance-start": performance.start,
    "large-hub": curves.picture,
}


def make(names: Sequence[str]) -> None:
    """Make the pictures of these names; none: all of them."""
    unknown = set(names) - {*DIAGRAMS, *SESSIONS}
    if unknown:
        known = ", ".join((*DIAGRAMS, *SESSIONS))
        sys.exit(f"There is no picture {', '.join(sorted(unknown))}. There are: {known}.")
    FOLDER.mkdir(exist_ok=True)
    for name in names or (*DIAGRAMS, *SESSIONS):
        try:
            draw = DIAGRAMS[name] if name in DIAGRAMS else of_session(name)
        except SessionFailed as failure:
            sys.exit(f"No picture of {name}. {failure}")
        for file, text in files(name, draw).items():
            (FOLDER / file).write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/pictures/{name}-*.svg\n")


def files(name: str, draw: Draw) -> dict[str, str]:
    """The files of a picture: what is in each, by its name."""
    return {f"{name}-{palette.name}.svg": draw(palette) for palette in PALETTES}


def of_session(name: str) -> Draw:
    """Run a session; gives what draws its picture."""
    with tempfile.TemporaryDirectory(prefix="iotjobs-pictures-", ignore_cleanup_errors=True) as folder:
        screenshot = SESSIONS[name](Workspace(Path(folder)))
    return lambda palette: window(
        screenshot.rows,
        title=screenshot.title,
        description=screenshot.description,
        columns=screenshot.columns,
        palette=palette,
    )
