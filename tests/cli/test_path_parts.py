"""Every option that is an id refuses, by its own name and before the command begins, what can be none."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from azure.cli.core.azclierror import InvalidArgumentValueError

from tests.helpers.surface import generator

# The dests of options that become a part of a path -> how the commands begin in which they do.
ID_DESTS = {
    **dict.fromkeys("our_device_id our_module_id our_job_id new_job_id".split(), "iot "),
    "our_etag": "iot hub ",
    **dict.fromkeys("our_module_ids parent_device_id our_child_list".split(), "iot hub "),
    "our_device_ids": "iot hub device-identity ",
    "name": "iot local-hub certificate ",
    "our_fault_id": "iot local-hub fault ",
}
# These select: among results in the state file, among events (with * and ?), among operations that go wrong; lists of
# ids are checked where they are read.
SELECTING = (
    "iot hub fleet-job results",
    "iot hub device-identity export-csv",
    "iot hub monitor-events",
    "iot local-hub fault add",
)
NO_ID = ("", ".", "..", "a/b", "a b", "\r\n", "🙂")


def checks() -> list[tuple[str, str, Any]]:
    """command, dest and settings of each such option."""
    found = []
    for name, command in generator("generate").loaded_commands().items():
        for dest, argument in command.arguments.items():
            if dest in ID_DESTS and name.startswith(ID_DESTS[dest]) and name not in SELECTING:
                found.append((name, dest, argument.type.settings))
    return found


def test_every_option_that_is_an_id_refuses_what_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("AZURE_EXTENSION_DIR", str(tmp_path))
    seen = set()
    for command, dest, settings in checks():
        seen.add(dest)
        check, option = settings["validator"], settings["options_list"][0]
        for text in NO_ID:
            if dest == "our_etag" and text in (".", "..", "a/b"):
                continue  # an etag is no part of a path
            typed = ["fine", text] if settings.get("nargs") else text
            with pytest.raises(InvalidArgumentValueError, match=f"^{option}"):
                check(Namespace(**{dest: typed}))
                pytest.fail(f"{command} takes {option} {text!r}")
        check(Namespace(**{dest: None}))
        check(Namespace(**{dest: ["fine", "*"] if settings.get("nargs") else "fine-1"}))
    assert seen == set(ID_DESTS)
