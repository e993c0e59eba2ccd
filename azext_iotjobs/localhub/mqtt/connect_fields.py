"""What the client id and the user name of a CONNECT packet say. Pure.

Source: IoT Hub "communicate using MQTT".
"""

from urllib.parse import unquote

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import possible_address

_QUERY_STARTS = ("?", "api-version=", "DeviceClientType=")  # an old C SDK omits the "?"


def parse_client_id(text: str) -> Address | None:
    """The address in "device" or "device/module"; None for a text that can be neither."""
    device, slash, module = text.partition("/")
    return possible_address(device, module if slash else None)


def parse_host(username: str, client_id: str) -> str | None:
    """The host in a user name: host/device[/module]/?api-version=…

    The query may be missing, and an old form has it without "?". None when it does not name this client.
    """
    # An id may contain "?" and "=", so the known client id is compared, not searched for.
    host, _, rest = username.partition("/")
    name, tail = rest[: len(client_id)], rest[len(client_id) :]
    is_valid = tail in ("", "/") or (tail[0] == "/" and tail[1:].startswith(_QUERY_STARTS))
    return host if host and name == client_id and is_valid else None


def parse_model_id(username: str, client_id: str) -> str | None:
    """The model that a user name of `parse_host`'s form announces; None when it announces none."""
    query = username.partition("/")[2][len(client_id) :].lstrip("/?")
    fields = dict(part.partition("=")[::2] for part in query.split("&"))
    return unquote(fields["model-id"]) or None if "model-id" in fields else None
