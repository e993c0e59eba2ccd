"""The pictures of docs/pictures/ are of today's code, are text, and need nothing else to be seen, by whoever looks."""

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pictures import make, palette
from pictures.graph import Arrow, Box, Point, graph
from pictures.palette import DARK, LIGHT, MIN_CONTRAST, PALETTES, Palette, contrast
from pictures.sessions import README, SESSIONS, typed_in
from pictures.terminal import SessionFailed, Terminal
from pictures.window import Row, Span, Style, plain, window
from pictures.workspace import masked
from pyte.graphics import FG, FG_AIXTERM

SVG = "{http://www.w3.org/2000/svg}"
MAX_BYTES = 40_000
FILES = sorted(make.FOLDER.glob("*"))
DOCS = make.FOLDER.parent


def test_there_are_two_files_of_each_picture_and_no_others() -> None:
    assert [file.name for file in FILES] == sorted(
        f"{name}-{scheme.name}.svg" for name in (*make.DIAGRAMS, *SESSIONS) for scheme in PALETTES
    )


@pytest.mark.parametrize("name", make.DIAGRAMS)
def test_diagrams_are_what_todays_tables_give(name: str) -> None:
    for file, text in make.files(name, make.DIAGRAMS[name]).items():
        assert (make.FOLDER / file).read_text(encoding="utf-8") == text, f"run: make pictures PICTURES={name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_picture_is_text_with_a_title_and_a_description(file: Path) -> None:
    root = ElementTree.parse(file).getroot()
    assert root.tag == f"{SVG}svg" and root.get("role") == "img" and file.stat().st_size <= MAX_BYTES
    named = {each.get("id"): each.text for each in root if each.tag in (f"{SVG}title", f"{SVG}desc")}
    assert all(named[name] for name in (root.get("aria-labelledby") or "").split())
    shown = {" ".join("".join(each.itertext()).split()) for each in root.iter(f"{SVG}text")} - {""}
    assert shown and not root.findall(f".//{SVG}image")
    described = " ".join((named["description"] or "").split())
    if file.name.rpartition("-")[0] in SESSIONS:
        assert all("".join(line.split()) in "".join(described.split()) for line in shown - {named["title"]})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_picture_fetches_nothing_and_runs_nothing(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert re.findall(r"\b\w+://[^\s\"']+", text.partition("<desc")[0]) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<(script|image|use|foreignObject|a)\b|href|url\(|@import|@font-face|\bon\w+=", text)


@pytest.mark.parametrize("scheme", PALETTES, ids=lambda scheme: scheme.name)
def test_every_color_of_text_stands_out_from_what_is_behind_it(scheme: Palette) -> None:
    assert all(contrast(color, scheme.page) >= MIN_CONTRAST for color in scheme.text_colors().values())
    assert all(contrast(scheme.text, fill) >= MIN_CONTRAST for fill in scheme.fills)
    assert contrast(scheme.dim, scheme.bar) >= MIN_CONTRAST
    assert contrast(LIGHT.page, DARK.page) > MIN_CONTRAST


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_picture_has_the_colors_of_its_scheme_only(file: Path) -> None:
    scheme = next(each for each in PALETTES if file.stem.endswith(each.name))
    colors = {*scheme.text_colors().values(), *scheme.fills, scheme.page, scheme.bar, scheme.border}
    assert set(re.findall(r"#[0-9a-f]{3,8}\b", file.read_text(encoding="utf-8").partition("</style>")[2])) <= colors


@pytest.mark.parametrize(("one", "other", "expected"), [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48)])
def test_contrast_is_that_of_the_guidelines(one: str, other: str, expected: float) -> None:
    assert contrast(one, other) == palette.contrast(other, one) == pytest.approx(expected, abs=0.005)


def test_every_picture_is_shown_on_a_page_in_both_schemes_with_words_for_it() -> None:
    pages = {page: page.read_text(encoding="utf-8") for page in (*DOCS.rglob("*.md"), DOCS.parent / "README.md")}
    shown = set()
    for page, text in pages.items():
        for dark, alt, light in re.findall(
            r'<picture>\n  <source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\n'
            r'  <img alt="([^"]+)" src="([^"]+)">\n</picture>',
            text,
        ):
            assert alt and dark == light.replace("-light.", "-dark.")
            shown |= {(page.parent / path).resolve() for path in (dark, light)}
    assert shown == set(FILES)


def test_the_rollout_is_the_quickstart_of_the_readme() -> None:
    shown = ElementTree.parse(make.FOLDER / "rollout-light.svg").findtext(f"{SVG}desc") or ""
    _, _, create, results, _ = typed_in(README)
    assert f"$ {create}\n" in shown and f"$ {results}\n" in shown, "run: make pictures PICTURES=rollout"


def test_text_keeps_its_columns_and_its_color() -> None:
    rows = [(Span(0, "a <b> & c", Style()), Span(12, "red", Style("brightred", True))), ()]
    drawn = ElementTree.fromstring(window(rows, title="t", description="d", columns=20, palette=LIGHT))
    one, other = drawn.findall(f".//{SVG}tspan")
    assert (one.text, other.text) == ("a <b> & c", "red") and other.get("class") == "red bold"
    width = float(other.get("textLength") or 0) / 3
    assert float(other.get("x") or 0) - float(one.get("x") or 0) == pytest.approx(12 * width)
    assert plain(rows[0]) == "a <b> & c   red"


@pytest.mark.parametrize("color", [*FG.values(), *FG_AIXTERM.values()])
def test_every_color_of_a_terminal_is_one_of_the_palettes(color: str) -> None:
    drawn = window([(Span(0, "text", Style(color)),)], title="t", description="d", columns=20, palette=LIGHT)
    used = ElementTree.fromstring(drawn).findall(f".//{SVG}tspan")[0].get("class")
    assert used is None or (used in LIGHT.text_colors() and f".{used} {{ fill" in drawn)


def test_an_arrow_goes_from_border_to_border() -> None:
    boxes = {"a": Box("a", Point(100, 100), 0), "b": Box("b", Point(400, 100), 1)}
    drawn = ElementTree.fromstring(f"<svg>{''.join(graph(boxes, [Arrow('a', 'b', 'goes', bend=20)], LIGHT))}</svg>")
    x, y, _, low, to_x, to_y = map(float, re.findall(r"[\d.]+", drawn.findall("path")[0].get("d") or ""))
    assert 156 <= x < 165 and 335 < to_x <= 344 and y == pytest.approx(to_y, abs=1.5) and low > 100


def test_what_only_a_clock_knows_is_masked_and_nothing_else() -> None:
    rows: list[Row] = [(Span(2, "ended after 12.5 s, 12.5 %", Style()),)]
    assert plain(masked(rows, (r"(?<=after )[\d.]+(?= s)",))[0]) == "  ended after … s, 12.5 %"


def test_a_terminal_shows_what_is_typed_and_written_as_a_person_sees_it(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, {"PATH": os.defpath}, columns=40)
    terminal.run("printf '\\033[31mred\\033[0m \\033[1mbold\\033[0m\\n1 %%\\r22 %%\\n'")
    terminal.run("test -t 0 && test -t 1 && test -t 2 && stty size")
    first, *_, written, over, empty, _, _, size = terminal.rows()
    assert first[0] == Span(0, "$", Style("green")) and first[1].style.is_bold
    assert written == (Span(0, "red", Style("red")), Span(4, "bold", Style(is_bold=True)))
    assert (plain(over), plain(empty), plain(size)) == ("22 %", "", "40 40")


def test_a_command_that_ends_otherwise_makes_no_picture(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, {"PATH": os.defpath})
    with pytest.raises(SessionFailed, match=r"exit code 3, not 0:\n\$ exit 3"):
        terminal.run("exit 3")
    terminal.run("exit 3", code=3)
    with pytest.raises(SessionFailed, match="never said"):
        terminal.begin("echo other")
        terminal.wait_until("never said", lambda: False)
