"""How long whole az commands take against the local hub, beside the least that an extension can take.

Commands: job show, job create, device-twin show. Peers, in the same run and in turn, so that a busy machine is busy for
all, and each with no other extension beside it:
  floor      an extension of three commands that each make one request with `requests` and print the answer
  ours       this checkout's extension
  reference  Microsoft's azure-iot, if it is installed where az looks for extensions

Ratios are medians over the rounds. The goal: ours within 1.10 of the floor.

Run: make .stamps/extension && .venv/bin/python benchmarks/cli.py [rounds]
With one round it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import base64
import hashlib
import hmac
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

REPOSITORY = Path(__file__).resolve().parents[1]
AZ = str(Path(sys.executable).with_name("az"))
OURS = REPOSITORY / ".az" / "extensions" / "iotjobs"
GOAL = 1.10
PATCH = '{"tags": {"a": 1}}'
NOBODY = "deviceId = 'nobody'"  # a job for no device: what is measured is the command

FLOOR = """
from azure.cli.core import AzCommandsLoader

COMMANDS = {"iot hub job": ("show", "create"), "iot hub device-twin": ("show",)}


class FloorLoader(AzCommandsLoader):
    def load_command_table(self, args):
        for group, verbs in COMMANDS.items():
            with self.command_group(group, operations_tmpl="azext_floor#{}") as g:
                for verb in verbs:
                    g.command(verb, "ask")
        return self.command_table

    def load_arguments(self, command):
        with self.argument_context(command) as c:
            for name in ("url", "ca", "token", "body"):
                c.argument(name, options_list=["--" + name])


def ask(url, ca, token, body=None):
    import requests

    return requests.request(
        "PUT" if body else "GET", url, data=body, verify=ca, proxies={"https": ""}, timeout=30,
        headers={"Authorization": token, "Content-Type": "application/json"},
    ).json()


COMMAND_LOADER_CLS = FloorLoader
"""


@dataclass
class Peer:
    """An az with one extension; `commands` gives the words of each command, for the job id of a round."""

    environment: dict[str, str]
    commands: dict[str, Callable[[str], tuple[str, ...]]]
    taken: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def run(self, command: str, job: str) -> tuple[float, float]:
        """Seconds from start to end, and of computing: those hardly change when others use the machine too."""
        start, before = time.perf_counter(), computing_s()
        az(self.environment, *self.commands[command](job))
        return time.perf_counter() - start, computing_s() - before


class Failed(Exception):
    """A command did not end well."""


def main(rounds: int) -> None:
    """Start a hub, compare, stop it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = environment(folder / "ours", OURS)
        start = "iot local-hub start --detach --in-memory --https-port 0 --mqtt-port 0 --amqp-port 0 --data-dir"
        hub = json.loads(az(ours, *start.split(), str(folder / "hub")))
        try:
            az(ours, "iot", "hub", "device-identity", "create", "-n", hub["hostName"], "-d", "bench")
            az(ours, *our_commands(hub)["job create"]("bench"))
            compare(peers(hub, folder, ours), rounds)
        finally:
            az(ours, "iot", "local-hub", "stop")


def peers(hub: dict[str, Any], folder: Path, ours: dict[str, str]) -> dict[str, Peer]:
    """Who is compared; the reference only when it is there and answers."""
    lay_floor(folder / "made")
    found = {
        "floor": Peer(environment(folder / "floor", folder / "made" / "floor"), floor_commands(hub)),
        "ours": Peer(ours, our_commands(hub)),
    }
    installed = reference_folder()
    if installed is None:
        say("reference: azure-iot is not installed, so it is not compared")
        return found
    # The reference knows no local hub: the bundle has it trust this one's authority.
    trusting = {**environment(folder / "reference", installed), "REQUESTS_CA_BUNDLE": hub["caBundlePath"]}
    reference = Peer(trusting, reference_commands(hub))
    try:
        for command in reference.commands:
            reference.run(command, "bench-reference")
    except Failed as err:
        say(f"reference: {err}, so it is not compared")
        return found
    return {**found, "reference": reference}


def compare(found: dict[str, Peer], rounds: int) -> None:
    """Run all peers in turn, and print medians and ratios."""
    for turn in range(rounds + 1):
        for command in found["floor"].commands:
            # There and back, so that none always comes after the same one.
            for name, peer in sorted(found.items(), reverse=bool(turn % 2)):
                seconds = peer.run(command, f"bench-{name}-{turn}")
                if turn:  # the first round builds az's command index
                    peer.taken.setdefault(command, []).append(seconds)
    for command, least in found["floor"].taken.items():
        for name, peer in found.items():
            wall, cpu = ([turn[each] for turn in peer.taken[command]] for each in (0, 1))
            ratio, cpu_ratio = (
                statistics.median(
                    mine[each] / floor[each] for mine, floor in zip(peer.taken[command], least, strict=True)
                )
                for each in (0, 1)
            )
            verdict = "" if name != "ours" else f"  goal {GOAL:.2f}: {'met' if ratio <= GOAL else 'missed'}"
            say(
                f"{command:16} {name:9} {statistics.median(wall):.3f} s  / floor {ratio:.3f}   computing "
                f"{statistics.median(cpu):.3f} s  / floor {cpu_ratio:.3f}  of {rounds}{verdict}"
            )


def floor_commands(hub: dict[str, Any]) -> dict[str, Callable[[str], tuple[str, ...]]]:
    """The same requests, already signed."""
    token = owner_token(hub["connectionString"].split("SharedAccessKey=")[1])
    shared = ("--ca", hub["caCertificatePath"], "--token", token)

    def url(path: str) -> tuple[str, ...]:
        return ("--url", f"https://{hub['hostName']}{path}?api-version=2021-04-12", *shared)

    def body(job: str) -> str:
        asked = {"jobId": job, "type": "scheduleUpdateTwin", "queryCondition": NOBODY, "maxExecutionTimeInSeconds": 60}
        return json.dumps({**asked, "updateTwin": {**json.loads(PATCH), "etag": "*"}})

    return {
        "job show": lambda _: ("iot", "hub", "job", "show", *url("/jobs/v2/bench")),
        "job create": lambda job: ("iot", "hub", "job", "create", *url(f"/jobs/v2/{job}"), "--body", body(job)),
        "device-twin show": lambda _: ("iot", "hub", "device-twin", "show", *url("/twins/bench")),
    }


def our_commands(hub: dict[str, Any]) -> dict[str, Callable[[str], tuple[str, ...]]]:
    """As one types them for a local hub."""
    return typed_commands("-n", hub["hostName"])


def reference_commands(hub: dict[str, Any]) -> dict[str, Callable[[str], tuple[str, ...]]]:
    """The reference finds a hub by its connection string only."""
    return typed_commands("--login", hub["connectionString"])


def typed_commands(*where: str) -> dict[str, Callable[[str], tuple[str, ...]]]:
    """The commands as both extensions take them."""
    made = ("--job-type", "scheduleUpdateTwin", "--twin-patch", PATCH, "--query-condition", NOBODY, "--ttl", "60")
    return {
        "job show": lambda _: ("iot", "hub", "job", "show", *where, "--job-id", "bench"),
        "job create": lambda job: ("iot", "hub", "job", "create", *where, "--job-id", job, *made),
        "device-twin show": lambda _: ("iot", "hub", "device-twin", "show", *where, "--device-id", "bench"),
    }


def reference_folder() -> Path | None:
    """Where az would find azure-iot."""
    users_az = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    places = (os.environ.get("AZURE_EXTENSION_DIR"), users_az / "cliextensions", REPOSITORY / ".az" / "extensions")
    return next((each for place in places if place and (each := Path(place, "azure-iot")).is_dir()), None)


def lay_floor(extensions: Path) -> None:
    """The smallest extension that does the same, as az finds it on disk."""
    package = extensions / "floor" / "azext_floor"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FLOOR, encoding="utf-8")
    shutil.copy(REPOSITORY / "azext_iotjobs" / "azext_metadata.json", package)
    dist_info = extensions / "floor" / "floor-1.0.dist-info"
    dist_info.mkdir()
    (dist_info / "METADATA").write_text("Metadata-Version: 2.1\nName: floor\nVersion: 1.0\n", encoding="utf-8")
    (dist_info / "metadata.json").write_text(json.dumps({"name": "floor", "version": "1.0"}), encoding="utf-8")


def environment(folder: Path, extension: Path) -> dict[str, str]:
    """az with folders of its own, and one extension."""
    (folder / "config").mkdir(parents=True)
    (folder / "extensions").mkdir()
    (folder / "extensions" / extension.name).symlink_to(extension.resolve(), target_is_directory=True)
    return {
        **os.environ,
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


def say(line: str) -> None:
    """A line of the result."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
