"""Handlers of az iot local-hub fault add | list | clear: what is to go wrong at a running local hub."""

import re
from typing import Any, NamedTuple

from azext_iotjobs.cli.hub_access.running_hubs import pick_typed
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.local_hub.command import client_of
from azext_iotjobs.model.errors import BadRequest, BadValue

OPTIONS = {  # of members of the hub's document
    "kind": "--kind",
    "operation": "--operation",
    "device": "--device-id",
    "route": "--route",
    "method": "--method-name",
    "times": "--times",
    "percent": "--percent",
    "seed": "--seed",
    "forSeconds": "--for",
    "delaySeconds": "--delay",
    "status": "--status",
    "retryAfterSeconds": "--retry-after",
    "code": "--code",
    "skewSeconds": "--skew",
}
MISTAKE = re.compile(rf"ArgumentInvalid: ({'|'.join(OPTIONS)}): (.*?)(?: \(tracking id [^)]*\))?", re.DOTALL)


class FaultOptions(NamedTuple):
    """What goes wrong, where and how often, as typed."""

    our_operation: str | None = None
    our_device_id: str | None = None
    our_route: str | None = None
    our_method_name: str | None = None
    our_times: int | None = None
    our_percent: float | None = None
    our_seed: int | None = None
    our_for: float | None = None
    our_delay: float | None = None
    our_status: int | None = None
    our_retry_after: int | None = None
    our_code: int | None = None
    our_skew: float | None = None

    def document(self, kind: str) -> dict[str, Any]:
        """What the hub takes."""
        members = [name for name in OPTIONS if name != "kind"]
        typed = dict(zip(members, self, strict=True))
        return {"kind": kind, **{name: value for name, value in typed.items() if value is not None}}


@takes_option_groups
def add(
    our_kind: str, our_hub_name: str | None = None, https_port: int | None = None, *, fault: FaultOptions
) -> dict[str, Any]:
    """Let something go wrong at a running local hub."""
    client = client_of(pick_typed(our_hub_name, https_port))
    try:
        added: dict[str, Any] = client.add_fault(fault.document(our_kind))
    except BadRequest as err:
        raise _as_typed(err) from err
    return added


def list_faults(our_hub_name: str | None = None, https_port: int | None = None) -> Any:
    """List what is to go wrong, and what has been over since it was added."""
    return client_of(pick_typed(our_hub_name, https_port)).faults()


def clear(our_fault_id: str | None = None, our_hub_name: str | None = None, https_port: int | None = None) -> None:
    """Let one of them not happen any more, or all."""
    client_of(pick_typed(our_hub_name, https_port)).clear_faults(our_fault_id)


def _as_typed(err: BadRequest) -> BadRequest | BadValue:
    """The hub's refusal with the option in place of the member that it names."""
    _, mark, said = str(err).partition("400 ")
    found = MISTAKE.fullmatch(said) if mark else None
    return err if found is None else BadValue(f"{OPTIONS[found[1]]}: {found[2]}")
