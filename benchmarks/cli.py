"""How long whole az commands take against the local hub, beside the least that an extension can take.

Commands: job show, job create, device-twin show, invoke-device-method, fleet-job show and list; `az iot -h`,
`az iot hub fleet-job -h`, and Tab after `az iot hub fleet-job s`. Peers, in the same run and in turn, so that a busy
machine is busy for all, and each with no other extension beside it:
  floor      an extension of six commands that each make one request, or read one row of a file (cli_peers)
  ours       this checkout's extension
  stand-in   the floor's commands in an extension of azure-iot's size
  azure-iot  Microsoft's, if it is installed where az looks for extensions

Ratios are medians over the rounds. The goal: ours within 1.05 of the floor, in computing.

Run: make .stamps/extension && .venv/bin/python benchmarks/cli.py [rounds]
With one round it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import base64
import hashlib
import hmac
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.cli_peers import lay_floor, lay_stand_in  # noqa: E402
from benchmarks.packet_devices import HubEndpoint, PacketDevices  # noqa: E402
from benchmarks.row import Row  # noqa: E402

AZ = str(Path(sys.executable).with_name("az"))
OURS = REPOSITORY / ".az" / "extensions" / "iotjobs"
GOAL, ROUNDS = 1.05, 15
PATCH = '{"tags": {"a": 1}}'
NOBODY = "deviceId = 'nobody'"  # a job for no device: what is measured is the command
TYPED = ("job show", "job create", "device-twin show", "invoke-device-method", "fleet-job show", "fleet-job list")
HELP = {"az iot -h": ("iot", "-h"), "az iot hub fleet-job -h": ("iot", "hub", "fleet-job", "-h")}
TAB = "Tab"
TAB_LINE = "az iot hub fleet-job s"
ROW_NAMES = {f"command_start_{each.replace(' ', '_').replace('-', '_')}": each for each in TYPED} | {
    "az_help": "az iot -h",
    "az_help_group": "az iot hub fleet-job -h",
    "tab_completion": TAB,
}
Words = Callable[[str], tuple[str, ...]]  # of a command, for the job id of a round


class Taken(NamedTuple):
    """What a command took."""

    wall_s: float
    cpu_s: float  # of az and what it started: hardly changes when others use the machine too


@dataclass
class Peer:
    """An az with one extension."""

    environment: dict[str, str]
    commands: dict[str, Words]
    taken: dict[str, list[Taken]] = field(default_factory=dict)

    def run(self, command: str, job: str) -> Taken:
        start, before = time.perf_counter(), computing_s()
        if command == TAB:
            complete(self.environment, TAB_LINE)
        else:
            az(self.environment, *(HELP[command] if command in HELP else self.commands[command](job)))
        return Taken(time.perf_counter() - start, computing_s() - before)


class Failed(Exception):
    """A command did not end well."""


class Setting(NamedTuple):
    """What the commands ask for."""

    hub: dict[str, Any]  # as `az iot local-hub start` shows it
    folder: Path
    ours: dict[str, str]  # the environment with our extension


@contextmanager
def setting() -> Iterator[Setting]:
    """A hub with a device that is connected, a job and a fleet job."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = environment(folder / "ours", OURS)
        start = "iot local-hub start --detach --in-memory --https-port 0 --mqtt-port 0 --amqp-port 0 --data-dir"
        hub = json.loads(az(ours, *start.split(), str(folder / "hub")))
        try:
            az(ours, "iot", "hub", "device-identity", "create", "-n", hub["hostName"], "-d", "bench")
            az(ours, *our_commands(hub)["job create"]("bench"))
            save = "iot hub fleet-job create --fleet-job-id bench --method-name reboot --query-condition * -n"
            az(ours, *save.split(), hub["hostName"])
            device = PacketDevices(endpoint(hub), ["bench"], processes=1)
            try:
                assert device.connect(1)["connected"] == 1
                yield Setting(hub, folder, ours)
            finally:
                device.close()
        finally:
            az(ours, "iot", "local-hub", "stop")


def endpoint(hub: dict[str, Any]) -> HubEndpoint:
    """The way in for devices."""
    return HubEndpoint(
        host="127.0.0.1",
        port=hub["mqttPort"],
        ca_file=hub["caCertificatePath"],
        hub_name="localhost",
        policy="iothubowner",
        policy_key=hub["connectionString"].split("SharedAccessKey=")[1],
    )


def measured(rounds: int, commands: tuple[str, ...] = (*TYPED, *HELP, TAB)) -> tuple[dict[str, Peer], list[str]]:
    """All peers, with what each command took them, round for round; and who is not compared, with the reason."""
    with setting() as prepared:
        found, missing = peers(prepared)
        for turn in range(rounds + 1):
            for command in commands:
                # There and back, so that none always comes after the same one.
                for name, peer in sorted(found.items(), reverse=bool(turn % 2)):
                    if command not in HELP and command != TAB and command not in peer.commands:
                        continue
                    taken = peer.run(command, f"bench-{name}-{turn}")
                    if turn:  # the first round builds az's command index
                        peer.taken.setdefault(command, []).append(taken)
    return found, missing


def peers(prepared: Setting) -> tuple[dict[str, Peer], list[str]]:
    """Who is compared, azure-iot only when it is there and answers; and who is not, with the reason."""
    hub, folder, ours = prepared
    commands = floor_commands(hub, kept(folder))
    found = {
        "floor": Peer(environment(folder / "floor", lay_floor(folder / "made")), commands),
        "ours": Peer(ours, our_commands(hub)),
        "stand-in": Peer(environment(folder / "stand-in", lay_stand_in(folder / "made")), commands),
    }
    installed = reference_folder()
    if installed is None:
        return found, ["azure-iot is not installed, so it is not compared"]
    # It knows no local hub: the bundle has it trust this one's authority.
    trusting = {**environment(folder / "azure-iot", installed), "REQUESTS_CA_BUNDLE": hub["caBundlePath"]}
    reference = Peer(trusting, reference_commands(hub))
    try:
        for command in reference.commands:
            reference.run(command, "bench-reference")
    except Failed as err:
        return found, [f"azure-iot: {err}, so it is not compared"]
    return {**found, "azure-iot": reference}, []


def compare(found: Mapping[str, Peer], rounds: int) -> None:
    """Print medians and ratios."""
    for command, least in found["floor"].taken.items():
        for name, peer in found.items():
            if command not in peer.taken:
                continue
            ratio, cpu_ratio = (
                statistics.median(
                    mine[each] / floor[each] for mine, floor in zip(peer.taken[command], least, strict=True)
                )
                for each in (0, 1)
            )
            verdict = "" if name != "ours" else f"  goal {GOAL:.2f}: {'met' if cpu_ratio <= GOAL else 'missed'}"
            say(
                f"{command:24} {name:9} {median(peer, command).wall_s:.3f} s  / floor {ratio:.3f}   computing "
                f"{median(peer, command).cpu_s:.3f} s  / floor {cpu_ratio:.3f}  of {rounds}{verdict}"
            )


def median(peer: Peer, command: str) -> Taken:
    """Of wall clock and of computing, each for itself."""
    return Taken(*(statistics.median(each) for each in zip(*peer.taken[command], strict=True)))


def rows(wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page: seconds of computing of each command, and of the typed ones on average."""
    typed = (
        tuple(ROW_NAMES.values())
        if "command_start" in wanted
        else tuple(command for name, command in ROW_NAMES.items() if name in wanted)
    )
    found, missing = measured(1 if is_short else ROUNDS, typed)
    peer = "azure-iot" if "azure-iot" in found else "stand-in"
    peer_is = "azure-iot" if peer == "azure-iot" else "an extension of azure-iot's size"

    def row(name: str, what: str, commands: tuple[str, ...]) -> Row:
        figures = {
            who: statistics.mean(median(found[who], each).cpu_s for each in commands)
            if all(each in found[who].taken for each in commands)
            else None
            for who in ("ours", peer, "floor")
        }
        return Row(
            name=name,
            what=what,
            unit="s of CPU",
            ours=figures["ours"],
            peer=figures[peer],
            floor=figures["floor"],
            peer_is=peer_is,
            floor_is="an extension of six commands",
            notes=tuple(missing),
        )

    if "command_start" in wanted:
        yield row("command_start", f"a whole az command, the mean of {', '.join(TYPED)}", TYPED)
    for name, command in ROW_NAMES.items():
        if name in wanted:
            what = f"Tab after `{TAB_LINE}`" if command == TAB else f"`{command}`, whole"
            yield row(name, what, (command,))


def floor_commands(hub: dict[str, Any], file: Path) -> dict[str, Words]:
    """The same requests, already signed; of fleet jobs, one row of a file."""
    token = owner_token(hub["connectionString"].split("SharedAccessKey=")[1])
    shared = ("--ca", hub["caCertificatePath"], "--token", token)

    def url(path: str) -> tuple[str, ...]:
        return ("--url", f"https://{hub['hostName']}{path}?api-version=2021-04-12", *shared)

    def body(job: str) -> str:
        asked = {"jobId": job, "type": "scheduleUpdateTwin", "queryCondition": NOBODY, "maxExecutionTimeInSeconds": 60}
        return json.dumps({**asked, "updateTwin": {**json.loads(PATCH), "etag": "*"}})

    called = url("/twins/bench/methods")
    return {
        "job show": lambda _: ("iot", "hub", "job", "show", *url("/jobs/v2/bench")),
        "job create": lambda job: ("iot", "hub", "job", "create", *url(f"/jobs/v2/{job}"), "--body", body(job)),
        "device-twin show": lambda _: ("iot", "hub", "device-twin", "show", *url("/twins/bench")),
        "invoke-device-method": lambda _: (
            *("iot", "hub", "invoke-device-method", *called),
            *("--body", '{"methodName": "reboot", "responseTimeoutInSeconds": 30, "payload": null}'),
        ),
        "fleet-job show": lambda _: ("iot", "hub", "fleet-job", "show", "--file", str(file)),
        "fleet-job list": lambda _: ("iot", "hub", "fleet-job", "list", "--file", str(file)),
    }


def kept(folder: Path) -> Path:
    """A SQLite file with one document, for the floor."""
    file = folder / "kept.sqlite"
    with sqlite3.connect(file) as store:
        store.execute("CREATE TABLE kept (document TEXT)")
        store.execute("INSERT INTO kept VALUES (?)", (json.dumps({"fleetJobId": "bench", "lastRun": None}),))
    store.close()
    return file


def our_commands(hub: dict[str, Any]) -> dict[str, Words]:
    """As one types them for a local hub."""
    where = ("-n", hub["hostName"])
    return typed_commands(*where) | {
        "fleet-job show": lambda _: ("iot", "hub", "fleet-job", "show", *where, "--fleet-job-id", "bench"),
        "fleet-job list": lambda _: ("iot", "hub", "fleet-job", "list", *where),
    }


def reference_commands(hub: dict[str, Any]) -> dict[str, Words]:
    """The reference finds a hub by its connection string only."""
    return typed_commands("--login", hub["connectionString"])


def typed_commands(*where: str) -> dict[str, Words]:
    """The commands as both extensions take them."""
    made = ("--job-type", "scheduleUpdateTwin", "--twin-patch", PATCH, "--query-condition", NOBODY, "--ttl", "60")
    called = ("--device-id", "bench", "--method-name", "reboot")
    return {
        "job show": lambda _: ("iot", "hub", "job", "show", *where, "--job-id", "bench"),
        "job create": lambda job: ("iot", "hub", "job", "create", *where, "--job-id", job, *made),
        "device-twin show": lambda _: ("iot", "hub", "device-twin", "show", *where, "--device-id", "bench"),
        "invoke-device-method": lambda _: ("iot", "hub", "invoke-device-method", *where, *called),
    }


def reference_folder() -> Path | None:
    """Where az would find azure-iot."""
    users_az = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    places = (os.environ.get("AZURE_EXTENSION_DIR"), users_az / "cliextensions", REPOSITORY / ".az" / "extensions")
    return next((each for place in places if place and (each := Path(place, "azure-iot")).is_dir()), None)


def environment(folder: Path, extension: Path) -> dict[str, str]:
    """az with folders of its own, and one extension."""
    (folder / "config").mkdir(parents=True)
    (folder / "extensions").mkdir()
    (folder / "extensions" / extension.name).symlink_to(extension.resolve(), target_is_directory=True)
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "AZURE_CONFIG_DIR": str(folder / "config"),
        "AZURE_EXTENSION_DIR": str(folder / "extensions"),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
    }


def owner_token(key: str) -> str:
    """A token made once: the floor does not sign."""
    expiry = int(time.time()) + 86400
    mac = hmac.new(base64.b64decode(key), f"localhost\n{expiry}".encode(), hashlib.sha256).digest()
    return f"SharedAccessSignature sr=localhost&sig={quote(base64.b64encode(mac), safe='')}&se={expiry}&skn=iothubowner"


def computing_s() -> float:
    """Processor seconds of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def az(env: dict[str, str], *words: str) -> str:
    """Run az. Raises Failed."""
    done = subprocess.run([AZ, *words], env=env, cwd=env["AZURE_CONFIG_DIR"], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"az {' '.join(words[:4])} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def complete(env: dict[str, str], line: str) -> list[str]:
    """What a shell is offered when Tab is pressed: as argcomplete's code for shells asks. Raises Failed."""
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SUPPRESS_SPACE": "1", "COMP_LINE": line}
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" 8>&1 9>/dev/null 1>/dev/null', AZ],  # 8 is for the answer, 9 for debugging
        env={**env, **asked, "COMP_POINT": str(len(line))},
        cwd=env["AZURE_CONFIG_DIR"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode or not done.stdout:
        raise Failed(f"Tab after {line!r} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout.split("\n")


def say(line: str) -> None:
    """A line of the result."""
    sys.stdout.write(f"{line}\n")


def main(rounds: int) -> None:
    """Compare all, and print it."""
    found, missing = measured(rounds)
    compare(found, rounds)
    for each in missing:
        say(each)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
