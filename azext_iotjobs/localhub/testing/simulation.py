"""Simulated devices for tests: a process of the package's simulator, which ends with the hub or with this process."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.testing.child import module_environment
from azext_iotjobs.localhub.testing.errors import LocalHubRefused, LocalHubTimeout, SimulationFailed
from azext_iotjobs.localhub.testing.received import shown
from azext_iotjobs.localhub.testing.waits import HubWaits, check_limit

SIMULATOR = "azext_iotjobs.cli.simulate"
CONNECT_LIMIT_S = 30.0
END_LIMIT_S = 30.0
MOST_DEVICES = 10_000
KNOWN = 409  # such a device is there already
LOG = "simulation-{}.log"


class Simulation:
    """Simulated devices: `with hub.simulate(...)`, or stop(); they end with their hub at the latest."""

    def __init__(self, device_ids: Sequence[str], settings: Mapping[str, Any], log: Path) -> None:
        """Start them; they are not connected yet.

        settings: where the hub is, who they are, how they behave.  log: a file for what their process writes.
        """
        self.device_ids = list(device_ids)  # all of them, in the order in which they were given
        self._log = log
        self._last_errors = ""  # once the log file is removed
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", SIMULATOR],
                cwd=log.parent,
                env=module_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({**settings, "deviceIds": self.device_ids}) + "\n")
            self.process.stdin.flush()
        except OSError:  # it has ended; waiting for its line says why
            pass

    @property
    def errors(self) -> str:
        """What their process wrote to stderr."""
        if not self._log.exists():
            return self._last_errors
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_connected(self, timeout_s: float = CONNECT_LIMIT_S) -> None:
        """Wait until all devices have been connected.

        timeout_s: more than 0, at most 3,600 s.
        Raises LocalHubTimeout, then they are stopped; SimulationFailed when they have ended instead.
        """
        check_limit(timeout_s)
        is_late = threading.Event()

        def give_up() -> None:
            is_late.set()
            self.process.kill()

        late = threading.Timer(timeout_s, give_up)
        late.start()
        try:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
        finally:
            late.cancel()
        if line:
            return
        self.stop()
        if is_late.is_set():
            raise LocalHubTimeout(
                f"The simulated devices {shown(self.device_ids)} were not all connected within {timeout_s:g} s. "
                f"{self.errors}"
            )
        raise SimulationFailed(f"The simulated devices have ended: {self.errors.strip() or self.process.returncode}")

    def stop(self) -> None:
        """Disconnect them and end their process."""
        self._close_input()
        try:
            self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._last_errors = self.errors

    def _close_input(self) -> None:
        """Tell it to end."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except OSError:  # it has ended, and what it was sent was not read
            pass

    def __enter__(self) -> "Simulation":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class HubSimulations(HubWaits):
    """Simulate devices at a hub."""

    _simulations: tuple[Simulation, ...] = ()

    def simulate(
        self,
        *device_ids: str,
        behaviour: Path | str | Mapping[str, Any] | None = None,
        seed: str = "",
        wait_connected: bool = True,
        timeout_s: float = CONNECT_LIMIT_S,
    ) -> Simulation:
        """Simulate devices over MQTT, in a process of their own, until the hub is closed or the simulation is stopped.

        device_ids: 1 to 10,000; those that the hub does not know are registered.
        behaviour: a behaviour file (YAML or JSON), its content as a document, or the name of a ready-made behaviour;
            None: methods are answered with 200, desired properties are reported.
        seed: of their random numbers.
        wait_connected: whether to wait until all have been connected, but for those that by their behaviour never are.
        timeout_s: of that wait, more than 0, at most 3,600 s.
        Raises SimulationFailed, which says what is wrong with the behaviour, or that paho-mqtt 2.1 is needed;
        LocalHubTimeout.
        """
        if not 1 <= len(device_ids) <= MOST_DEVICES:
            raise ValueError(f"{len(device_ids)} devices: give 1 to {MOST_DEVICES:,} ids.")
        for each in device_ids:
            self._register(each)
        settings = {**self._simulation_settings(), **_behaviour(behaviour), "seed": seed}
        log = self._own_folder() / LOG.format(len(self._simulations))
        simulation = Simulation(device_ids, settings, log)
        self._simulations += (simulation,)
        if wait_connected:
            simulation.wait_connected(timeout_s)
        return simulation

    def stop_simulations(self) -> None:
        """Stop all that were started here."""
        for each in self._simulations:
            each.stop()
        self._simulations = ()

    def _register(self, device_id: str) -> None:
        try:
            self.create_device(device_id)
        except LocalHubRefused as err:
            if err.status != KNOWN:
                raise

    def create_device(self, device_id: str, **members: Any) -> dict[str, Any]:
        """Register a device; gives its identity."""
        raise NotImplementedError

    def _own_folder(self) -> Path:
        """A folder on this machine that is this hub's alone."""
        raise NotImplementedError

    def _simulation_settings(self) -> dict[str, Any]:
        """Where the hub is, and the policy that signs the devices in."""
        raise NotImplementedError


def _behaviour(given: Path | str | Mapping[str, Any] | None) -> dict[str, Any]:
    """A behaviour as a text, and the name that errors have for it."""
    if given is None:
        return {"behaviour": "{}", "behaviourName": "no behaviour"}
    if isinstance(given, Mapping):
        return {"behaviour": json.dumps(given), "behaviourName": "behaviour"}
    path = Path(given)
    if isinstance(given, str) and not path.suffix and not path.exists():
        return {"behaviour": json.dumps({"based-on": given}), "behaviourName": "behaviour"}
    return {"behaviour": path.read_text(encoding="utf-8"), "behaviourName": str(path)}
