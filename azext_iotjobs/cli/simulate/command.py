"""Handler of az iot device simulate: one device over MQTT or HTTPS, or many devices over MQTT."""

from typing import Any

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.hub_access.resolve import HubArguments
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.simulate import device_options, http, one_device
from azext_iotjobs.cli.simulate.behaviour.options import BehaviourOptions
from azext_iotjobs.cli.simulate.device_options import HTTP, LinkOptions, MessageOptions
from azext_iotjobs.cli.simulate.options import SeveralOptions
from azext_iotjobs.cli.simulate.typed_options import TypedOptions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.model.message import Settlement


@takes_option_groups
def simulate(
    cmd: Any,
    client: HubClient | HubArguments,
    our_device_id: str | None = None,
    *,
    link: LinkOptions,
    messages: MessageOptions,
    sign_in: SignInOptions,
    behaviour: BehaviourOptions,
    several: SeveralOptions,
) -> dict[str, Any] | None:
    """Simulate a device until its messages are sent or until Ctrl-C, or many devices until --until says.

    Gives the result of many devices; None for one device, whose activities are printed as they happen.
    """
    many = several.many
    typed = TypedOptions(our_device_id, link, messages, sign_in, behaviour, many, several.cluster)
    if isinstance(client, HubArguments):
        return _without_hub(cmd, typed._replace(hub=client))
    if several.cluster.needs_export is not None:
        raise ConflictingChoice(f"{several.cluster.needs_export} is for --export kubernetes.")
    many.check(our_device_id)
    if link.protocol == HTTP and many.is_typed:
        raise ConflictingChoice(
            "--protocol http simulates one device.", hint="Leave it out: many devices are simulated over MQTT."
        )
    settings = device_options.read(our_device_id, link, messages, sign_in, behaviour)
    if many.is_typed:
        from azext_iotjobs.cli.simulate import many_devices

        return many_devices.simulate(cmd, client, settings, typed)
    assert our_device_id is not None  # `check` has refused the rest
    if link.protocol == HTTP:
        device = client.device(our_device_id, sign_in.key(client, our_device_id))
        with stopped_by_ctrl_c() as stop:
            http.simulate(device, our_device_id, settings.plan, Settlement(link.our_receive_settle), stop)
    else:
        one_device.simulate(client, our_device_id, settings)
    return None


def _without_hub(cmd: Any, typed: TypedOptions) -> dict[str, Any] | None:
    """What is made of simulations on several machines, or for them."""
    if typed.cluster.merge is None:
        from azext_iotjobs.cli.simulate.export_kubernetes import export  # here, and below: few commands need it

        export(typed)
        return None
    from azext_iotjobs.cli.simulate.merge_shards import merge

    return merge(cmd, typed)
