"""Which device ids MQTT can carry. Pure.

Topics contain a device's id as it is, so an id cannot contain what is a wildcard, a separator or not text there.
Source: IoT Hub "communicate using MQTT"; MQTT 3.1.1, 1.5.3 and 4.7.1.
"""

from collections.abc import Iterable

NOT_IN_AN_ID = "+#/\0"
SURROGATES = ("\ud800", "\udfff")  # which have no UTF-8 form


def not_in_topics(device_id: str) -> str | None:
    """The characters of an id that a topic cannot contain, for people; None: there are none."""
    bad = dict.fromkeys(each for each in device_id if each in NOT_IN_AN_ID or SURROGATES[0] <= each <= SURROGATES[1])
    shown = " or ".join(each if each.isprintable() else ascii(each)[1:-1] for each in bad)
    return shown or None


def reason_against(device_id: str) -> str | None:
    """Why MQTT cannot carry a device; None: it can."""
    bad = not_in_topics(device_id)
    if bad is None:
        return None
    return f"MQTT cannot carry the device id {ascii(device_id)[1:-1]}: topics cannot contain {bad}."


def over_mqtt(device_ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """The ids that MQTT can carry, and those that it cannot."""
    fit: list[str] = []
    unfit: list[str] = []
    for each in device_ids:
        (fit if not_in_topics(each) is None else unfit).append(each)
    return fit, unfit
