"""Devices that sign in with certificates, and devices behind a firewall that lets HTTPS through alone."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub, running_hub
from tests.helpers.az import Az
from tests.helpers.device_certificates import make

SECRET = "not for anyone's eyes"


@pytest.fixture(scope="module")
def own_hub(az: Az, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    """A hub of its own: the others must not be asked for certificates because of these devices."""
    yield from running_hub(az, tmp_path_factory.mktemp("hub"))


def answers_methods(hub: ScenarioHub, device: str, output: Path, *options: str) -> bool:
    """Whether the device, simulated with these options, answers a method."""
    simulated = hub.az.start(f"iot device simulate -n {hub.name} -d {device}", *options, output=output)
    try:
        hub.wait_for_connection(device)
        call = ("iot", "hub", "invoke-device-method", "-n", hub.name, "-d", device, "--mn", "m", "--mp", "[1]")
        return bool(hub.az.json(*call)["status"] == 200)
    finally:
        simulated.send_signal(signal.SIGINT)
        assert simulated.wait(30) == 0, Path(f"{output}.err").read_text()


def simulate(hub: ScenarioHub, device: str, *options: str) -> tuple[int, str]:
    ran = hub.az.run(f"iot device simulate -n {hub.name} -d {device} --mc 1 --mi 1", *options)
    return ran.code, ran.stderr


def test_a_simulated_device_answers_methods_over_websocket(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("ws-method")
    assert answers_methods(hub, "ws-method", tmp_path / "o", "--websocket")


@pytest.mark.parametrize("more", [(), ("--websocket",)], ids=["MQTT", "WebSocket"])
def test_a_certificate_that_az_made_signs_in(own_hub: ScenarioHub, tmp_path: Path, more: tuple[str, ...]) -> None:
    device = f"made{len(more)}"
    own_hub.az.json(
        f"iot hub device-identity create -n {own_hub.name} -d {device} --auth-method x509_thumbprint",
        "--output-dir",
        str(tmp_path),
    )
    files = ("--cp", str(tmp_path / f"{device}-cert.pem"), "--kp", str(tmp_path / f"{device}-key.pem"))
    assert answers_methods(own_hub, device, tmp_path / "o", *files, *more)


def test_a_device_with_a_certificate_sends_a_message(own_hub: ScenarioHub, tmp_path: Path) -> None:
    az, hub = own_hub.az, ("-n", own_hub.name)
    az.json("iot hub device-identity create", *hub, "-d", "d2c", "--am", "x509_thumbprint", "--od", str(tmp_path))
    words = ("iot", "device", "send-d2c-message", *hub, "-d", "d2c")
    without = az.run(*words)
    assert without.code == 1 and "--certificate-file-path" in without.stderr, without.stderr
    files = ("--cp", str(tmp_path / "d2c-cert.pem"), "--kp", str(tmp_path / "d2c-key.pem"))
    for more in ((), ("--websocket",)):
        ran = az.run(*words, *files, *more, "--model-id", "dtmi:com:example:Thermostat;1")
        assert ran.code == 0 and "1 message sent" in ran.stderr, ran.stderr
    other = make("other").files(tmp_path)
    refused = az.run(*words, "--cp", other[0], "--kp", other[1])
    assert refused.code == 1 and "refused d2c" in refused.stderr and "Traceback" not in refused.stderr
    port = ("--https-port", str(own_hub.document["httpsPort"]))
    events = az.run("iot local-hub events", *port, "-d", "d2c", "--mc", "2", "--timeout", "30").stdout
    assert len(events.splitlines()) == 2


def test_a_ca_vouches_for_devices_until_it_is_removed(own_hub: ScenarioHub, tmp_path: Path) -> None:
    az, port = own_hub.az, ("--https-port", str(own_hub.document["httpsPort"]))
    root = make("root", ca=True)
    own = make("below", root)
    (tmp_path / "root.pem").write_text(root.pem)
    words = ("iot", "hub", "device-identity", "create", "-n", own_hub.name, "-d", "below", "--auth-method", "x509_ca")
    az.json(*words)
    certificate, key = own.files(tmp_path, passphrase=SECRET)
    files = ("--cp", certificate, "--kp", key, "--pass", SECRET)

    code, said = simulate(own_hub, "below", *files)
    assert code == 1 and "certificate" in said

    made = az.json("iot local-hub certificate create --name r", "--path", str(tmp_path / "root.pem"), *port)
    assert made["thumbprint"] == root.thumbprint().upper()
    assert [each["name"] for each in az.json("iot local-hub certificate list", *port)] == ["r"]
    assert simulate(own_hub, "below", *files)[0] == 0

    assert az.run("iot local-hub certificate delete --name r", *port).code == 0
    assert simulate(own_hub, "below", *files)[0] == 1
    assert az.run("iot local-hub certificate delete --name r", *port).code == 3


def test_what_is_no_ca_certificate_is_refused(own_hub: ScenarioHub, tmp_path: Path) -> None:
    root = make("root", ca=True)
    (tmp_path / "both.pem").write_bytes(root.pem.encode() + root.key_pem())
    (tmp_path / "device.pem").write_text(make("device").pem)
    (tmp_path / "root.der").write_bytes(root.der)
    for file, said in (
        ("both.pem", "private key"),
        ("device.pem", "not a CA"),
        ("root.der", "PEM"),
        ("nowhere.pem", "there is no file"),
    ):
        ran = own_hub.az.run(
            "iot local-hub certificate create --name bad",
            "--path",
            str(tmp_path / file),
            "--https-port",
            str(own_hub.document["httpsPort"]),
        )
        assert ran.code == 1, file
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr


def test_a_key_that_does_not_open_is_said_without_its_passphrase(own_hub: ScenarioHub, tmp_path: Path) -> None:
    certificate, key = make("d").files(tmp_path, passphrase="another")
    _, other_key = make("d").files(tmp_path)
    for options, said in (
        (("--kp", key, "--pass", SECRET), "passphrase is wrong"),
        (("--kp", key), "passphrase is missing"),
        (("--kp", other_key), "not the one"),
    ):
        code, stderr = simulate(own_hub, "d", "--cp", certificate, *options)
        assert code == 1
        assert said in stderr
        assert "Traceback" not in stderr and SECRET not in stderr


def test_a_device_with_a_certificate_is_told_to_show_it(own_hub: ScenarioHub) -> None:
    words = ("iot", "hub", "device-identity", "create", "-n", own_hub.name, "-d", "shy", "--auth-method", "x509_ca")
    own_hub.az.json(*words)
    code, said = simulate(own_hub, "shy")
    assert code == 1
    assert "--certificate-file-path" in said
