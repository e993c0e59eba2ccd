"""Handler of az iot device simulate: one device over MQTT or HTTPS, or many devices over MQTT."""

from typing import Any

from azext_iotjobs.cli.input.option_groups import take_group
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.simulate import http, one_device
from azext_iotjobs.cli.simulate.device_options import HTTP, DeviceOptions
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.model.message import Settlement


def simulate(cmd: Any, client: HubClient, device: str | None = None, **kwargs: Any) -> dict[str, Any] | None:
    """Simulate a device until its messages are sent or until Ctrl-C, or many devices until --until says.

    kwargs: what DeviceOptions and SimulateOptions name.
    Gives the result of many devices; None for one device, whose activities are printed as they happen.
    """
    one = DeviceOptions(device, kwargs)
    many = take_group(SimulateOptions, kwargs)
    many.check(device)
    if one.link.protocol == HTTP and many.is_typed:
        raise ConflictingChoice(
            "--protocol http simulates one device.", hint="Leave it out: many devices are simulated over MQTT."
        )
    one.check()
    settings = one.read()
    if one.link.protocol == HTTP:
        assert device is not None  # checked above
        key = settings.sign_in.key(client, device)
        with stopped_by_ctrl_c() as stop:
            http.simulate(client.device(device, key), device, settings.plan, Settlement(one.link.receive_settle), stop)
        return None
    if many.is_typed:
        from azext_iotjobs.cli.simulate import many_devices

        return many_devices.simulate(cmd, client, settings, many)
    assert device is not None
    one_device.simulate(client, device, settings)
    return None
