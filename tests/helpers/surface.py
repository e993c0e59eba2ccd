"""The options of our commands as az has them after loading: asked of az's own machinery, in this process."""

import importlib.util
import os
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

GENERATORS = Path(__file__).resolve().parents[2] / "docs" / "generators"


@cache
def generator(name: str) -> ModuleType:
    """A program of docs/generators/: generate.py writes the pages about our commands, its neighbours the others."""
    spec = importlib.util.spec_from_file_location(name, GENERATORS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def loaded_loader() -> Any:
    """What az loads our commands with, once it has; nothing of the user's is read or written."""
    with tempfile.TemporaryDirectory() as folder:
        before = dict(os.environ)
        os.environ.update(AZURE_CONFIG_DIR=folder, AZURE_EXTENSION_DIR=folder)
        try:
            return generator("generate").loaded_loader()
        finally:
            os.environ.clear()
            os.environ.update(before)


@cache
def our_arguments() -> dict[str, dict[str, dict[str, Any]]]:
    """command -> dest -> options, required, default, choices, help."""
    return dict(generator("generate").described_commands(loaded_loader().command_table))
