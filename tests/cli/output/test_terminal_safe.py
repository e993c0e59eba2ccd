"""What a device says reaches no terminal raw, in the formats as az itself writes them."""

import io
import json
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import TextIO

import pytest
import yaml
from azure.cli.core.azclierror import FileOperationError
from knack.output import OutputProducer
from knack.util import CommandResultItem

from azext_iotjobs.cli.output.terminal_safe import keep_terminals_safe, print_text

MARKS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
NASTY = f"\x1b[2J\x00\x07\r\x08\x7f\x85\x9b31m{MARKS}gnp.exe"
FORMATS = ["json", "jsonc", "yaml", "yamlc", "table", "tsv"]


def written(value: object, output: str, encoding: str = "utf-8") -> bytes:
    """What az would write on a stdout of this encoding, by its own way out; the encoding's errors are real."""
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    write(value, output, stdout)
    stdout.flush()
    return raw.getvalue()


def write(value: object, output: str, stdout: TextIO) -> None:
    plain: Callable[[str], Callable[[CommandResultItem], str]] = OutputProducer._FORMAT_DICT.__getitem__
    producer = SimpleNamespace(get_formatter=plain, out=partial(OutputProducer.out, None))
    cli = SimpleNamespace(output=producer, out_file=stdout, enable_color=True)
    keep_terminals_safe(cli)
    cli.output.out(CommandResultItem(value), formatter=cli.output.get_formatter(output), out_file=stdout)


def shown(value: object, output: str) -> str:
    return written(value, output).decode()


@pytest.mark.parametrize("output", FORMATS)
def test_no_control_character_of_a_devices_is_printed(output: str) -> None:
    text = shown([{"payload": NASTY, NASTY: 1}], output)
    colors = {"\x1b"} if output in ("jsonc", "yamlc") else set()
    assert {each for each in text if not each.isprintable()} <= {"\n", "\t", *colors}
    assert "\x1b[2J" not in text


@pytest.mark.parametrize("value", [NASTY, "a\\u009b \\", "tab\tline\n", "\u2028 \U0001f680 ü", "\ud800"])
def test_json_keeps_its_value(value: str) -> None:
    assert json.loads(shown({"payload": value, value: [value]}, "json")) == {"payload": value, value: [value]}


@pytest.mark.parametrize(
    "value", [NASTY, *MARKS, "a\x85b", "\u2028 \U0001f680 ü", "a: b", "\u202e: 'x' \\u202e", "\ufeff"]
)
def test_yaml_keeps_its_value(value: str) -> None:
    document = {"payload": value, value: [value], "ü": 4.5, "none": None}
    assert yaml.safe_load(shown(document, "yaml")) == document


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("nasty", ["\ud800", "a\udfff b", "\udc9b31m"])
def test_half_a_character_costs_no_other_character(output: str, nasty: str) -> None:
    """Whoever encodes drops or refuses all; half a character alone has no encoding at all."""
    text = shown([{"deviceId": "ü-1 \U0001f680", "payload": nasty}, {"deviceId": "ö-2", nasty: 1}], output)
    assert "ü-1 \U0001f680" in text and "ö-2" in text
    half = next(each for each in nasty if not each.isprintable())
    assert f"\\u{ord(half):04x}" in text.lower()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("output", FORMATS)
def test_nothing_is_lost_where_stdout_has_few_characters(output: str, encoding: str) -> None:
    document = [{"a": "ü", "b": "Ω \U0001f680 \ud800", "Ж": "plain"}]
    text = written(document, output, encoding).decode(encoding)
    if output == "json":
        assert json.loads(text) == document
    elif output == "yaml":
        assert "plain" in text and yaml.safe_load(text.replace("\\uD800", "half")) == [
            {"a": "ü", "b": "Ω \U0001f680 half", "Ж": "plain"}
        ]
    else:
        assert "plain" in text
        assert "\U0001f680" in text or "1f680" in text.lower() or "\\ud83d\\ude80" in text


def test_what_is_harmless_is_printed_as_az_prints_it() -> None:
    document = [{"deviceId": "ü-1", "payload": "line 1\nline 2\tend"}]
    for output in FORMATS:
        assert shown(document, output) == OutputProducer._FORMAT_DICT[output](CommandResultItem(document))


def test_a_result_that_a_full_disk_does_not_take_is_an_error() -> None:
    with open("/dev/full", "w", encoding="utf-8") as stdout, pytest.raises(FileOperationError, match="No space left"):
        write({"deviceId": "t1"}, "json", stdout)


def test_a_text_of_ours_that_a_full_disk_does_not_take_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", encoding="utf-8") as stdout, pytest.raises(FileOperationError, match="No space left"):
        monkeypatch.setattr("sys.stdout", stdout)
        print_text("Device simulation")
