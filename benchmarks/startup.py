"""How long `az iot hub job show` takes from start to end, beside the least that an extension can take.

Peers, in the same run and in turn, so that a busy machine is busy for all:
  floor    an extension of one command that makes one request with `requests` to the same local hub and prints it
  ours     az iot hub job show
  az       az version, which loads no command module

Run: make .stamps/extension && .venv/bin/python benchmarks/startup.py [pairs]
"""

import base64
import hashlib
import hmac
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

REPOSITORY = Path(__file__).resolve().parents[1]
AZ = str(Path(sys.executable).with_name("az"))
OURS = Path(os.environ.get("AZURE_EXTENSION_DIR", REPOSITORY / ".az" / "extensions"))

FLOOR = """
from azure.cli.core import AzCommandsLoader


class FloorLoader(AzCommandsLoader):
    def load_command_table(self, args):
        with self.command_group("iot hub job", operations_tmpl="azext_floor#{}") as g:
            g.command("show", "show")
        return self.command_table

    def load_arguments(self, command):
        with self.argument_context("iot hub job show") as c:
            c.argument("url", options_list=["--url"])
            c.argument("ca", options_list=["--ca"])
            c.argument("token", options_list=["--token"])


def show(url, ca, token):
    import requests

    return requests.get(url, headers={"Authorization": token}, verify=ca, proxies={"https": ""}, timeout=30).json()


COMMAND_LOADER_CLS = FloorLoader
"""


def main(pairs: int) -> None:
    """Start a hub, compare, stop it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_floor(folder / "floor-extensions")
        ours = environment(folder / "ours-config", OURS)
        floor = environment(folder / "floor-config", folder / "floor-extensions")
        start = (
            "iot", "local-hub", "start", "--detach", "--in-memory", "--https-port", "0", "--mqtt-port", "0",
            "--data-dir", str(folder / "hub"),
        )  # fmt: skip
        hub = json.loads(az(ours, *start))
        try:
            compare(hub, ours, floor, pairs)
        finally:
            az(ours, "iot", "local-hub", "stop")


def compare(hub: dict, ours: dict[str, str], floor: dict[str, str], pairs: int) -> None:
    """Run each peer in turn, and print medians and the ratio."""
    name = hub["hostName"]
    job = ("--job-id", "bench", "--job-type", "scheduleUpdateTwin", "--twin-patch", '{"tags":{"a":1}}', "-q", "*")
    az(ours, "iot", "hub", "job", "create", "-n", name, *job)
    token = owner_token(hub["connectionString"].split("SharedAccessKey=")[1])
    url = f"https://{name}/jobs/v2/bench?api-version=2021-04-12"
    commands = {
        "floor": (floor, "iot", "hub", "job", "show", "--url", url, "--ca", hub["caCertificatePath"], "--token", token),
        "ours": (ours, "iot", "hub", "job", "show", "-n", name, "--job-id", "bench"),
        "az": (floor, "version"),
    }
    taken: dict[str, list[float]] = {each: [] for each in commands}
    for turn in range(pairs + 1):
        for each, (env, *words) in commands.items():
            start = time.perf_counter()
            az(env, *words)
            if turn:  # the first round builds az's command index
                taken[each].append(time.perf_counter() - start)
    for each, times in taken.items():
        sys.stdout.write(f"{each:6} median {statistics.median(times):.3f} s  of {len(times)}\n")
    ratio = statistics.median(a / b for a, b in zip(taken["ours"], taken["floor"], strict=True))
    sys.stdout.write(f"ours / floor: {ratio:.3f} (median of pairs)\n")


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


def environment(config: Path, extensions: Path) -> dict[str, str]:
    """az with folders of its own."""
    config.mkdir()
    return {
        **os.environ,
        "AZURE_CONFIG_DIR": str(config),
        "AZURE_EXTENSION_DIR": str(extensions),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
    }


def owner_token(key: str) -> str:
    """A token made once: the floor does not sign."""
    expiry = int(time.time()) + 86400
    mac = hmac.new(base64.b64decode(key), f"localhost\n{expiry}".encode(), hashlib.sha256).digest()
    return f"SharedAccessSignature sr=localhost&sig={quote(base64.b64encode(mac), safe='')}&se={expiry}&skn=iothubowner"


def az(env: dict[str, str], *words: str) -> str:
    """Run az; a command that fails ends the benchmark."""
    done = subprocess.run([AZ, *words], env=env, cwd=env["AZURE_CONFIG_DIR"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"az {' '.join(words[:5])} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
