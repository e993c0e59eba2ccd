"""The HTML page as a file: its policy, its data, and that nobody's text becomes markup. test_in_browser.py opens it."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from azext_iotjobs.cli.output.report.page import MAX_VALUE
from azext_iotjobs.model.report import Fact
from tests.helpers.reports import ELSEWHERE, HOSTILE, hostile, mixed, rendered, report, result


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.raw:
            self.raw[self._open].append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.found if each == tag]


def data_of(page: str) -> dict[str, Any]:
    data, _ = Elements(page).raw["script"]
    return dict(json.loads(data))


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else() -> None:
    elements = Elements(rendered("html", mixed(30)))
    policy = str(next(each["content"] for each in elements.of("meta") if each.get("http-equiv")))
    (style,), (_, script) = elements.raw["style"], elements.raw["script"]

    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    rules = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "style-src": source(style),
        "script-src": source(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_nothing_in_it_is_loaded_from_anywhere() -> None:
    elements = Elements(rendered("html", hostile()))
    names = {tag for tag, _ in elements.found}
    assert not names & {"img", "link", "iframe", "object", "embed", "video", "audio", "source", "base", "image", "use"}
    assert not [attributes for _, attributes in elements.found if {"src", "style", "srcset"} & set(attributes)]
    assert [attributes["href"] for attributes in elements.of("a")] == ["#results"]
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    assert "url(" not in elements.raw["style"][0] and "@import" not in elements.raw["style"][0]


@pytest.mark.parametrize("kind", HOSTILE)
def test_any_text_leaves_the_page_as_it_is(kind: str) -> None:
    plain = Elements(rendered("html", [result(0, error_text="x", payload="x")], report(1, facts=[Fact("f", "x")])))
    text = HOSTILE[kind]
    about = report(1, title=f"Run of {text}", status=text, facts=[Fact("f", text)])
    page = rendered("html", [result(0, error_text=text, payload=text)], about)
    assert [tag for tag, _ in Elements(page).found] == [tag for tag, _ in plain.found]
    (row,) = data_of(page)["rows"]
    assert max(len(str(cell)) for cell in row) < MAX_VALUE + 40
    page.encode()


def test_data_stands_in_the_script_element_without_a_character_that_could_end_it() -> None:
    page = rendered("html", hostile())
    begin = page.index('id="cases">')
    data = page[begin + len('id="cases">') : page.index("</script>", begin)]
    assert data.isascii() and not re.search("[<>&]", data)
    assert len(json.loads(data)["rows"]) == len(HOSTILE)
    assert ELSEWHERE in data, "it is there, as data"


def test_columns_that_no_device_fills_are_left_out() -> None:
    names = [each["name"] for each in data_of(rendered("html", [result(0)]))["columns"]]
    assert "deviceId" in names and "payload" in names
    assert not {"moduleId", "errorClass", "offlineSince", "why"} & set(names)


def test_numbers_stay_numbers_so_that_they_can_be_sorted() -> None:
    data = data_of(rendered("html", [result(0)]))
    row = dict(zip((each["name"] for each in data["columns"]), data["rows"][0][1:], strict=True))
    assert (row["batch"], row["methodStatus"], row["durationSeconds"]) == (1, 200, 1.25)
    assert (row["payload"], data["rows"][0][0]) == ('{"ok": true}', "passed")


@pytest.mark.parametrize(
    ("payload", "cell"),
    [
        (2**53 - 1, 2**53 - 1),
        (-(2**53), "-9007199254740992"),
        (10**30, str(10**30)),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (True, "true"),
    ],
)
def test_a_number_that_a_browser_would_change_or_not_read_is_text(payload: Any, cell: Any) -> None:
    page = rendered("html", [result(0, payload=payload)])
    data = json.loads(Elements(page).raw["script"][0], parse_constant=pytest.fail)
    row = dict(zip((each["name"] for each in data["columns"]), data["rows"][0][1:], strict=True))
    assert row["payload"] == cell


def test_a_run_without_devices_is_a_page_that_says_so() -> None:
    page = rendered("html", [], report(1))
    assert "No devices" in page and data_of(page)["rows"] == []
