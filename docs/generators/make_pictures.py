"""Make the pictures of docs/pictures/, all or those named: `make pictures` calls this.

Each is two files, NAME-light.svg and NAME-dark.svg. Run twice, they are the same, byte for byte.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pictures.palette import PALETTES, Palette
from pictures.sessions import SESSIONS
from pictures.stage import Stage
from pictures.window import window

FOLDER = Path(__file__).parents[1] / "pictures"


def of_session(name: str) -> Callable[[Palette], str]:
    """Run a session; gives what draws its picture."""
    with tempfile.TemporaryDirectory(prefix="iotjobs-pictures-", ignore_cleanup_errors=True) as folder:
        shot = SESSIONS[name](Stage(Path(folder)))
    return lambda palette: window(
        shot.rows, title=shot.title, description=shot.description, columns=shot.columns, palette=palette
    )


def write(name: str, draw: Callable[[Palette], str]) -> None:
    """Write both files of a picture."""
    for palette in PALETTES:
        (FOLDER / f"{name}-{palette.name}.svg").write_text(draw(palette), encoding="utf-8")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or SESSIONS:
        write(name, of_session(name))
        sys.stdout.write(f"docs/pictures/{name}\n")
