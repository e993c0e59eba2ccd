"""What the local hub's commands say."""

import subprocess
from pathlib import Path

import pytest

from azext_iotjobs.cli.hub_access.running_hubs import RunningHub
from azext_iotjobs.cli.local_hub import process
from azext_iotjobs.cli.local_hub.command import how_to_use
from azext_iotjobs.cli.output.hints import commands_in
from azext_iotjobs.model.errors import StateError


@pytest.mark.parametrize("folder", ["/tmp/hub", "/tmp/my hub", "/tmp/$HOME `id` it's \\"])
def test_the_lines_for_a_shell_set_what_they_say_whatever_the_path_holds(folder: str) -> None:
    document = {
        "hostName": "localhost",
        "caBundlePath": f"{folder}/bundle.pem",
        "caCertificatePath": f"{folder}/ca.pem",
    }
    lines = [line for line in how_to_use(document).splitlines() if line.startswith("  export ")]
    script = "\n".join([*lines, 'printf "%s|%s" "$REQUESTS_CA_BUNDLE" "$NODE_EXTRA_CA_CERTS"'])
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == f"{folder}/bundle.pem|{folder}/ca.pem"


def test_a_hub_that_runs_in_the_folder_already_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {"bind": "127.0.0.1", "httpsPort": 8443, "dataDirectory": str(tmp_path)}
    monkeypatch.setattr(process, "running_hubs", lambda: [RunningHub(document, tmp_path / "8443.json")])
    with pytest.raises(StateError, match=r"runs in the data folder .* already, at localhost:8443\.") as raised:
        process._check_not_in_use(tmp_path)
    assert "-n localhost:8443" in str(raised.value.hint)
    assert commands_in(raised.value.hint or "") == [
        "az iot local-hub stop -n localhost:8443",
        "az iot local-hub start --bind 127.0.0.2 --data-dir hub-2",
    ]
