"""The fixtures as pytest finds them in an installed package: by its entry point, at no cost until they are used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from azext_iotjobs.localhub.testing.forked_process import IS_POSSIBLE
from tests.helpers.az import REPOSITORY

ENTRY_POINT = "[pytest11]\niotjobs = azext_iotjobs.localhub.testing.fixtures\n"
USED = """
def test_one_is_a_hub(local_hub):
    assert local_hub.events() == []

def test_the_other_is_too(local_hub_session):
    assert local_hub_session.info["inMemory"]
"""
FORKED = """
from azext_iotjobs.localhub.testing.forked_process import ForkedProcess

def test_even_the_first_one_was_forked(local_hub):
    assert isinstance(local_hub.process, ForkedProcess)
"""
UNUSED = """
import sys

def test_nothing_of_the_package_is_imported_but_the_plugin(pytestconfig):
    assert "local_hub_sdk" in pytestconfig.pluginmanager.getplugin("iotjobs").__all__
    ours = {name for name in sys.modules if name.startswith("azext_iotjobs.")}
    assert ours <= {"azext_iotjobs._version", "azext_iotjobs.localhub", "azext_iotjobs.localhub.testing",
                    "azext_iotjobs.localhub.testing.fixtures"}
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder from which pytest sees this package as an installed one."""
    information = tmp_path / "site" / "iotjobs-1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: iotjobs\nVersion: 1\n")
    (information / "entry_points.txt").write_text(ENTRY_POINT)
    return tmp_path


def pytest_in(folder: Path, *words: str) -> str:
    """What a run of pytest that has to pass prints."""
    paths = os.pathsep.join((str(folder / "site"), str(REPOSITORY)))
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", ".", *words],
        cwd=folder,
        env={**variables, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_entry_point_is_what_the_project_says() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    (line,) = ENTRY_POINT.splitlines()[1:]
    name, _, module = line.partition(" = ")
    assert f'[project.entry-points.pytest11]\n{name} = "{module}"\n' in project


def test_no_conftest_is_needed_and_one_that_names_the_plugin_still_works(installed: Path) -> None:
    (installed / "test_theirs.py").write_text(USED)
    assert "2 passed" in pytest_in(installed)
    (installed / "conftest.py").write_text('pytest_plugins = ["azext_iotjobs.localhub.testing"]\n')
    assert "2 passed" in pytest_in(installed)


def test_a_run_without_a_hub_imports_the_plugin_alone(installed: Path) -> None:
    (installed / "test_theirs.py").write_text(UNUSED)
    assert "1 passed" in pytest_in(installed)


@pytest.mark.skipif(not IS_POSSIBLE, reason="hubs are forked on Linux alone")
def test_what_hubs_need_is_loaded_before_the_first_test(installed: Path) -> None:
    (installed / "test_theirs.py").write_text(FORKED)
    assert "1 passed" in pytest_in(installed)
