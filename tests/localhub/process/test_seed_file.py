"""A seed's file: YAML or JSON as plain values, and mistakes with their line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as any_of

from azext_iotjobs.localhub.process.seed_file import UnreadableSeed, parse_seed_text, read_seed_file

TEXTS = any_of.text(max_size=8)
SCALARS = (
    any_of.none() | any_of.booleans() | any_of.integers() | any_of.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
VALUES = any_of.recursive(
    SCALARS, lambda inner: any_of.lists(inner, max_size=3) | any_of.dictionaries(TEXTS, inner, max_size=3)
)


@given(any_of.lists(VALUES, max_size=3) | any_of.dictionaries(TEXTS, VALUES, max_size=3))
def test_json_is_read_as_what_it_is(value: Any) -> None:
    assert parse_seed_text(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("2026-12-01", "2026-12-01"),
        ("12:30:45", "12:30:45"),
        ("0x1F", "0x1F"),
        ("0123", "0123"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("~", None),
        ("null", None),
        ("true", True),
        ("12", 12),
        ("-1.5e3", -1500.0),
        ("'12'", "12"),
        ('"true"', "true"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_words_without_quotes_are_what_json_would_make_of_them(written: str, value: object) -> None:
    assert parse_seed_text(f"a: {written}".encode()) == {"a": value}


def test_aliases_and_a_mark_at_the_beginning_are_read() -> None:
    assert parse_seed_text("\ufeffa: &x {b: 1}\nc: *x".encode()) == {"a": {"b": 1}, "c": {"b": 1}}


def test_a_number_of_json_that_is_too_large_is_a_text_too() -> None:
    assert parse_seed_text(b'{"a": 1e999, "b": -1e999}') == {"a": "1e999", "b": "-1e999"}


def test_without_libyaml_a_seed_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("yaml.CSafeLoader", raising=False)
    assert parse_seed_text(b"a: [1, yes]") == {"a": [1, "yes"]}
    with pytest.raises(UnreadableSeed, match="^: it is nested more than 40 levels deep"):
        parse_seed_text(b"[" * 600)
    for written in ('a: 1\nb: "\\ud800"', 'a: 1\n"\\ud800": 1'):
        with pytest.raises(UnreadableSeed, match="^, line 2: a text is not valid Unicode"):
            parse_seed_text(written.encode())


def test_nothing_is_none() -> None:
    assert parse_seed_text(b"") is None and parse_seed_text(b"# a comment\n") is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a: [1,\nb: 2", ": this is not YAML: "),
        ("a: 1\na: 2", ", line 2: 'a' is there twice."),
        ("a:\n  ? [1]\n  : 2", ", line 2: a name has to be a text."),
        ("a: &a\n  b: *a", "nested more than 40 levels deep, or refers to itself"),
        ("- " * 60 + "1", "nested more than 40 levels"),
        ("[" * 5000, ": this is not YAML: "),
        ('{"a": 1,\n "a": 2}', ", line 2: 'a' is there twice."),
        ('{"devices": [{"deviceId": "a",\n"deviceId": "b"}]}', ", line 2: 'deviceId' is there twice."),
        ('{"a": [{"\\ud83d\\ude00": 1}, {"b": 1, "b": 2}]}', ": a[1].b is there twice."),  # JSON that is no YAML
        ('{"a"\n: 1, "a": 2}', ": a is there twice."),
        ('[{"a": 1, "a": 2}, }', ": this is not YAML"),
        ("a: 1\n---\nb: 2", "is not YAML"),
        ("a: !!int '1'", "the tag 'int' is not read; leave it out."),
        ("a: !secret 1", "the tag '!secret' is not read"),
        ("a: \x01", "is not YAML"),
        ('{"a": "\\ud800"}', ": a text in it is not valid Unicode"),
        ('{"\\udfff": 1}', ": a text in it is not valid Unicode"),
        ('a: 1\nb: "\\ud800"', ", line 2: "),
    ],
)
def test_what_cannot_be_read_says_where(written: str, said: str) -> None:
    with pytest.raises(UnreadableSeed, match=".") as caught:
        parse_seed_text(written.encode())
    assert said in str(caught.value)


def test_aliases_that_make_a_huge_document_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azext_iotjobs.localhub.process.seed_file.MAX_VALUES", 20_000)
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    with pytest.raises(UnreadableSeed, match="with its aliases, the document has more than 20,000 values"):
        parse_seed_text(f"a0: &a0 [{', '.join('x' * 10)}]\n{levels}".encode())


def test_the_error_of_a_file_begins_with_its_name(tmp_path: Path) -> None:
    (file := tmp_path / "fleet.yaml").write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(UnreadableSeed, match=f"{file}: it is not UTF-8, at byte 8."):
        read_seed_file(file)
    with pytest.raises(UnreadableSeed, match="cannot be read: No such file"):
        read_seed_file(tmp_path / "none.yaml")
    with pytest.raises(UnreadableSeed, match="cannot be read: Is a directory"):
        read_seed_file(tmp_path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azext_iotjobs.localhub.process.seed_file.MAX_BYTES", 1024**2)
    (file := tmp_path / "fleet.yaml").write_bytes(b"#" * (1024**2 + 1))
    with pytest.raises(UnreadableSeed, match="has more than 1 MB"):
        read_seed_file(file)
