"""All options of a simulation together, as typed: for what is not about one of their groups."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.hub_access.resolve import HubArguments
from azext_iotjobs.cli.input.option_groups import option_of_dest
from azext_iotjobs.cli.simulate.behaviour.options import BehaviourOptions
from azext_iotjobs.cli.simulate.device_options import LinkOptions, MessageOptions
from azext_iotjobs.cli.simulate.options import ClusterOptions, SimulateOptions

HUB_OPTIONS = ("--hub-name", "--login", "--resource-group", "--auth-type")


class TypedOptions(NamedTuple):
    """The groups, and what belongs to none."""

    device: str | None
    link: LinkOptions
    messages: MessageOptions
    sign_in: SignInOptions
    behaviour: BehaviourOptions
    many: SimulateOptions
    cluster: ClusterOptions
    hub: HubArguments = HubArguments(None, None, None, None)  # where no hub is opened

    def by_option(self) -> Mapping[str, Any]:
        """What was typed, by option, in the order of the help."""
        found = {name: value for name, value in zip(HUB_OPTIONS, self.hub, strict=True) if value is not None}
        if self.device is not None:
            found["--device-id"] = self.device
        for group in (self.link, self.messages, self.sign_in, self.many, self.cluster, self.behaviour):
            found |= {option_of_dest(dest): value for dest, value in _typed(group)}
        return found


def _typed(group: Any) -> Iterator[tuple[str, Any]]:
    for each in fields(group):
        value = getattr(group, each.name)
        # az marks a value that is a default, and says nothing of one that was typed and is the same.
        if not getattr(value, "is_default", False) and (value != each.default or isinstance(group, MessageOptions)):
            if value is not None:
                yield each.name, value
