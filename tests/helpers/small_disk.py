"""A real disk that is full."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no room on a disk."""
    filler = disk / "filler"
    try:
        with open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    except OSError:
        yield
    finally:
        filler.unlink()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 8 MB; not below pytest's own folders, which could not be removed after tests that were killed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs Linux and root")
    disk = Path(tempfile.mkdtemp(prefix="small-disk-"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True).returncode:
        disk.rmdir()
        pytest.skip("this machine does not allow to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
    disk.rmdir()
