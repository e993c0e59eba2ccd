"""Build the wheel, the same byte for byte wherever, whenever and by whomever it is built.

python .ci/build_wheel.py FOLDER    builds this checkout's wheel into the folder

What differs between two builds of the same sources is what a zip file says of its members beside their content: times
and rights. Times are set to the earliest that a zip file can hold, in a checkout as in an unpacked tarball, which knows
no commit. The compression is zlib's, the builder setuptools', of the version that requirements/ pins.
"""

import contextlib
import io
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
EARLIEST_S = 315_532_800  # 1980-01-01: zip's times begin there
UNIX = 3  # as zip counts systems
FILE_RIGHTS = 0o100644 << 16  # a file that all may read and its owner may write


def build(folder: Path) -> Path:
    """Build the wheel into a folder, which is made; gives its path."""
    from setuptools.build_meta import build_wheel

    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(REPOSITORY / "build" / "lib", ignore_errors=True)  # files of an earlier build would be taken
    os.environ["SOURCE_DATE_EPOCH"] = str(EARLIEST_S)
    os.chdir(REPOSITORY)
    with tempfile.TemporaryDirectory() as temporary:
        with contextlib.redirect_stdout(io.StringIO()):  # each file that is copied
            name = str(build_wheel(temporary))
        _repack(Path(temporary, name), folder / name)
    return folder / name


def _repack(built: Path, wheel: Path) -> None:
    """The same members in the same order, with the same rights."""
    with zipfile.ZipFile(built) as members, zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in members.infolist():
            member.create_system, member.external_attr = UNIX, FILE_RIGHTS
            packed.writestr(member, members.read(member))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.write(f"{build(Path(sys.argv[1]))}\n")
