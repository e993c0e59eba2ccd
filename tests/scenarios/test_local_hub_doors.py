"""Options of az iot local-hub start for what runs a hub and for who reaches it, as a user meets them."""

import json
from pathlib import Path

from tests.helpers.az import Az

PORTS = ("--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0")
START = "iot local-hub start --detach --in-memory"


def test_the_ready_file_has_what_start_prints_and_goes_with_the_hub(az: Az, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    options = ("--detach", "--in-memory", *PORTS, "--bind", "127.0.0.8", "--data-dir", str(tmp_path / "data"))
    hub = az.json("iot local-hub start", *options, "--ready-file", str(ready))
    assert json.loads(ready.read_text()) == hub
    assert az.run("iot local-hub stop", "-n", f"127.0.0.8:{hub['httpsPort']}").code == 0
    assert not ready.exists()
    refused = az.run("iot local-hub start", *options, "--ready-file", str(tmp_path / "no" / "ready.json"))
    assert refused.code == 1
    assert "--ready-file" in refused.stderr and "there is no folder" in refused.stderr


def test_a_hub_that_others_reach_needs_a_name_says_so_and_is_localhost_here(az: Az, tmp_path: Path) -> None:
    options = (*PORTS, "--data-dir", str(tmp_path / "data"), "--bind", "0.0.0.0")
    for more, said in (((), "--dns-name iothub"), (("--dns-name", "login.example.com"), "on the Internet")):
        refused = az.run(START, *options, *more)
        assert (refused.code, said in refused.stderr) == (1, True), refused.stderr
    started = az.run(START, *options, "--dns-name", "iothub", "--dns-name", "hub.test")
    hub, which = started.json, ("-n", f"localhost:{started.json['httpsPort']}")
    try:
        assert started.stderr.count("its keys alone keep them out") == 1
        assert [each["hostName"].partition(":")[0] for each in hub["dnsNames"]] == ["iothub", "hub.test"]
        assert az.json("iot hub device-identity create -d d1", *which)["deviceId"] == "d1"
        assert az.json("iot local-hub show", *which)["dnsNames"] == hub["dnsNames"]
    finally:
        assert az.run("iot local-hub stop", *which).code == 0
    again = az.run(START, *options, "--dns-name", "other")
    assert az.run("iot local-hub stop", "-n", f"localhost:{again.json['httpsPort']}").code == 0
    assert f"{hub['caCertificatePath']} is new" in again.stderr
