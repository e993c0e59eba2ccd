"""Everything that a release publishes, into dist/: `make release`.

python .ci/make_release.py [URL]    URL: the folder that the files are downloaded from, for the index

dist/iotjobs-<version>-py3-none-any.whl    the extension
dist/iotjobs-<version>.cdx.json            what it brings: its SBOM, CycloneDX
dist/index.json                            an index of az extensions, with this one
dist/release-notes.md                      what HISTORY.rst says of the version
dist/SHA256SUMS                            of all of these
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

from build_wheel import REPOSITORY, build
from index_entry import index_of
from release import NotReady, section_of, version_of_package
from sbom import write_sbom

DIST = REPOSITORY / "dist"


def make_release(url: str) -> None:
    """Write the files. Raises NotReady when HISTORY.rst does not tell of the version."""
    version = version_of_package((REPOSITORY / "azext_iotjobs" / "_version.py").read_text(encoding="utf-8"))
    notes = section_of(version, (REPOSITORY / "HISTORY.rst").read_text(encoding="utf-8"))
    shutil.rmtree(DIST, ignore_errors=True)
    wheel = build(DIST)
    write_sbom(wheel, DIST / f"iotjobs-{version}.cdx.json")
    index = json.dumps(index_of(wheel, url), indent=4, sort_keys=True)
    (DIST / "index.json").write_text(f"{index}\n", encoding="utf-8")
    (DIST / "release-notes.md").write_text(f"{notes}\n", encoding="utf-8")
    (DIST / "SHA256SUMS").write_text(checksums(DIST), encoding="utf-8")


def checksums(folder: Path) -> str:
    """A line for each file of a folder, as `sha256sum -c` reads it."""
    files = sorted(folder.iterdir())
    return "".join(f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in files)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    try:
        make_release(sys.argv[1] if len(sys.argv) == 2 else "")
    except NotReady as err:
        sys.exit(str(err))
    sys.stdout.write("".join(f"dist/{each.name}\n" for each in sorted(DIST.iterdir())))
