"""What `pip install iotjobs` brings, as a CycloneDX document: each package with its version, licence and dependencies.

It is read from an environment into which pip has installed the wheel, at the versions of requirements/runtime.txt.
"""

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

VERSIONS = Path(__file__).resolve().parents[1] / "requirements" / "runtime.txt"
SPECIFICATION = "1.6"  # of CycloneDX


def write_sbom(wheel: Path, sbom: Path) -> None:
    """Write the document, which cyclonedx-py validates against its schema. Needs a package registry."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        python = _environment(folder / "environment", wheel)
        project = folder / "pyproject.toml"
        project.write_text(_project(wheel), encoding="utf-8")
        words = ("environment", "--output-reproducible", "--pyproject", str(project), "--mc-type", "application")
        form = ("--spec-version", SPECIFICATION, "--output-format", "JSON", "--validate")
        _run("cyclonedx_py", *words, *form, "--output-file", str(sbom), str(python))


def _environment(folder: Path, wheel: Path) -> Path:
    """A new environment with the wheel and nothing that it does not bring; gives its Python."""
    venv.create(folder, with_pip=False)
    python = next(each for each in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if each.exists())
    pip = ("pip", "--python", str(python))
    _run(*pip, "install", "--quiet", "--no-deps", "--requirement", str(VERSIONS), str(wheel))
    _run(*pip, "check")  # that the list is whole
    return python


def _project(wheel: Path) -> str:
    """What the document says of iotjobs itself, in the form that cyclonedx-py reads."""
    with zipfile.ZipFile(wheel) as members:
        name = next(name for name in members.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(members.read(name).decode("utf-8"))
    required = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    return "\n".join(
        [
            "[project]",
            f'name = "{metadata["Name"]}"',
            f'version = "{metadata["Version"]}"',
            f'description = "{metadata["Summary"]}"',
            f'license = "{metadata["License-Expression"]}"',
            f"dependencies = {required}",
        ]
    )


def _run(module: str, *words: str) -> None:
    # Without the time that builders of packages are given: the document would be of that day.
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run([sys.executable, "-m", module, *words], check=True, stdout=subprocess.DEVNULL, env=environment)
