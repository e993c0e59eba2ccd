"""Run Microsoft's two IoT Hub CLI tutorials, to the letter, against a fresh local hub.

`make demo` calls this. Each az command is printed as it is typed, with its real output; each step is checked, and the
first one that fails ends the demo with exit code 1 and says what was expected.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path

from steps import Commands, check, end, free_ports, heading, run, say, wait_for

DEVICE = "SampleDevice"
METHOD = "SampleMethod"
ANSWER = {"result": "Direct method successful"}
SCHEDULED_AHEAD_S = 12  # long enough for one more az call to see the job waiting

commands = Commands(Path(tempfile.gettempdir()))
az = commands.az


def both_tutorials(at_end: ExitStack) -> None:
    folder = Path(tempfile.mkdtemp(prefix="iotjobs-demo-"))
    at_end.callback(shutil.rmtree, folder, ignore_errors=True)
    hub = start_hub(folder, at_end)
    simulator_output = direct_methods_tutorial(hub, folder, at_end)
    jobs_tutorial(hub)
    check("the device saw every job's call", "JobMethod" in simulator_output.read_text(encoding="utf-8"))


def start_hub(folder: Path, at_end: ExitStack) -> str:
    """Start a fresh local hub; give its host name."""
    heading("A local IoT Hub")
    in_memory = ("--in-memory", "--data-dir", str(folder / "hub"))
    hub = az("iot", "local-hub", "start", "--detach", *in_memory, *free_ports())
    at_end.callback(az, "iot", "local-hub", "stop", "--https-port", str(hub["httpsPort"]))
    return str(hub["hostName"])


def direct_methods_tutorial(hub: str, folder: Path, at_end: ExitStack) -> Path:
    """Device management with direct methods; gives the file into which the simulated device writes."""
    heading("Tutorial: get started with device management (direct methods)")
    az("iot", "hub", "device-identity", "create", "--device-id", DEVICE, "--hub-name", hub)

    output = folder / "simulate.txt"
    simulate = f"iot device simulate --device-id {DEVICE} --hub-name {hub} --method-response-code 201".split()
    simulate += ["--method-response-payload", json.dumps(ANSWER)]
    simulator = commands.begin(*simulate, output=output, at_end=at_end)  # the first CLI session
    at_end.callback(end_simulator, simulator, output)
    wait_for("the simulated device is connected", lambda: is_connected(hub))

    answer = az("iot", "hub", "invoke-device-method", "--device-id", DEVICE, "--hub-name", hub, "--method-name", METHOD)
    check("the method is answered with 201 and its payload", answer == {"status": 201, "payload": ANSWER})
    wait_for("the device shows the call", lambda: METHOD in output.read_text(encoding="utf-8"))

    payload = '{ "SamplePayload": "PayloadValue" }'
    call = ("--device-id", DEVICE, "--hub-name", hub, "--method-name", METHOD)
    answer = az("iot", "hub", "invoke-device-method", *call, "--method-payload", payload)
    check("the call with a payload is answered too", answer == {"status": 201, "payload": ANSWER})
    wait_for("the device shows the payload", lambda: "PayloadValue" in output.read_text(encoding="utf-8"))
    return output


def jobs_tutorial(hub: str) -> None:
    """Schedule and broadcast jobs."""
    heading("Tutorial: schedule and broadcast jobs")
    condition = f"deviceId = '{DEVICE}'"
    method_job = ("--job-type", "scheduleDeviceMethod", "--method-name", "JobMethod", "--method-payload")
    create_job(hub, "job-payload", *method_job, '{"delay": 5}', "--query-condition", condition)
    create_job(hub, "job-null", *method_job, "null", "--query-condition", condition)
    for job in ("job-payload", "job-null"):
        wait_for_completion(hub, job)

    patch = '{"properties":{"desired": {"BuildingNo": 45}}}'
    twin_job = ("--job-type", "scheduleUpdateTwin", "--twin-patch", patch)
    create_job(hub, "job-twin", *twin_job, "--query-condition", condition)
    wait_for_completion(hub, "job-twin")
    shown = ("--device-id", DEVICE, "--hub-name", hub, "--query", "properties.desired.BuildingNo")
    building = az("iot", "hub", "device-twin", "show", *shown)
    check("the twin's BuildingNo is 45", building == 45)

    start = datetime.now(timezone.utc) + timedelta(seconds=SCHEDULED_AHEAD_S)
    later = ("--start-time", start.strftime("%Y-%m-%dT%H:%M:%SZ"))
    create_job(hub, "job-later", *method_job, "null", "--query-condition", condition, *later)
    wait_for("the later job is scheduled", lambda: job_status(hub, "job-later") == "scheduled")
    wait_for_completion(hub, "job-later")


def create_job(hub: str, job: str, *options: str) -> None:
    az("iot", "hub", "job", "create", "--hub-name", hub, "--job-id", job, *options)


def wait_for_completion(hub: str, job: str) -> None:
    def completed() -> bool:
        document = az("iot", "hub", "job", "show", "--hub-name", hub, "--job-id", job, quietly=True)
        check(f"job {job} does not fail", document["status"] not in ("failed", "cancelled"), quietly=True)
        return bool(document["status"] == "completed" and document["deviceJobStatistics"]["succeededCount"] == 1)

    wait_for(f"job {job} is completed, one device succeeded", completed)
    az(
        "iot",
        "hub",
        "job",
        "show",
        "--hub-name",
        hub,
        "--job-id",
        job,
        "--query",
        "{status:status, devices:deviceJobStatistics}",
    )


def job_status(hub: str, job: str) -> str:
    return str(az("iot", "hub", "job", "show", "--hub-name", hub, "--job-id", job, "--query", "status", quietly=True))


def is_connected(hub: str) -> bool:
    words = ("iot", "hub", "device-identity", "show", "--device-id", DEVICE, "--hub-name", hub)
    return bool(az(*words, "--query", "connectionState", quietly=True) == "Connected")


def end_simulator(simulator: "subprocess.Popen[bytes]", output: Path) -> None:
    """End it, and show what the first session saw."""
    end(simulator)
    say("\n--- what the first CLI session showed:\n" + output.read_text(encoding="utf-8").strip())


if __name__ == "__main__":
    sys.exit(run(both_tutorials, "Both tutorials ran to the letter."))
