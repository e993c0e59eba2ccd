"""What a device says reaches no terminal raw, in the formats as az itself writes them."""

import json

import pytest
from knack.output import OutputProducer
from knack.util import CommandResultItem

from azext_iotjobs.cli.output import harmless

NASTY = "\x1b[2J\x00\x07\r\x08\x7f\x85\x9b31m\u202egnp.exe"


def shown(value: object, output: str) -> str:
    return harmless(OutputProducer._FORMAT_DICT[output](CommandResultItem(value)), output)


@pytest.mark.parametrize("output", ["json", "table", "tsv", "jsonc"])
def test_no_control_character_of_a_devices_is_printed(output: str) -> None:
    text = shown([{"payload": NASTY, NASTY: 1}], output)
    colors = {"\x1b"} if output == "jsonc" else set()
    assert {each for each in text if not each.isprintable()} <= {"\n", "\t", *colors}
    assert "\x1b[2J" not in text


@pytest.mark.parametrize("value", [NASTY, "a\\u009b \\", "tab\tline\n", "\u2028 \U0001f680 ü", "\ud800"])
def test_json_keeps_its_value(value: str) -> None:
    assert json.loads(shown({"payload": value, value: [value]}, "json")) == {"payload": value, value: [value]}


def test_what_is_harmless_is_printed_as_az_prints_it() -> None:
    document = [{"deviceId": "ü-1", "payload": "line 1\nline 2\tend"}]
    for output in ("json", "jsonc", "yaml", "table", "tsv"):
        assert shown(document, output) == OutputProducer._FORMAT_DICT[output](CommandResultItem(document))
