"""Options of az iot local-hub start for what runs a hub and for who reaches it, as a user meets them."""

import json
from pathlib import Path

from tests.helpers.az import Az


def test_the_ready_file_has_what_start_prints_and_goes_with_the_hub(az: Az, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    ports = ("--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0")
    options = ("--detach", "--in-memory", *ports, "--bind", "127.0.0.8", "--data-dir", str(tmp_path / "data"))
    hub = az.json("iot local-hub start", *options, "--ready-file", str(ready))
    assert json.loads(ready.read_text()) == hub
    assert az.run("iot local-hub stop", "-n", f"127.0.0.8:{hub['httpsPort']}").code == 0
    assert not ready.exists()
    refused = az.run("iot local-hub start", *options, "--ready-file", str(tmp_path / "no" / "ready.json"))
    assert refused.code == 1
    assert "--ready-file" in refused.stderr and "there is no folder" in refused.stderr
