"""What a person sees at a terminal: the real az on a pty of some width, with and without color."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import AZ, TIMEOUT_S, Az

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no ptys")


def on_terminal(az: Az, width: int, *words: str, **environment: str) -> tuple[int, list[str]]:
    """The exit code of a command whose three streams are a terminal, and the lines that came to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    known = {**az.environment, "AZURE_CORE_NO_COLOR": "no", "TERM": "xterm-256color", **environment}
    known = {name: value for name, value in known.items() if value}
    with subprocess.Popen(
        [str(AZ), *words], stdin=theirs, stdout=theirs, stderr=theirs, env=known, cwd=az.config_dir
    ) as ran:
        os.close(theirs)
        text = b""
        while True:
            readable, _, _ = select.select([ours], [], [], TIMEOUT_S)
            if not readable:
                ran.kill()
                raise AssertionError(f"nothing more within {TIMEOUT_S} s, after {text!r}")
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux: the other side is closed
                part = b""
            if not part:
                break
            text += part
        code = ran.wait(TIMEOUT_S)
    os.close(ours)
    return code, text.decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_running_hubs_table_fits_the_terminal(hub: ScenarioHub, width: int) -> None:
    words = ("iot", "local-hub", "show", "--https-port", str(hub.document["httpsPort"]), "-o", "table")
    code, lines = on_terminal(hub.az, width, *words, NO_COLOR="1")
    assert code == 0 and max(map(len, lines)) <= width, lines
    assert any(line.startswith("HostName") and "HttpsPort" in line for line in lines)
    assert any(line.startswith(hub.name) for line in lines)


@pytest.mark.parametrize(
    ("environment", "is_plain"), [({"NO_COLOR": "1"}, True), ({"TERM": "dumb"}, True), ({"NO_COLOR": ""}, False)]
)
def test_color_is_the_users_choice_also_in_errors_and_json(az: Az, environment: dict[str, str], is_plain: bool) -> None:
    code, lines = on_terminal(az, 80, "iot", "hub", "fleet-job", "show", "-j", "none", **environment)
    assert code == 3 and any("There is no fleet job 'none'." in line for line in lines)
    assert ("\x1b" not in "".join(lines)) is is_plain, lines


def test_reading_commands_make_nothing_at_a_folder_that_is_not_there(az: Az) -> None:
    wrong = az.config_dir / "wrong"
    for verb in ("list", "group list"):
        ran = az.run("iot hub fleet-job", *verb.split(), "--state-dir", str(wrong))
        assert ran.code == 1 and f"--state-dir {wrong}: there is no such folder" in ran.stderr
    assert not wrong.exists()
    assert az.json("iot hub fleet-job list") == []
