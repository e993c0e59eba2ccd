"""The sessions of pictures: what is typed, on a fresh local hub, and which moment is kept.

Two runs give the same bytes. Ids and names are chosen, the hub has its usual ports, and what devices do is decided by a
seed. A moment is kept in which nothing moves. What only a clock or the machine knows is masked with dots, and each
session says what that is; nothing else of what a command writes is changed.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pictures.workspace import Screenshot, Workspace, masked, seen

README = Path(__file__).parents[3] / "README.md"
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


def rollout(workspace: Workspace) -> Screenshot:
    """The README's quickstart, its third and fourth command. Masked: which devices of a batch come first, clocks."""
    start, simulate, create, results, delete = typed_in(README)
    others, terminal = workspace.terminal(), workspace.terminal()
    others.run(start)
    try:
        others.run(simulate)
        terminal.run(create, code=4)
        terminal.run(results)
        others.run(delete)
    except BaseException:
        others.run("az iot local-hub stop")
        raise
    return Screenshot(
        masked(
            terminal.rows(), (r"(?<=being verified: ).*(?=\. Each)", r"\d\d:\d\d:\d\d(?= UTC)", r"(?<=   )\d+\.\d$")
        ),
        "A firmware update, in batches",
        "A rollout to 100 devices in three batches. Some devices report that the update has failed, and a table names "
        "them.",
    )


def typed_in(page: Path) -> list[str]:
    """The commands of a page's first block, without comments."""
    block = page.read_text(encoding="utf-8").partition("```bash\n")[2].partition("```")[0]
    lines = re.sub(r" +#.*", "", block).strip().replace("\\\n", "\\\0").split("\n")
    return [line.replace("\0", "\n") for line in lines]


def approval(workspace: Workspace) -> Screenshot:
    """What `watch` shows while a batch waits for somebody. Masked: how long it lasts, who executes it, since when."""
    with workspace.hub(), workspace.lasting(f"{PUMPS} --count 200 --seed 5", CONNECTED):
        run = (
            "az iot hub fleet-job create -n localhost -j fw-2 -q \"tags.site = 'north'\" \\\n"
            + UPDATE
            + "    --batch 5,20%,100% --gate manual --run -o none"
        )
        with workspace.lasting(run, "--batch 1 -n") as running:
            workspace.terminal().run("az iot hub fleet-job approve -j fw-2 --batch 1 -o none")
            running.wait_until("batch 2", seen(running, "--batch 2 -n"))
            with workspace.lasting("az iot hub fleet-job watch -j fw-2", "Reject it") as terminal:
                rows = terminal.rows()
    return Screenshot(
        masked(rows, (r"(?<=is running, )\d+(?= s)", r"(?<=executed by ).*", r"(?<=approval since )[^ ]*Z")),
        "Watching a run",
        "The batches of a run as bars: the first two have ended, some devices have failed, and the second one waits "
        "until somebody approves it.",
    )


def simulation(workspace: Workspace) -> Screenshot:
    """Simulated devices that have sent what they had to send, and were called. Masked: durations."""
    command = """\
az iot device simulate -n localhost --prefix pump- --count 500 --create --delete-after \\
    --tags site=north --behaviour-file pumps.yaml --seed 7"""
    workspace.add(BEHAVIOURS / "pumps.yaml")
    with workspace.hub(), workspace.lasting(command, CONNECTED, columns=WIDE) as terminal:
        workspace.terminal().run("az iot hub invoke-device-method -n localhost -q true --method-name reboot -o none")
        terminal.wait_until("all is done", seen(terminal, "0 messages/s, 2500 acknowledged; 0 methods/s, 500 answered"))
        rows = terminal.rows()
    return Screenshot(
        masked(rows, (r"(?<=after )[\d.]+(?= s)", r"(?<=p\d\d )[\d.]+(?= m?s)")),
        "Simulating 500 devices",
        "One command registers and connects 500 devices; its last line counts what they send, and the calls that they "
        "answer.",
        WIDE,
    )


def job(workspace: Workspace) -> Screenshot:
    """A job on devices of which one is offline, its results by device, its exit code."""
    with workspace.hub(), workspace.lasting(f"{PUMPS} --count 6 --seed 7", CONNECTED):
        others = workspace.terminal()
        others.run("az iot hub device-identity create -n localhost -d pump-7 -o none")
        others.run("az iot hub device-twin update -n localhost -d pump-7 --tags site=north -o none")
        terminal = workspace.terminal()
        terminal.run(
            "az iot hub job create -n localhost --job-id reboot-1 --job-type scheduleDeviceMethod \\\n"
            "    --method-name reboot --query-condition \"tags.site = 'north'\" \\\n"
            '    --ttl 3 --wait -o none; echo "exit code $?"'
        )
        terminal.run(
            "az iot hub job results -n localhost --job-id reboot-1 \\\n"
            "    --columns deviceId,status,methodStatus,errorClass,errorText -o table"
        )
    return Screenshot(
        terminal.rows(),
        "A job, device by device",
        "A job calls a method on seven devices. Six have answered; one was offline. The exit code is 4, and a table "
        "has a row for each device.",
    )


def events(workspace: Workspace) -> Screenshot:
    """What a device sent, as the hub's Event Hubs endpoint gives it."""
    with workspace.hub():
        workspace.terminal().run(
            "az iot device simulate -n localhost --prefix tank- --count 1 --create --seed 3 --until 3s -o none "
            f"--behaviour-file {BEHAVIOURS}/tanks.yaml"
        )
        terminal = workspace.terminal()
        terminal.run(
            "az iot hub monitor-events -n localhost -d tank-1 --enqueued-time 0 -t 3 -o jsonc \\\n"
            "    --query 'event.{device: origin, payload: payload}'"
        )
    return Screenshot(
        terminal.rows(),
        "What a device sends",
        "Three events of a tank, each with its level, its temperature and whether its valve is open.",
    )


SESSIONS: Mapping[str, Callable[[Workspace], Screenshot]] = {
    "rollout": rollout,
    "approval": approval,
    "simulation": simulation,
    "job": job,
    "events": events,
}
