"""What a release needs: a tag that is the version, and a section of HISTORY.rst that tells of it.

python .ci/release.py check v1.2.0    exit code 1 and the reason when one of them is missing
python .ci/release.py notes v1.2.0    prints the section
"""

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


class NotReady(Exception):
    """Why there can be no release."""


def version_of(tag: str, source: str) -> str:
    """The version that a tag names. Raises NotReady unless it is the package's.

    source: the text of _version.py.
    """
    version = version_of_package(source)
    if tag != f"v{version}":
        raise NotReady(f"The tag is {tag}, but the package's version is {version}: change azext_iotjobs/_version.py.")
    return version


def version_of_package(source: str) -> str:
    """The package's version. source: the text of _version.py."""
    found = re.search(r'^VERSION = "([^"]+)"$', source, re.MULTILINE)
    return found[1] if found else "unknown"


def section_of(version: str, history: str) -> str:
    """What HISTORY.rst says of a version. Raises NotReady when it says nothing."""
    parts = re.split(r"^(\S.*)\n-{3,}\n", history, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    text = sections.get(version, "").strip()
    if not text:
        raise NotReady(f"HISTORY.rst has no section {version}, or nothing in it: name the Unreleased one so.")
    return text


def main(verb: str, tag: str) -> int:
    try:
        version = version_of(tag, (REPOSITORY / "azext_iotjobs" / "_version.py").read_text(encoding="utf-8"))
        text = section_of(version, (REPOSITORY / "HISTORY.rst").read_text(encoding="utf-8"))
    except NotReady as err:
        sys.stderr.write(f"{err}\n")
        return 1
    if verb == "notes":
        sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "notes"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
