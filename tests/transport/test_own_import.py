"""Our own copy of a package, whatever others have in sys.modules; with real packages in real folders."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.model.errors import OldDependency
from azext_iotjobs.transport import own_import
from azext_iotjobs.transport.own_import import OWN_FOLDER, import_own, import_own_part
from tests.helpers.official_sdks import REPOSITORY, SDK_PYTHON, needs_python_sdk


def package(folder: Path, name: str, version: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(f'__version__ = "{version}"\n')
    (folder / name / "part.py").write_text(f"from {name} import __version__\nVERSION = __version__\n")


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of another extension, imported from its folder; gives its name."""
    name = f"shared_{tmp_path.name.replace('-', '_')}"
    package(tmp_path / "theirs", name, "1.6.1")
    monkeypatch.syspath_prepend(str(tmp_path / "theirs"))
    importlib.import_module(f"{name}.part")
    yield name
    for each in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[each]


def test_a_copy_that_is_too_old_is_refused_and_left_to_its_owner(theirs: str) -> None:
    before = {name: module for name, module in sys.modules.items() if name.startswith(theirs)}
    with pytest.raises(OldDependency, match=r"1\.6\.1 was found; 2\.0 or newer"):
        import_own(f"{theirs}.part", version_of=theirs, at_least=(2, 0))
    assert {name: module for name, module in sys.modules.items() if name.startswith(theirs)} == before
    assert OWN_FOLDER not in sys.path[:1]


def test_a_package_that_is_missing_is_an_error_that_says_what_to_do() -> None:
    path = list(sys.path)
    with pytest.raises(OldDependency, match="no_such_package") as raised:
        import_own("no_such_package.part", version_of="no_such_package", at_least=(1,))
    assert "Reinstall" in str(raised.value.hint)
    assert sys.path == path


def test_the_version_in_use_is_new_enough_and_is_loaded_once() -> None:
    first = import_own("paho.mqtt.client", version_of="paho.mqtt", at_least=(2, 0))
    assert import_own("paho.mqtt.client", version_of="paho.mqtt", at_least=(2, 0)) is first
    assert hasattr(first, "CallbackAPIVersion")


@pytest.mark.parametrize(
    ("folder", "hint"),
    [("site-packages", 'python -m pip install "no-such>=2.1"'), ("iotjobs", "Reinstall the extension")],
)
def test_who_has_installed_us_with_pip_is_told_what_to_give_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, hint: str
) -> None:
    (tmp_path / folder / "iotjobs-1.0.dist-info").mkdir(parents=True)
    monkeypatch.setattr(own_import, "OWN_FOLDER", str(tmp_path / folder))
    with pytest.raises(OldDependency) as raised:
        import_own("no.such.part", version_of="no.such", at_least=(2, 1))
    assert hint in str(raised.value.hint)


@needs_python_sdk
def test_beside_microsofts_sdk_mqtt_says_which_paho_it_needs() -> None:
    """Its environment has the paho that it pins, and none of ours."""
    code = (
        "from azext_iotjobs.model.clock import SystemClock\n"
        "from azext_iotjobs.model.errors import OldDependency\n"
        "from azext_iotjobs.model.target import HubTarget\n"
        "from azext_iotjobs.transport.mqtt import MqttTransport\n"
        "try:\n"
        "    MqttTransport(HubTarget('localhost'), SystemClock())\n"
        "except OldDependency as err:\n"
        "    print(err)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run([SDK_PYTHON, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("paho-mqtt 1.6.1 was found; 2.1 or newer is needed.")


def part(folder: Path, namespace: str, version: str) -> None:
    """A package that stands in a namespace, and one beside it."""
    package(folder / namespace, "hub", version)
    package(folder / namespace, "core", version)
    (folder / namespace / "hub" / "part.py").write_text(
        f"from {namespace}.hub import __version__ as VERSION\nfrom {namespace}.core import __version__ as CORE\n"
    )


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A namespace in which az has `core`, another extension and ours have `hub` and `core`; gives its name."""
    name = f"shared_{tmp_path.name.replace('-', '_')}"
    package(tmp_path / "az" / name, "core", "1.0")
    part(tmp_path / "theirs", name, "1.6")
    part(tmp_path / "ours", name, "2.0")
    (tmp_path / "ours" / own_import.PACKAGE).mkdir()
    for each in ("ours", "theirs", "az"):  # az's folder first, then those of extensions by their names
        monkeypatch.syspath_prepend(str(tmp_path / each))
    yield name
    for each in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[each]


@pytest.mark.parametrize("is_imported", [False, True])
def test_a_part_of_a_namespace_is_ours_and_what_stands_beside_it_is_azs(shared: str, is_imported: bool) -> None:
    if is_imported:
        assert importlib.import_module(f"{shared}.hub.part").VERSION == "1.6"
    path = list(importlib.import_module(shared).__path__)
    hub = f"{shared}.hub"
    made = import_own_part(f"{hub}.part", version_of=hub, at_least=(2, 0), beside=(f"{shared}.core",))
    assert (made.VERSION, made.CORE) == ("2.0", "1.0")
    assert list(importlib.import_module(shared).__path__) == path
    if is_imported:
        assert importlib.import_module(f"{hub}.part").VERSION == "1.6"


def test_a_part_that_is_missing_or_too_old_is_an_error_that_says_what_to_do(shared: str) -> None:
    with pytest.raises(OldDependency, match=r"2\.0 was found; 3\.0 or newer"):
        import_own_part(f"{shared}.hub.part", version_of=f"{shared}.hub", at_least=(3, 0), beside=())
    with pytest.raises(OldDependency, match="does not load"):
        import_own_part(f"{shared}.nothing.part", version_of=f"{shared}.nothing", at_least=(1,), beside=())
    with pytest.raises(OldDependency, match="does not load") as raised:
        import_own_part("no_such_package.part.x", version_of="no_such_package.part", at_least=(1,), beside=())
    assert "Reinstall" in str(raised.value.hint)
