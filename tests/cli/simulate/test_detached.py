"""What a simulation in the background needs, and when it ends."""

import json
import threading
from pathlib import Path

import pytest

from azext_iotjobs.cli.hub_access.running_hubs import RunningHub
from azext_iotjobs.cli.simulate import detached
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.model.errors import ConflictingChoice, MissingChoice
from azext_iotjobs.model.target import HubTarget
from tests.helpers.clock_double import ClockDouble

AZURE = HubTarget(host="myhub.azure-devices.net")


def test_where_no_hub_ends_it_its_end_has_to_be_said() -> None:
    with pytest.raises(MissingChoice, match="nothing would end a simulation on myhub"):
        detached.check(AZURE, SimulateOptions(detach=True))
    detached.check(AZURE, SimulateOptions(detach=True, until=["2h"]))
    detached.check(AZURE, SimulateOptions(detach=True, expect=["connected on all within 5m"]))


def test_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["az", "iot", "device", "simulate", "--devices-file", "-", "--detach"])
    with pytest.raises(ConflictingChoice, match="has no standard input"):
        detached.check(AZURE, SimulateOptions(detach=True, devices_file="-", until=["2h"]))


def test_it_ends_with_its_hub_and_by_ctrl_c(tmp_path: Path) -> None:
    document = {
        "pid": None,  # not known, as on Windows: only the file counts
        "bind": "127.0.0.1",
        "hostName": "localhost:8443",
        "connectionString": "x",
        "httpsPort": 8443,
        "mqttPort": 8883,
        "caCertificatePath": "ca.pem",
    }
    state = tmp_path / "hub.json"
    state.write_text(json.dumps(document))
    clock, stop = ClockDouble(), threading.Event()
    flag = detached.EndsWithHub(stop, RunningHub(document=document, state_file=state), clock)
    clock.sleep(60)
    assert not flag.is_set()
    state.unlink()
    assert not flag.is_set(), "it does not look all the time"
    clock.sleep(detached.HUB_POLL_S)
    assert flag.is_set()

    state.write_text(json.dumps(document))
    again = detached.EndsWithHub(stop, RunningHub(document=document, state_file=state), clock)
    stop.set()
    assert again.is_set()
