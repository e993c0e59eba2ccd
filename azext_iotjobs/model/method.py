"""Direct methods: a call and its answer, with the hub's limits."""

import json
from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice

MAX_PAYLOAD_BYTES = 128 * 1024  # each way, IoT Hub devguide "direct methods"
RESPONSE_TIMEOUT_S = (5, 300)  # the same page; the response timeout is the whole budget, connecting included
CONNECT_TIMEOUT_S = (0, 300)
# What the hub says of a device that it knows: not connected, no answer in time, an answer that cannot be read.
DEVICE_CODES = ("DeviceNotOnline", "GatewayTimeout", "GenericBadGateway")


@dataclass(frozen=True, kw_only=True)
class TimeoutOptions:
    """What the timeouts of a call are called where they are typed."""

    response: str
    connect: str


OF_A_JOB = TimeoutOptions(response="--method-response-timeout", connect="--method-connect-timeout")
OF_A_CALL = TimeoutOptions(response="--timeout", connect="--connect-timeout")


@dataclass(frozen=True, kw_only=True)
class MethodCall:
    """What the hub is asked to call on a device. Raises UserError when it does not fit the hub's limits."""

    name: str
    payload: Any = None  # any JSON value
    response_timeout_s: int = 30  # 5..300
    connect_timeout_s: int = 0  # 0..300, at most response_timeout_s
    options: TimeoutOptions = field(default=OF_A_JOB, compare=False, repr=False)  # for errors

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise MissingChoice(
                "--method-name is missing or empty.", hint="Give the method's name, for example reboot."
            )
        _check_range(self.options.response, self.response_timeout_s, RESPONSE_TIMEOUT_S)
        _check_range(self.options.connect, self.connect_timeout_s, CONNECT_TIMEOUT_S)
        if self.connect_timeout_s > self.response_timeout_s:
            raise ConflictingChoice(
                f"{self.options.connect} {self.connect_timeout_s} is longer than {self.options.response} "
                f"{self.response_timeout_s}, which includes it.",
                hint=f"Give {self.options.response} {self.connect_timeout_s} or more.",
            )
        size = len(json.dumps(self.payload).encode())
        if size > MAX_PAYLOAD_BYTES:
            raise BadValue(f"--method-payload has {size} bytes; a direct method takes at most {MAX_PAYLOAD_BYTES}.")


@dataclass(frozen=True, kw_only=True)
class MethodResponse:
    """What the device answered; `document` is the hub's own answer."""

    status: int
    payload: Any
    document: dict[str, Any]


def _check_range(option: str, value: int, limits: tuple[int, int]) -> None:
    low, high = limits
    if not low <= value <= high:
        raise BadValue(f"{option} {value}: the hub takes {low} to {high} seconds.")
