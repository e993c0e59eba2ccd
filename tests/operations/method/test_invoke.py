"""One method call: what a device that was not reached is said to be."""

from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import DeviceFailed, NotFound
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.method.invoke import invoke
from azext_iotjobs.transport.http import Response
from tests.helpers.transport_double import TransportDouble, in_turn, response

OFFLINE = {"errorCode": 404103, "trackingId": "T", "message": "Timed out."}
TIMEOUT = "response_timeout_s"
NEVER = "0001-01-01T00:00:00Z"


def failed(code: str, *looks: Response) -> tuple[DeviceFailed, list[str]]:
    transport = TransportDouble(in_turn(response(OFFLINE, status=404, iothub_errorcode=code), *looks))
    with pytest.raises(DeviceFailed) as raised:
        invoke(HubClient(HubTarget(host="h"), transport), "d", MethodCall(name="m"))
    return raised.value, [request.method for request in transport.requests]


@pytest.mark.parametrize(
    ("twin", "said", "advised"),
    [
        (
            {"connectionState": "Disconnected", "lastActivityTime": "2026-01-02T03:04:05Z"},
            "at 2026-01-02T03:04:05Z",
            TIMEOUT,
        ),
        ({"connectionState": "Disconnected", "lastActivityTime": NEVER}, "It has never connected.", TIMEOUT),
        ({"connectionState": "Connected", "status": "enabled"}, "no handler for methods", TIMEOUT),
        (
            {"connectionState": "Disconnected", "status": "disabled"},
            "It is disabled",
            "az iot hub device-identity update device_id=d status=enabled",
        ),
    ],
)
def test_a_device_that_was_not_reached_is_looked_at(twin: dict[str, Any], said: str, advised: str) -> None:
    error, methods = failed("DeviceNotOnline", response(twin))
    assert said in str(error)
    assert "DeviceNotOnline" in str(error) and advised in str(error.hint)
    assert methods == ["POST", "GET"], "it is called once"


def test_where_the_look_is_refused_the_calls_own_error_stands() -> None:
    error, _ = failed("DeviceNotOnline", response({"Message": "no"}, status=401))
    assert "DeviceNotOnline" in str(error) and "401" not in str(error)


def test_of_a_device_that_left_while_it_was_called_only_that_is_said() -> None:
    left = response({**OFFLINE, "message": "Device unavailable"}, status=404, iothub_errorcode="DeviceNotOnline")
    transport = TransportDouble(in_turn(left))
    with pytest.raises(DeviceFailed, match="Device unavailable") as raised:
        invoke(HubClient(HubTarget(host="h"), transport), "d", MethodCall(name="m"))
    assert "Only the device knows" in str(raised.value.hint) and len(transport.requests) == 1


def test_a_silent_device_is_not_looked_at_and_an_unknown_one_does_not_exist() -> None:
    assert failed("GatewayTimeout")[1] == ["POST"]
    transport = TransportDouble(in_turn(response(OFFLINE, status=404, iothub_errorcode="DeviceNotFound")))
    with pytest.raises(NotFound):
        invoke(HubClient(HubTarget(host="h"), transport), "d", MethodCall(name="m"))
