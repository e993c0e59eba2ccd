"""Every form in which an option takes JSON, and what is said of text that is none."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.input.json_option import json_object_or_file, json_or_file
from azext_iotjobs.cli.input.strict_json import MAX_DEPTH
from azext_iotjobs.model.errors import BadValue

OPTION = "--method-payload"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        (["null"], None),
        (["-5"], -5),
        (['"text"'], "text"),
        (
            ["{'a': 'b', 'n': -1.5, 'on': True, 'off': None, 'l': [{}, 'it\\'s']}"],
            {"a": "b", "n": -1.5, "on": True, "off": None, "l": [{}, "it's"]},
        ),
        (["delay=5"], {"delay": 5}),
        (["delay=5", "mode=fast", "on=true", "off=null"], {"delay": 5, "mode": "fast", "on": True, "off": None}),
        (["a.b.c=1", "a.b.d=2", "a.e=x=y"], {"a": {"b": {"c": 1, "d": 2}, "e": "x=y"}}),
        (['a={"b": 1}', "a.c=[2]"], {"a": {"b": 1, "c": [2]}}),
        (["version='1.0'", 'other="1.0"', "plain=1.0"], {"version": "1.0", "other": "1.0", "plain": 1.0}),
        (["'a.b'.c=1", 'd."e.f"=2'], {"a.b": {"c": 1}, "d": {"e.f": 2}}),
        (["empty=", "owner=@nobody"], {"empty": "", "owner": "@nobody"}),
        (["a=''", "$x=é ü"], {"a": "", "$x": "é ü"}),
    ],
)
def test_json_and_pairs_give_the_value_that_is_meant(words: Any, value: Any) -> None:
    assert json_or_file(words, OPTION) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("spelling", ["@{}", "{}"])
def test_a_file_is_read_in_any_encoding_that_windows_writes(tmp_path: Path, spelling: str, encoding: str) -> None:
    path = tmp_path / "payload.json"
    path.write_bytes('{"name": "Zürich"}\r\n'.encode(encoding))
    assert json_or_file([spelling.format(path)], OPTION) == {"name": "Zürich"}


def test_a_file_can_be_the_value_of_a_pair(tmp_path: Path) -> None:
    (tmp_path / "v").write_text("[1, 2]\n")
    assert json_or_file([f"list=@{tmp_path / 'v'}", "n=1"], OPTION) == {"list": [1, 2], "n": 1}


def test_a_file_whose_name_looks_like_a_pair_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a=b").write_text("7")
    assert json_or_file(["a=b"], OPTION) == 7


@pytest.mark.parametrize(
    ("words", "said", "shown"),
    [
        # The shell ate the quotes: bash without outer quotes, PowerShell, cmd with single ones.
        (["{delay:5,mode:fast}"], "removed", """{"delay": 5, "mode": "fast"}"""),
        (["'{delay:5}'"], "removed", """'{"delay": 5}'"""),
        (["{delay:", "5}"], "removed", """'{"delay": 5}'"""),
        (["'{delay:", "5}'"], "removed", r'''cmd: --method-payload "{\"delay\": 5}"'''),
        (["[a,b]"], "removed", """'[\\"a\\", \\"b\\"]'"""),
        (["{url:http://x}"], "removed", """'{"key": "value"}'"""),
        (["{"], "is not JSON (Expecting property name", None),  # there was nothing to quote
        (["[["], "is not JSON (Expecting value", None),
        (["{'a': true}"], "single quotes; JSON has double", """'{"a": true}'"""),
        (["{'a': __import__('os')}"], "single quotes; JSON has double", None),
        (["{'a': 1, 'a': 2}"], "'a' is given twice", None),
        (["{'a': 1e999}"], "too large", None),
        (["{'a': {1, 2}}"], "single quotes", None),
        (["""'{"a":1}'"""], "cmd does not remove them", """'{"a": 1}'"""),
        ([r"{\"a\":1}"], "backslashes", """'{"a": 1}'"""),
        (["{“a”: 1}"], "typographic", """'{"a": 1}'"""),
        (["{‘a’: 1}"], "typographic", """'{"a": 1}'"""),
        (["hello"], "between double quotes", """'"hello"'"""),
        (['{"a": 1'], "not JSON (Expecting", """"@payload.json\""""),
        (["payload.json"], "there is no file 'payload.json'", "Relative paths begin in"),
        (["@payload"], "there is no file 'payload'", "Relative paths begin in"),
        (["./a/b"], "there is no file './a/b'", "Relative paths begin in"),
        (["  "], "is empty", "null"),
        ([], "is empty", "@file"),
        # Pairs that cannot be meant so.
        (["a=1", "b"], "'b' is not key=value", "pairs"),
        (["a=1", "a=2"], "'a' is given twice", None),
        (["a=1", "a.b=2"], "below a key that has a value", None),
        (["a=1,b=2"], "two pairs", "\"a='1,b=2'\""),
        (["on=True"], "JSON writes true", "\"on='True'\""),
        (["a={b:1}"], "removed its quotes", None),
        (["a=NaN"], "NaN is not a JSON value", "\"a='NaN'\""),
        # JSON that Python would take.
        (["NaN"], "NaN is not a JSON value", None),
        (['{"a": 1e999}'], "too large", None),
        ([f'{{"a": -{"1" * 5000}}}'], "a number of 5001 digits is too large", None),
        (['{"a": 1, "b": {"c": 1, "c": 2}}'], "'c' is given twice", None),
        (["[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)], "levels deep", None),
        (["[" * 100_000], "levels deep", None),
    ],
)
def test_text_that_is_no_json_is_explained_with_what_to_type(words: list[str], said: str, shown: str | None) -> None:
    with pytest.raises(BadValue) as raised:
        json_or_file(words, OPTION)
    assert said in str(raised.value)
    assert str(raised.value).startswith(OPTION)
    assert len(str(raised.value)) < 300
    if shown is not None:
        assert shown in re.sub(" {2,}", " ", str(raised.value.hint))


def test_as_many_levels_as_are_taken_are_taken() -> None:
    assert json_or_file(["[" * MAX_DEPTH + "]" * MAX_DEPTH], OPTION)


@pytest.mark.parametrize("content", [b'\xff\xfe{\x00"', b"{broken", b"\x80abc", b""])
def test_a_file_that_holds_no_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "payload.json"
    path.write_bytes(content)
    with pytest.raises(BadValue, match="payload.json"):
        json_or_file([f"@{path}"], OPTION)


VALUES = ['{"it\'s": "a \\"b\\" c\\\\", "n": 5}', '["$x", "%y", "a b"]']


@pytest.mark.parametrize("value", VALUES)
def test_the_line_that_is_shown_for_bash_means_the_value(value: str) -> None:
    with pytest.raises(BadValue) as raised:
        json_or_file([f"'{value}'"], OPTION)
    line = next(line for line in str(raised.value.hint).splitlines() if "bash" in line)
    form = line.partition(OPTION)[2]
    echoed = subprocess.run(["bash", "-c", f"printf %s {form}"], capture_output=True, text=True, check=True)
    assert json.loads(echoed.stdout) == json.loads(value)


@pytest.mark.parametrize("value", VALUES)
def test_the_line_that_is_shown_for_cmd_means_the_value_to_windows_programs(value: str) -> None:
    with pytest.raises(BadValue) as raised:
        json_or_file([f"'{value}'"], OPTION)
    line = next(line for line in str(raised.value.hint).splitlines() if "cmd:" in line)
    # list2cmdline is Python's own writing of what the C runtime of Windows reads.
    assert (
        f'"{subprocess.list2cmdline([json.dumps(json.loads(value)) + " "])[1:-2]}"' == line.partition(OPTION)[2].strip()
    )


def test_only_an_object_is_taken_where_an_object_is_needed() -> None:
    assert json_object_or_file(["tags.site=north"], "--twin-patch") == {"tags": {"site": "north"}}
    with pytest.raises(BadValue, match="--twin-patch: '5' is JSON, but not an object"):
        json_object_or_file(["5"], "--twin-patch")


READS_STDIN = """
from azext_iotjobs.cli.input.json_option import json_or_file
from azext_iotjobs.model.errors import BadValue
try:
    print(json_or_file(["-"], "--tags"))
except BadValue as err:
    print(err)
"""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1}\n', "{'a': 1}"),
        ('{"a": "ü"}'.encode("utf-16"), "{'a': 'ü'}"),
        (b"  ", "--tags: standard input is empty."),
        (b"{a", "--tags: standard input does not contain JSON"),
        (b" " * (16 * 1024 * 1024 + 1), "--tags: standard input is larger than 16 MB."),
    ],
)
def test_standard_input_is_read_whole_and_bounded(content: bytes, said: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    words = [sys.executable, "-c", READS_STDIN]
    ran = subprocess.run(words, input=content, capture_output=True, check=True, env=environment)
    assert ran.stdout.decode().startswith(said)


CHANGED = ("4.10", "1e5", "1E5", "-0", "-0.0e0", "0.10", "1.50", "5e0", "12345678901234567890.5", "1e-7", "0.0000001")


@pytest.mark.parametrize("text", CHANGED)
def test_a_number_that_would_come_back_in_other_digits_is_refused_with_both_ways(text: str) -> None:
    with pytest.raises(BadValue, match="fw=.* would be stored as the number") as caught:
        json_or_file([f"a.fw={text}", "n=1"], "--desired")
    number = json.dumps(json.loads(text))
    assert caught.value.hint is not None
    assert f"--desired \"a.fw='{text}'\"" in caught.value.hint and f"--desired a.fw={number}" in caught.value.hint
    assert json_or_file([f"a.fw='{text}'"], "--desired") == {"a": {"fw": text}}
    assert json_or_file([f"a.fw={number}"], "--desired") == {"a": {"fw": json.loads(text)}}


@pytest.mark.parametrize("text", ["9007199254740993", "-9007199254740993", "123456789012345678901234567890"])
def test_a_whole_number_that_others_would_round_is_refused_with_both_ways(text: str) -> None:
    with pytest.raises(BadValue, match="many programs") as caught:
        json_or_file([f"a.'b.c'={text}"], "--method-payload")
    assert caught.value.hint is not None
    assert f"\"a.'b.c'='{text}'\"" in caught.value.hint
    assert f'--method-payload \'{{"a": {{"b.c": {text}}}}}\'' in caught.value.hint
    assert json_or_file([f'{{"a": {text}}}'], "--method-payload") == {"a": int(text)}


@pytest.mark.parametrize(
    "text",
    [
        "007",
        "0x1F",
        "1_000",
        "+5",
        ".5",
        "5.",
        "1,5",
        "1.2.3",
        "4.10-rc1",
        "Infinity5",
        "NaNette",
        "2026-11-29",
        "--5",
        "٣",
    ],
)
def test_what_is_no_json_number_stays_the_text_that_was_typed(text: str) -> None:
    assert json_or_file([f"fw={text}"], "--desired") == {"fw": text}


@pytest.mark.parametrize("number", [0, 5, -5, 1.0, 1.5, -0.5, 9007199254740991, 1e300])
def test_a_number_that_comes_back_as_it_is_typed_is_a_number(number: float) -> None:
    value = json_or_file([f"n={json.dumps(number)}"], "--desired")["n"]
    assert value == number and type(value) is type(number)


def test_a_file_as_a_pairs_value_is_read_as_what_is_typed(tmp_path: Path) -> None:
    (tmp_path / "v").write_text("4.10\n")
    with pytest.raises(BadValue, match="fw=4.10") as caught:
        json_or_file([f"fw=@{tmp_path / 'v'}"], "--tags")
    assert caught.value.hint is not None and "\"fw='4.10'\"" in caught.value.hint
    (tmp_path / "v").write_text("'4.10'\n")
    assert json_or_file([f"fw=@{tmp_path / 'v'}"], "--tags") == {"fw": "4.10"}
