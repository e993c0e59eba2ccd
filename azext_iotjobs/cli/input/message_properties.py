"""--properties of messages that devices send: text -> properties that MQTT or HTTPS can transport."""

from collections.abc import Mapping

from azext_iotjobs.cli.input.scalars import key_values, shown
from azext_iotjobs.model.errors import BadValue

# Without them the hub cannot route by body.
JSON_PROPERTIES = {"$.ct": "application/json", "$.ce": "utf-8"}
# Over HTTPS these are headers too: a property that was typed in any of these spellings replaces the default.
HEADERS_OF = {
    "$.ct": ("content-type", "iothub-contenttype"),
    "$.ce": ("content-encoding", "iothub-contentencoding"),
}
# Of the whole topic, MQTT 3.1.1 1.5.3; TOPIC_START_BYTES are enough for the part before the properties.
MAX_TOPIC_BYTES = 65_535
TOPIC_START_BYTES = 535


def read_mqtt_properties(typed: str | None, defaults: Mapping[str, str]) -> dict[str, str]:
    """Properties by their MQTT names, added to `defaults`. Raises BadValue for those that MQTT cannot transport."""
    from azext_iotjobs.simulator.topics import render_bag  # here, so that HTTPS starts without it

    properties = {**defaults, **_typed(typed)}
    encoded = len(render_bag(properties))
    most = MAX_TOPIC_BYTES - TOPIC_START_BYTES
    if encoded > most:
        raise BadValue(
            f"--properties: {encoded} characters, percent-encoded; MQTT takes at most {most}.",
            hint="Put the rest into the message's body.",
        )
    return properties


def read_http_properties(typed: str | None, defaults: Mapping[str, str]) -> dict[str, str]:
    """Properties by names of headers or MQTT names, added to those of `defaults` that they do not replace."""
    properties = _typed(typed)
    names = {name.lower() for name in properties}
    remaining = {name: value for name, value in defaults.items() if names.isdisjoint((name, *HEADERS_OF.get(name, ())))}
    return {**remaining, **properties}


def text_bytes(text: str, option: str) -> bytes:
    """A typed text in UTF-8. Raises BadValue when the terminal sent bytes that are not UTF-8."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadValue(f"{option}: {shown(text)} is not text in UTF-8.") from None


def _typed(typed: str | None) -> dict[str, str]:
    if typed is None:
        return {}
    text_bytes(typed, "--properties")
    return key_values(typed, "--properties")
