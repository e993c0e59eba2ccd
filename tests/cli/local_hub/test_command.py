"""What the local hub's commands say."""

import subprocess

import pytest

from azext_iotjobs.cli.local_hub.command import how_to_use


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
