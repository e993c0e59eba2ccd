"""Direct methods: a call and its answer, with the hub's limits."""

import json
from typing import Any

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import Field, Text

MAX_PAYLOAD_BYTES = 128 * 1024  # each way, IoT Hub devguide "direct methods"
RESPONSE_TIMEOUT_S = (5, 300)  # the same page; the response timeout is the whole budget, connecting included
CONNECT_TIMEOUT_S = (0, 300)
# What the hub says of a device that it knows: not connected, no answer in time, an answer that cannot be read.
DEVICE_CODES = ("DeviceNotOnline", "GatewayTimeout", "GenericBadGateway")


@dataclass(frozen=True, kw_only=True)
class MethodCall:
    """What the hub is asked to call on a device. Raises UserError when it does not fit the hub's limits."""

    name: str
    payload: Any = None  # any JSON value
    response_timeout_s: int = 30  # 5..300
    connect_timeout_s: int = 0  # 0..300, at most response_timeout_s

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise MissingChoice(
                Text.of("{method_name} is missing or empty."), hint="Give the method's name, for example reboot."
            )
        _check_range("response_timeout_s", self.response_timeout_s, RESPONSE_TIMEOUT_S)
        _check_range("connect_timeout_s", self.connect_timeout_s, CONNECT_TIMEOUT_S)
        if self.connect_timeout_s > self.response_timeout_s:
            raise ConflictingChoice(
                Text.of(
                    "{connect_timeout_s} {connect} is longer than {response_timeout_s} {response}, which includes it.",
                    connect=self.connect_timeout_s,
                    response=self.response_timeout_s,
                ),
                hint=Text.of("Give {response_timeout_s} {least} or more.", least=self.connect_timeout_s),
            )
        size = len(json.dumps(self.payload).encode())
        if size > MAX_PAYLOAD_BYTES:
            raise BadValue(
                Text(Field("payload"), f" has {size} bytes; a direct method takes at most {MAX_PAYLOAD_BYTES}.")
            )


@dataclass(frozen=True, kw_only=True)
class MethodResponse:
    """What the device answered; `document` is the hub's own answer."""

    status: int
    payload: Any
    document: dict[str, Any]


def _check_range(field: str, value: int, limits: tuple[int, int]) -> None:
    low, high = limits
    if not low <= value <= high:
        raise BadValue(Text(Field(field), f" {value}: the hub takes {low} to {high} seconds."))
