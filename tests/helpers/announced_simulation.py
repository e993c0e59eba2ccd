"""A simulation of devices of a real hub, on a thread of this process, announced and monitored as the command does."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from azext_iotjobs.cli.hub_access.running_simulations import running_simulations
from azext_iotjobs.cli.simulate import monitor
from azext_iotjobs.cli.simulate.announced import announced, facts_of
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.simulate import event_loop
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import LIMIT_S, wait_until

EVERY_S = 1
MANY = 100_000  # messages: more than a test waits for


@contextmanager
def announced_simulation(
    hub: HubProcess, ids: Sequence[str], behaviour: Sequence[str] = (), expect: Sequence[str] = ()
) -> Iterator[str]:
    """Simulate devices that are registered, each with a message every second, until the end; gives the id.

    behaviour: what the state file names; the devices behave as without one.
    """
    target = HubTarget(hub.host, hub.https_port, hub.mqtt_port, hub.ca, is_local=True)
    options = SimulateOptions(until=["1h"], expect=list(expect))
    stop, clock = threading.Event(), SystemClock()
    plan = monitor.read(options)
    facts = facts_of(target, ids, behaviour, options)

    def run() -> None:
        with (
            monitor.open_sinks(plan) as sinks,
            announced(facts, clock, stop) as seen,
            monitor.monitoring(plan, sinks, ids, clock, seen) as monitored,
        ):
            monitored.on_tick = seen.write
            seen.write(monitored.standing())
            devices = [_device(hub, each, number) for number, each in enumerate(ids)]
            event_loop.run(target, devices, monitored.on_activity, clock, monitored)

    before = {each["id"] for each in running_simulations()}
    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until("it is announced", lambda: {each["id"] for each in running_simulations()} - before)
        (simulation,) = {each["id"] for each in running_simulations()} - before
        yield simulation
    finally:
        stop.set()
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def _device(hub: HubProcess, device: str, number: int) -> event_loop.SimulatedDevice:
    return event_loop.SimulatedDevice(
        device_id=device,
        credential=DeviceKey(device_id=device, key=hub.key(), policy=hub.policy),
        behaviour=Behaviour(),
        plan=TelemetryPlan(text="ping", count=MANY, interval_s=EVERY_S),
        number=number,
    )
