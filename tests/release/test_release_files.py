"""What a release publishes: the wheel, the index of az extensions that names it, notes, checksums, its dependencies."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from azure.cli.core.extension import ext_compat_with_cli, is_stable_from_metadata
from azure.cli.core.extension._resolve import NoExtensionCandidatesError, resolve_from_index
from index_entry import index_of
from make_release import checksums
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from release import NotReady, section_of, version_of

from azext_iotjobs import __version__
from tests.helpers.az import REPOSITORY
from tests.helpers.file_server import serve_folder
from tests.helpers.short_form import IN_FULL

SOURCES = ("azext_iotjobs", ".ci", "requirements", "pyproject.toml", "setup.py", "README.md", "LICENSE", "HISTORY.rst")
WHEEL = f"iotjobs-{__version__}-py3-none-any.whl"
ELSEWHERE = {"TZ": "Asia/Tokyo", "HOME": "/nonexistent", "LANG": "C"}
REQUIREMENTS = REPOSITORY / "requirements"


def unpack_sources(folder: Path, *, rights: int, changed_at: int) -> Path:
    """The sources in a folder of their own, as somebody else has them. rights: of files; changed_at: Unix time."""
    for name in SOURCES:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(
                REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
            )
        else:
            shutil.copy(REPOSITORY / name, folder / name)
    for path in folder.rglob("*"):
        path.chmod(rights | 0o100 if path.is_dir() else rights)
        os.utime(path, (changed_at, changed_at))
    return folder


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheel, built twice by the real build: in other folders, at other times, with other rights and umasks."""
    made = []
    for name, rights, umask, changed_at, more in (
        ("here", 0o644, 0o022, 1_700_000_000, {}),
        ("elsewhere", 0o600, 0o077, 1_000_000_000, ELSEWHERE),
    ):
        folder = tmp_path_factory.mktemp(name)
        unpack_sources(folder, rights=rights, changed_at=changed_at)
        words = [sys.executable, str(folder / ".ci" / "build_wheel.py"), "made"]
        process = subprocess.Popen(
            words,
            cwd=folder,
            umask=umask,
            env={**os.environ, **more},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        made.append((folder / "made" / WHEEL, process))
    for _, process in made:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return [wheel for wheel, _ in made]


def test_the_wheel_is_the_same_wherever_whenever_and_by_whom_it_is_built(wheels: list[Path]) -> None:
    first, second = (wheel.read_bytes() for wheel in wheels)
    assert first == second
    with zipfile.ZipFile(wheels[0]) as members:
        names = set(members.namelist())
    package = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "azext_iotjobs").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if not name.startswith("iotjobs-")} == package


@pytest.fixture
def served(wheels: list[Path], tmp_path: Path) -> Iterator[str]:
    """The URL of a folder with the wheel and its index."""
    shutil.copy(wheels[0], tmp_path)
    with serve_folder(tmp_path) as url:
        (tmp_path / "index.json").write_text(json.dumps(index_of(tmp_path / WHEEL, url)))
        yield url


def test_az_resolves_the_extension_from_the_index(served: str) -> None:
    url, digest = resolve_from_index("iotjobs", index_url=f"{served}index.json")
    assert url == f"{served}{WHEEL}"
    with pytest.raises(NoExtensionCandidatesError, match="already installed"):
        resolve_from_index("iotjobs", cur_version=__version__, index_url=f"{served}index.json")
    assert re.fullmatch("[0-9a-f]{64}", digest)


def test_the_index_says_of_the_extension_what_the_wheel_says(wheels: list[Path]) -> None:
    index = index_of(wheels[0], "https://example.com/v1/")
    assert index["formatVersion"] == "1" and set(index["extensions"]) == {"iotjobs"}
    (entry,) = index["extensions"]["iotjobs"]
    assert set(entry) == {"filename", "downloadUrl", "sha256Digest", "metadata"}
    assert entry["downloadUrl"] == f"https://example.com/v1/{WHEEL}" and entry["filename"] == WHEEL
    said = entry["metadata"]
    assert ext_compat_with_cli(said)[0] and is_stable_from_metadata(entry)
    assert (said["name"], said["version"], said["license"]) == ("iotjobs", __version__, "MIT")
    assert said["azext.minCliCoreVersion"] == "2.70.0" and {"sdk", "local-hub", "testing"} <= set(said["extras"])
    assert "aiohttp<4,>=3.14" in said["run_requires"][0]["requires"]
    assert index_of(wheels[0], "")["extensions"]["iotjobs"][0]["downloadUrl"] == WHEEL


def test_checksums_are_as_sha256sum_reads_them(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("b\n")
    (tmp_path / "a.txt").write_text("a\n")
    assert checksums(tmp_path) == (
        "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7  a.txt\n"
        "0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f  b.txt\n"
    )


def test_the_sbom_lists_all_that_the_wheel_brings_and_nothing_else() -> None:
    listed, named = requirements_of("runtime.txt"), requirements_of("tests.txt")
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    (dependencies,) = re.findall(r"^dependencies = \[(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    direct = [Requirement(each) for each in re.findall(r'"([^"]+)"', dependencies)]
    assert brought_by([each for each in direct if each.marker is None or each.marker.evaluate()]) == set(listed)
    for each in direct:
        name = canonicalize_name(each.name)
        assert each.specifier.contains(next(iter(listed[name].specifier)).version)
        assert each.marker is not None or listed[name].specifier == named[name].specifier


def requirements_of(file: str) -> dict[str, Requirement]:
    """What it pins for this Python."""
    lines = (REQUIREMENTS / file).read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if re.match(r"\w", line)]
    return {canonicalize_name(each.name): each for each in pinned if each.marker is None or each.marker.evaluate()}


def brought_by(wanted: list[Requirement]) -> set[str]:
    """The names of what is installed when these are: what they need in turn too."""
    found: set[str] = set()
    while wanted:
        name = canonicalize_name(wanted.pop().name)
        if name not in found:
            found.add(name)
            needed = (Requirement(each) for each in metadata.requires(name) or [])
            wanted += [each for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def test_pages_name_the_wheel_of_this_version() -> None:
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert set(re.findall(r"iotjobs-(\d[^-\s]*)-py3-none-any\.whl", text)) == {__version__}


def test_all_ways_to_build_the_wheel_have_the_same_builder() -> None:
    builders = {requirements_of(file)["setuptools"].specifier for file in ("az.txt", "wheel.txt", "release.txt")}
    assert len(builders) == 1


def test_a_release_is_refused_for_a_tag_that_is_not_the_version() -> None:
    for words, said in (
        (("check", "v999.0"), "The tag is v999.0, but the package's version is"),
        (("publish", "v1"), ""),
    ):
        program = str(REPOSITORY / ".ci" / "release.py")
        refused = subprocess.run([sys.executable, program, *words], capture_output=True, text=True, check=False)
        assert refused.returncode == 1 and said in refused.stderr


def test_a_release_says_what_the_history_says_of_its_version() -> None:
    assert version_of("v1.2.0", '"""Doc."""\n\nVERSION = "1.2.0"\n') == "1.2.0"
    history = "History\n=======\n\n1.2.0\n-----\n\n* New.\n\nMore\n\n* Too.\n\n1.1.0\n-----\n\n"
    assert section_of("1.2.0", history) == "* New.\n\nMore\n\n* Too."
    for version in ("1.1.0", "1.3.0"):
        with pytest.raises(NotReady, match=f"no section {version}, or nothing in it"):
            section_of(version, history)


@pytest.mark.skipif(not IN_FULL, reason="it installs two environments: make torture does")
def test_make_release_makes_the_same_files_anywhere(tmp_path: Path) -> None:
    made = []
    for name, rights in (("here", 0o644), ("elsewhere", 0o600)):
        (tmp_path / name).mkdir()
        folder = unpack_sources(tmp_path / name, rights=rights, changed_at=1_000_000_000)
        shutil.copy(REPOSITORY / "Makefile", folder)
        subprocess.run(["make", "release", "RELEASE_URL=https://example.com/v1"], cwd=folder, check=True, timeout=1200)
        made.append({path.name: path.read_bytes() for path in (folder / "dist").iterdir()})
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder / "dist", check=True)
    assert made[0] == made[1]
    sbom = f"iotjobs-{__version__}.cdx.json"
    assert set(made[0]) == {WHEEL, sbom, "index.json", "release-notes.md", "SHA256SUMS"}
    document = json.loads(made[0][sbom])
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "iotjobs")
    assert {"aiohttp", "yarl", "azure-core"} <= {each["name"] for each in document["components"]}
