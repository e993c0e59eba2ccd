"""What the documents show of the sdk is run, where neither azure-cli nor knack can be imported."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.helpers.answering_device import MqttDevice
from tests.helpers.hub_process import HubProcess

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "docs" / "how-to" / "examples" / "schedule_jobs.py"
LIMIT_S = 120
# A module that is None in sys.modules cannot be imported.
WITHOUT_AZ = (
    "import runpy, sys; sys.modules.update(azure=None, knack=None); "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


def ran_without_az(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_AZ, *words],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def test_the_example_runs_both_jobs_on_devices_that_answer(hub: HubProcess) -> None:
    for device in ("lock-1", "lock-2"):
        hub.new_device(device)
    with (
        MqttDevice(hub, "lock-1", lambda name, _: (200, {"did": name})),
        MqttDevice(hub, "lock-2", lambda *_: (503, "jammed")),
    ):
        ran = ran_without_az(str(EXAMPLE), "deviceId IN ['lock-1','lock-2']", **hub.local.environment())
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("Started the method job")
    assert {"lock-1: completed, answered 200 {'did': 'lockDoor'}", "lock-2: rejected, 503"} <= set(lines)
    assert "Started the twin job" in lines
    assert lines[-2:] == ["Job status: completed, 2 of 2 devices have ended", "2 of 2 twins updated"]
    for device in ("lock-1", "lock-2"):
        twin = hub.ok("GET", f"/twins/{device}")
        assert (twin["properties"]["desired"]["BuildingNo"], twin["tags"]) == (45, {"building": 45})


def test_the_example_says_that_it_waits_for_a_device_that_is_off_line_and_says_nothing_twice(hub: HubProcess) -> None:
    hub.new_device("away-1")
    ran = ran_without_az(str(EXAMPLE), "deviceId = 'away-1'", "6", **hub.local.environment())
    assert (ran.returncode, ran.stderr) == (0, "")
    first, _, second = ran.stdout.partition("Started the twin job\n")
    lines = first.splitlines()
    assert lines[0] == "Started the method job; a device that is off line holds it for up to 6 seconds"
    assert "Job status: running, 0 of 1 devices have ended" in lines
    assert lines[-1] == "away-1: offline, JobRunPreconditionFailed"
    for said in (lines, second.splitlines()):
        assert len(said) == len(set(said)), said


def test_the_pages_first_code_runs_where_its_environment_is_set(hub: HubProcess, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "how-to" / "library.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    (tmp_path / "first.py").write_text(code, encoding="utf-8")
    hub.new_device("gate-1")
    hub.ok("PATCH", "/twins/gate-1", {"tags": {"site": "north"}})
    with MqttDevice(hub, "gate-1", lambda *_: (200, "locked")):
        for _ in range(2):  # again on the same hub, with an id of its own
            ran = ran_without_az(str(tmp_path / "first.py"), **hub.local.environment())
            assert (ran.returncode, ran.stderr) == (0, "")
            assert "gate-1 completed None 200 locked" in ran.stdout.splitlines()


def test_the_example_says_in_a_line_what_went_wrong(hub: HubProcess) -> None:
    own = hub.local.environment()
    failed = ran_without_az(str(EXAMPLE), "nofunction(deviceId) = 1", **own)
    refused = ran_without_az(str(EXAMPLE), " ", **own)
    for ran, said in ((failed, "Job lock-"), (refused, "query_condition")):
        assert ran.returncode == 1
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr


def test_the_code_of_the_page_on_tests_and_its_test_run(hub: HubProcess, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "how-to" / "testing.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", page, re.DOTALL))
    assert {"movers.py", "test_movers.py"} <= set(files)
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "azext_iotjobs.localhub.testing", "test_movers.py"]
    program = f"import os, pytest, sys; os.chdir(sys.argv[1]); sys.exit(pytest.main({options}))"
    (tmp_path / "run.py").write_text(program, encoding="utf-8")
    ran = ran_without_az(str(tmp_path / "run.py"), str(tmp_path))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout
