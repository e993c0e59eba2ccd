"""Import a third-party package from our own extension folder, whatever other extensions brought along.

az appends every extension's folder to the search path in the order of their names, so beside azure-iot a plain
`import paho` finds its older copy, or finds it imported already.
"""

import importlib
import os
import re
import sys
from pathlib import Path
from types import ModuleType

from azext_iotjobs.model.errors import OldDependency
from azext_iotjobs.model.text import Text, command

PACKAGE = Path(__file__).resolve().parents[1].name
OWN_FOLDER = str(Path(__file__).resolve().parents[2])
EXTENSION = "iotjobs"  # az installs an extension into a folder of this name

_imported: dict[str, ModuleType] = {}


def import_own(name: str, *, version_of: str, at_least: tuple[int, ...]) -> ModuleType:
    """The module `name`, ours if another extension has a copy too.

    version_of: the module whose `__version__` counts.  at_least: its least version, such as (2, 1).
    What others had imported is put back afterwards, so that they go on with their own copy.
    Raises OldDependency when the package is missing or too old.
    """
    if name not in _imported:
        before = list(sys.path)
        sys.path[:0] = own_folders()
        try:
            _imported[name] = _import(name, name.partition(".")[0], version_of, at_least)
        finally:
            sys.path[:] = before
    return _imported[name]


def import_own_part(name: str, *, version_of: str, at_least: tuple[int, ...], beside: tuple[str, ...]) -> ModuleType:
    """A module of a package that stands in another's namespace, as azure.eventhub in azure; ours, if there are several.

    name: with the namespace first.  version_of, at_least: as for `import_own`.
    beside: what is taken from wherever az has it; it is imported before.
    Raises OldDependency when the package is missing or too old.
    """
    if name not in _imported:
        namespace, part = name.split(".")[:2]
        try:
            for each in beside:
                importlib.import_module(each)
            parent = importlib.import_module(namespace)
        except ImportError as err:
            raise _refusal(f"{namespace}.{part} does not load ({err}).", version_of, at_least) from err
        before = parent.__path__
        parent.__path__ = [*(os.path.join(each, namespace) for each in own_folders()), *before]
        try:
            _imported[name] = _import(name, f"{namespace}.{part}", version_of, at_least)
        finally:
            parent.__path__ = before
    return _imported[name]


def own_folders() -> list[str]:
    """Where our package is: the folder of the one that runs, then others on the search path that hold one.

    Run inside a checkout, az imports that one; the dependencies are with the installed one, which is on the path too.
    """
    others = (os.path.abspath(each) for each in sys.path if os.path.isdir(os.path.join(each, PACKAGE)))
    return list(dict.fromkeys([OWN_FOLDER, *others]))


def _import(name: str, package: str, version_of: str, at_least: tuple[int, ...]) -> ModuleType:
    theirs = _take_out(package)
    try:
        module = importlib.import_module(name)
        found = str(getattr(importlib.import_module(version_of), "__version__", "0"))
    except ImportError as err:
        raise _refusal(f"{package} does not load ({err}).", version_of, at_least) from err
    finally:
        if theirs:
            _take_out(package)
            sys.modules.update(theirs)
    if _numbers(found) < at_least:
        text = f"{_distribution(version_of)} {found} was found; {_shown(at_least)} or newer is needed."
        raise _refusal(text, version_of, at_least)
    return module


def _take_out(package: str) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    return {name: sys.modules.pop(name) for name in names}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _refusal(text: str, version_of: str, at_least: tuple[int, ...]) -> OldDependency:
    """The error for a package of ours that cannot be used; what to do depends on who has installed us."""
    if _is_installed_by_pip(Path(OWN_FOLDER)):
        wanted = f"{_distribution(version_of)}>={_shown(at_least)}"
        return OldDependency(
            text,
            hint=f'Install it: python -m pip install "{wanted}". Where another package pins an older one, such as '
            "azure-iot-device does, use an environment without that package.",
        )
    return OldDependency(
        text,
        hint=Text.of(
            "Reinstall the extension: {remove}, then: {add}",
            remove=command("extension remove", name=EXTENSION),
            add=command("extension add", source="iotjobs-….whl"),
        ),
    )


def _is_installed_by_pip(folder: Path) -> bool:
    return folder.name != EXTENSION and any(folder.glob(f"{EXTENSION}-*.dist-info"))


def _distribution(version_of: str) -> str:
    """What pip calls a package: paho.mqtt is in paho-mqtt."""
    return version_of.replace(".", "-")


def _shown(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
