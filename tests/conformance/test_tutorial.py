"""Apps and their tests as they stand on pages, on Microsoft's SDKs.

Of three apps some tests run in short; all of them in an environment of their own too, in tests/release.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.official_sdks import (
    NODE_MODULES,
    REPOSITORY,
    SDK_PYTHON,
    needs_https_port,
    needs_mqtt_port,
    needs_node,
    needs_python_sdk,
    own_address,
)
from tests.helpers.short_form import IN_FULL

TUTORIAL = REPOSITORY / "docs" / "tutorials" / "test-your-app.md"
FAULTS = REPOSITORY / "docs" / "how-to" / "faults.md"
APPS = REPOSITORY / "docs" / "how-to" / "testing-examples.md"
PLUGINS = ("-p", "xdist.plugin", "-p", "azext_iotjobs.localhub.testing.fixtures")  # found where they are installed
FILE = re.compile(r"^<!-- run: file (\S+) -->\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
TIMEOUT_S = 300.0
pytestmark = needs_mqtt_port


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with the tutorial's files; its hub has an address that nothing else here uses."""
    return with_files_of(TUTORIAL, tmp_path)


def with_files_of(page: Path, folder: Path) -> Path:
    """A folder with a page's files."""
    for name, text in FILE.findall(page.read_text(encoding="utf-8")):
        own = text.replace('LocalHub("--mqtt-port"', f'LocalHub("--bind", "{own_address(8)}", "--mqtt-port"')
        (folder / name).write_text(own, encoding="utf-8")
    assert own_address(8) in (folder / "conftest.py").read_text(encoding="utf-8")
    return folder


def run(words: list[str], folder: Path, **environment: str) -> str:
    """Run a program to its end; gives what it wrote, and fails where its exit code is not 0."""
    environ = {**os.environ, **environment}
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_pytest(folder: Path, *options: str, **environment: str) -> str:
    """Run the tests of a folder with Microsoft's SDK for Python."""
    (packages,) = (SDK_PYTHON.parents[1] / "lib").glob("python*/site-packages")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return run(words, folder, PYTHONPATH=os.pathsep.join([str(packages), str(REPOSITORY)]), **environment)


@needs_python_sdk
def test_the_test_in_python_passes(app: Path) -> None:
    assert "1 passed" in run_pytest(app)


@needs_python_sdk
def test_the_tests_of_the_page_on_faults_pass(tmp_path: Path) -> None:
    assert "4 passed" in run_pytest(with_files_of(FAULTS, tmp_path))


@needs_python_sdk
@needs_node
@needs_https_port
def test_the_tests_of_three_apps_pass_in_parallel(tmp_path: Path) -> None:
    for name, text in FILE.findall(APPS.read_text(encoding="utf-8")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    processes, which, count = (
        ("2", "", 17) if IN_FULL else ("0", "reported_again or 503 or unavailable or scheduled", 5)
    )
    variables = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NODE_PATH": str(NODE_MODULES)}
    assert f"{count} passed" in run_pytest(tmp_path, *PLUGINS, "-n", processes, "-k", which, **variables)


@needs_node
def test_the_test_in_node_passes(app: Path) -> None:
    started = [sys.executable, "-m", "azext_iotjobs.localhub", "exec", "--bind", own_address(8), "--mqtt-port", "8883"]
    variables = {"NODE_PATH": str(NODE_MODULES), "PYTHONPATH": str(REPOSITORY)}
    assert "# pass 1" in run([*started, "--", "node", "--test"], app, **variables)
