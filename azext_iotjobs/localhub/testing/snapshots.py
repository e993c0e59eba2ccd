"""A snapshot of a local hub, for tests that go back to it. Standard library only."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azext_iotjobs.localhub.testing.running_hub import RunningHub

SNAPSHOT_PATH, SNAPSHOT_TYPE = "/_local/snapshot", "application/zip"


class Snapshot:
    """What a hub held at an instant. In a `with` statement the hub is brought back to it at the end."""

    def __init__(self, hub: "RunningHub", content: bytes) -> None:
        """content: as the file has it; the keys of devices are in it."""
        self._hub = hub
        self.content = content  # as the file has it

    def __repr__(self) -> str:
        return f"<Snapshot of {len(self.content):,} bytes>"

    def restore(self) -> None:
        """Bring its hub back to it; as often as you like."""
        self._hub.restore(self)

    def save(self, path: Path | str) -> None:
        """Write it to a new file, which only its owner can read, for a later run: `hub.restore(path)`.

        path: of a file that is not there yet.
        Raises FileExistsError; nothing is replaced.
        """
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(self.content)
        except FileExistsError:
            raise
        except OSError:
            Path(path).unlink(missing_ok=True)  # a part of it is none
            raise

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()
