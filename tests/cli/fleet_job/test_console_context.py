"""What the console is lent: its folder is one that is there, as for every command that reads."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from azext_iotjobs.cli.fleet_job.console_context import console_context
from azext_iotjobs.cli.fleet_job.context import fleet_job_context
from azext_iotjobs.cli.hub_access.policy_rights import ALL_RIGHTS
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.model.errors import BadValue


def test_a_folder_that_is_not_there_is_refused_as_by_a_list(tmp_path: Path) -> None:
    typed = {"state_dir": str(tmp_path / "none")}
    with pytest.raises(BadValue, match="there is no such folder") as by_console:
        console_context(SimpleNamespace(), dict(typed), ALL_RIGHTS)
    with pytest.raises(BadValue) as by_list:
        _ = fleet_job_context(SimpleNamespace(), dict(typed), Access.READ).store
    assert (str(by_console.value), by_console.value.hint) == (str(by_list.value), by_list.value.hint)
