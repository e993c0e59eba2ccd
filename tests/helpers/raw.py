"""Many devices in one go, without az."""

from pathlib import Path
from typing import Any

import requests

from tests.helpers.hub_process import API_VERSION, sas


def many_devices(hub: dict[str, Any], devices: list[str]) -> None:
    """Register devices on a running local hub; `hub` is what it printed."""
    key = dict(part.partition("=")[::2] for part in hub["connectionString"].split(";"))["SharedAccessKey"]
    session = requests.Session()
    session.trust_env = False
    headers = {"Authorization": sas(key, "localhost", policy="iothubowner")}
    for device in devices:
        url = f"https://{hub['hostName']}/devices/{device}?api-version={API_VERSION}"
        answer = session.put(url, json={}, headers=headers, verify=str(Path(hub["caCertificatePath"])), timeout=30)
        assert answer.ok, answer.text
    session.close()
