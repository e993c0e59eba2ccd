"""Our client and a hub whose tier throttles it."""

from pathlib import Path

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.target import HubTarget, SasKey
from tests.helpers.hub_process import HubProcess

TIME_SCALE = 40


class FastClock(SystemClock):
    """Sleeps as much less as the hub's quotas have their time pass faster."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / TIME_SCALE)


def test_the_client_rides_a_throttle_out(tmp_path: Path) -> None:
    waits: list[str] = []
    with HubProcess(tmp_path, "--in-memory", "--sku", "S1", "--time-scale", str(TIME_SCALE)) as hub:
        target = HubTarget(host="localhost", https_port=hub.ports[0], ca_file=hub.ca, is_local=True)
        key = SasKey(policy="iothubowner", key=hub.key())
        client = HubClient.open(target, key, FastClock(), on_wait=lambda why, *_: waits.append(why))
        hub.new_device("d1")
        many = {"policyKey": "both", "devices": [{"id": "d1"}] * 300}  # three minutes of what the tier grants
        hub.ok("POST", "/devices/keys/regenerate", many)
        assert hub.refused("GET", "/devices/d1") == (429, "ThrottlingBacklogTimeout")
        assert client.identities.get("d1").device_id == "d1"
    assert waits
