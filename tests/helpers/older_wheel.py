"""The wheel of an older version, made of the one that is installed."""

import zipfile
from pathlib import Path

from azext_iotjobs import __version__


def write_older_wheel(wheel: Path, folder: Path, version: str) -> Path:
    """Write the wheel into a folder as if it were of another version; gives its path."""
    ours, theirs = f"iotjobs-{__version__}", f"iotjobs-{version}"
    older = folder / f"{theirs}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as members, zipfile.ZipFile(older, "w") as written:
        for name in members.namelist():
            content = members.read(name)
            if name == "azext_iotjobs/_version.py":
                content = content.replace(__version__.encode(), version.encode())
            elif name == f"{ours}.dist-info/METADATA":
                content = content.replace(f"\nVersion: {__version__}\n".encode(), f"\nVersion: {version}\n".encode(), 1)
            elif name == f"{ours}.dist-info/RECORD":  # without checksums, which it may leave out
                content = "".join(f"{each.replace(ours, theirs)},,\n" for each in members.namelist()).encode()
            written.writestr(name.replace(ours, theirs), content)
    return older
