"""--properties of messages that devices send: what is typed -> properties that the way there can carry."""

from collections.abc import Mapping

from azext_iotjobs.cli.input.scalars import key_values, shown
from azext_iotjobs.model.errors import BadValue

# Without them the hub cannot route by body.
JSON_PROPERTIES = {"$.ct": "application/json", "$.ce": "utf-8"}
# Over HTTPS these are the same as headers: what was typed in any of these spellings stands for the default.
HEADERS_OF = {
    "$.ct": ("content-type", "iothub-contenttype"),
    "$.ce": ("content-encoding", "iothub-contentencoding"),
}
# Of the whole topic, MQTT 3.1.1 1.5.3; what stands in it before the properties is much shorter than the rest of it.
MAX_TOPIC_BYTES = 65_535
TOPIC_START_BYTES = 535


def read_mqtt_properties(typed: str | None, defaults: Mapping[str, str]) -> dict[str, str]:
    """Properties by their MQTT names, beyond `defaults`. Raises BadValue for what MQTT cannot carry."""
    from azext_iotjobs.simulator.topics import render_bag  # here, so that HTTPS starts without it

    properties = {**defaults, **_typed(typed)}
    encoded = len(render_bag(properties))
    if encoded > MAX_TOPIC_BYTES - TOPIC_START_BYTES:
        raise BadValue(
            f"--properties: {encoded} characters, percent-encoded; MQTT carries {MAX_TOPIC_BYTES - TOPIC_START_BYTES}.",
            hint="Put the rest into the message's body.",
        )
    return properties


def read_http_properties(typed: str | None, defaults: Mapping[str, str]) -> dict[str, str]:
    """Properties by the names of headers or their MQTT names, beyond `defaults`, unless they say the same."""
    properties = _typed(typed)
    names = {name.lower() for name in properties}
    kept = {name: value for name, value in defaults.items() if names.isdisjoint((name, *HEADERS_OF.get(name, ())))}
    return {**kept, **properties}


def text_bytes(text: str, option: str) -> bytes:
    """A text that was typed, as UTF-8. Raises BadValue for bytes of the terminal's that are none."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadValue(f"{option}: {shown(text)} is not text in UTF-8.") from None


def _typed(typed: str | None) -> dict[str, str]:
    if typed is None:
        return {}
    text_bytes(typed, "--properties")
    return key_values(typed, "--properties")
