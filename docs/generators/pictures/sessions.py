"""The sessions of pictures: what is typed, on a fresh local hub, and which moment is kept.

Two runs give the same bytes. Ids and names are chosen, the hub has its usual ports, and what devices do is decided by a
seed. A moment is kept in which nothing moves. What only a clock or the machine knows is masked with dots, and each
session says what that is; nothing else of what a command writes is changed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from pictures.stage import Shot, Stage, masked, seen

BEHAVIOURS = Path(__file__).with_name("behaviours")
PUMPS = (
    "az iot device simulate -n localhost --prefix pump- --create --tags site=north "
    f"--behaviour-file {BEHAVIOURS}/pumps.yaml"
)
CONNECTED = " are connected"
WIDE = 106  # the status line of a simulation
UPDATE = """\
    --method-name firmwareUpdate --method-payload version=2.0.1 \\
    --verify "properties.reported.firmware.version = '2.0.1'" \\
    --verify-failed "properties.reported.firmware.status = 'failed'" \\
"""
FAILURES = (
    "az iot hub fleet-job results -j firmware --status failed \\\n    --columns deviceId,batch,methodStatus,errorCode"
)


def rollout(stage: Stage) -> Shot:
    """A rollout that its gate stops, and which devices have failed."""
    with stage.hub(), stage.lasting(f"{PUMPS} --count 200 --seed rollout", CONNECTED):
        terminal = stage.terminal()
        terminal.run(
            "az iot hub fleet-job create -n localhost -j firmware -q \"tags.site = 'north'\" \\\n"
            + UPDATE
            + "    --batch 5,20%,100% --gate-success 98% --run -o none",
            code=6,
        )
        terminal.run(f"{FAILURES} -o table")
    return Shot(
        terminal.rows(),
        "Rolling out a firmware to 200 devices",
        "Five canaries are updated, then forty devices, of which three report that the update has failed. The gate "
        "stops the run before the other 155, and a table names the three.",
    )


def approval(stage: Stage) -> Shot:
    """What `watch` shows while a batch waits for somebody. Masked: how long it lasts, who executes it, since when."""
    with stage.hub(), stage.lasting(f"{PUMPS} --count 200 --seed rollout", CONNECTED):
        run = (
            "az iot hub fleet-job create -n localhost -j firmware -q \"tags.site = 'north'\" \\\n"
            + UPDATE
            + "    --batch 5,20%,100% --gate manual --run -o none"
        )
        with stage.lasting(run, "--batch 1 -n") as running:
            stage.terminal().run("az iot hub fleet-job approve -j firmware --batch 1 -o none")
            running.wait_until("batch 2", seen(running, "--batch 2 -n"))
            with stage.lasting("az iot hub fleet-job watch -j firmware", "Reject it") as terminal:
                rows = terminal.rows()
    return Shot(
        masked(rows, (r"(?<=is running, )\d+(?= s)", r"(?<=executed by ).*", r"(?<=approval since )[^ ]*Z")),
        "Watching a run",
        "The batches of a run as bars: the first two have ended, three devices have failed, and the second one waits "
        "until somebody approves it.",
    )


def simulation(stage: Stage) -> Shot:
    """Simulated devices that have sent what they had to send, and were called. Masked: durations."""
    command = """\
az iot device simulate -n localhost --prefix pump- --count 500 --create --delete-after \\
    --tags site=north --behaviour-file pumps.yaml --seed 7"""
    stage.add(BEHAVIOURS / "pumps.yaml")
    with stage.hub(), stage.lasting(command, CONNECTED, columns=WIDE) as terminal:
        stage.terminal().run("az iot hub invoke-device-method -n localhost -q true --method-name reboot -o none")
        terminal.wait_until("all is done", seen(terminal, "0 messages/s, 2500 acknowledged; 0 methods/s, 500 answered"))
        rows = terminal.rows()
    return Shot(
        masked(rows, (r"(?<=after )[\d.]+(?= s)", r"(?<=p\d\d )[\d.]+(?= m?s)")),
        "Simulating 500 devices",
        "One command registers and connects 500 devices; its last line counts what they send, and the calls that they "
        "answer.",
        WIDE,
    )


def job(stage: Stage) -> Shot:
    """A job on devices of which one is offline, its results by device, its exit code."""
    with stage.hub(), stage.lasting(f"{PUMPS} --count 6 --seed 7", CONNECTED):
        others = stage.terminal()
        others.run("az iot hub device-identity create -n localhost -d pump-7 -o none")
        others.run("az iot hub device-twin update -n localhost -d pump-7 --tags site=north -o none")
        terminal = stage.terminal()
        terminal.run(
            "az iot hub job create -n localhost --job-id reboot-1 --job-type scheduleDeviceMethod \\\n"
            "    --method-name reboot --query-condition \"tags.site = 'north'\" --ttl 3 --wait -o none\n"
            'echo "exit code $?"'
        )
        terminal.run(
            "az iot hub job results -n localhost --job-id reboot-1 \\\n"
            "    --columns deviceId,status,methodStatus,errorClass,errorText -o table"
        )
    return Shot(
        terminal.rows(),
        "A job, device by device",
        "A job calls a method on seven devices. Six have answered; one was offline. The exit code is 4, and a table "
        "has a row for each device.",
    )


def events(stage: Stage) -> Shot:
    """What a device sent, as the hub's Event Hubs endpoint gives it."""
    with stage.hub():
        stage.terminal().run(
            "az iot device simulate -n localhost --prefix tank- --count 1 --create --seed 3 --until 3s -o none "
            f"--behaviour-file {BEHAVIOURS}/tanks.yaml"
        )
        terminal = stage.terminal()
        terminal.run(
            "az iot hub monitor-events -n localhost -d tank-1 --enqueued-time 0 -t 3 -o jsonc \\\n"
            "    --query 'event.{device: origin, payload: payload}'"
        )
    return Shot(
        terminal.rows(),
        "What a device sends",
        "Three events of a tank, each with its level, its temperature and whether its valve is open.",
    )


SESSIONS: Mapping[str, Callable[[Stage], Shot]] = {
    "rollout": rollout,
    "approval": approval,
    "simulation": simulation,
    "job": job,
    "events": events,
}
