"""What is served is what was looked at: libraries by their hashes, sizes, no markup from data; all is in the wheel."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

import azext_iotjobs.console.pages as pages

WEB = Path(pages.__file__).parent / "web"
LIBRARIES = WEB / "libraries"
KEPT = json.loads((LIBRARIES / "libraries.json").read_text(encoding="utf-8"))
OWN_SCRIPTS = sorted((WEB / "static").glob("*.js"))
OWN_PAGES = sorted((WEB / "pages").glob("*.html"))
OWN_PARTS = sorted((WEB / "parts").glob("*.html"))
MAX_BYTES = 150_000
MAX_COMPRESSED_BYTES = 100_000
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|x-html|\beval\(|new Function|srcdoc")
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|\sstyle=|:style=|\son[a-z]+=|javascript:|https?://", re.IGNORECASE)


@pytest.mark.parametrize("name", KEPT)
def test_a_library_is_the_one_that_was_looked_at_and_has_its_licence(name: str) -> None:
    assert hashlib.sha256((LIBRARIES / name).read_bytes()).hexdigest() == KEPT[name]["sha256"]
    assert name in (LIBRARIES / "licences.txt").read_text(encoding="utf-8")


def test_every_library_is_known() -> None:
    assert {each.name for each in LIBRARIES.iterdir()} == {*KEPT, "libraries.json", "licences.txt"}


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda each: each.path)
def test_all_that_a_page_loads_is_small(page: pages.Page) -> None:
    scripts = [WEB / "static" / f"{name}.js" for name in ("console", *page.shared, page.name)]
    loaded = [*scripts, WEB / "static" / "console.css", WEB / "static" / "icon.svg", *LIBRARIES.glob("*.js")]
    assert len(pages.rendered(page).encode()) + sum(each.stat().st_size for each in loaded) < MAX_BYTES


def test_all_pages_together_are_small_on_their_way() -> None:
    served = [each for each in WEB.rglob("*") if each.suffix in {".html", *pages.TYPES}]
    assert sum(len(gzip.compress(each.read_bytes())) for each in served) < MAX_COMPRESSED_BYTES


@pytest.mark.parametrize("file", [*OWN_SCRIPTS, *OWN_PAGES, *OWN_PARTS], ids=lambda each: str(each.name))
def test_nothing_makes_markup_of_a_text(file: Path) -> None:
    assert not MARKUP.findall(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", [*OWN_PAGES, *OWN_PARTS, WEB / "layout.html"], ids=lambda each: str(each.name))
def test_no_page_has_script_or_style_in_it_or_loads_from_elsewhere(file: Path) -> None:
    assert not INLINE.findall(file.read_text(encoding="utf-8"))


def test_every_page_has_its_files() -> None:
    for page in pages.PAGES:
        assert (WEB / "pages" / f"{page.name}.html").is_file()
        assert all((WEB / "static" / f"{name}.js").is_file() for name in (page.name, *page.shared))
    assert {each.stem for each in OWN_PAGES} == {page.name for page in pages.PAGES}


def test_the_package_names_every_folder_of_it() -> None:
    declared = (WEB.parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'"azext_iotjobs\.console" = \[(.*)\]', declared)
    assert found is not None
    patterns = re.findall(r'"([^"]+)"', found[1])
    named = {file for pattern in patterns for file in WEB.parent.glob(pattern) if file.is_file()}
    assert named == {each for each in WEB.rglob("*") if each.is_file()}
