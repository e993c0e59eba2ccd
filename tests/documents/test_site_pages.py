"""What the site is made of: every page of the documents has its place and a description; no link leaves the site."""

import importlib.util
import re
from types import ModuleType
from urllib.parse import urlsplit

import pytest

from tests.helpers.az import REPOSITORY

DOCS = REPOSITORY / "docs"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pages", DOCS / "site" / "pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = loaded()


@pytest.fixture(scope="module")
def prepared() -> dict[str, str]:
    """The text of every page, by its path in the site."""
    return dict(pages.prepared())


def navigation(page: str, text: str) -> list[str]:
    """The pages that stand below a page in the site's navigation."""
    (tree,) = re.findall(r"^```\{toctree\}\n:hidden:\n\n(.*?)^```$", text, re.DOTALL | re.MULTILINE) or [""]
    return [pages.in_site(pages.leads_to(page, link), page) for link in tree.split()]


def test_every_page_is_in_the_navigation_once_and_can_be_reached_from_the_first_one(prepared: dict[str, str]) -> None:
    reached, found = [pages.ROOT], [pages.ROOT]
    while found:
        page = found.pop()
        below = navigation(page, prepared[page])
        reached += below
        found += below
    assert sorted(reached) == sorted(prepared)
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert written < set(prepared) and {"how-to-contribute.md", "history.rst", "security.md"} < set(prepared)


def test_every_page_has_one_title_and_a_description_without_marks(prepared: dict[str, str]) -> None:
    for path, text in prepared.items():
        if path.endswith(".md"):
            without_code = pages.CODE.sub("", text)
            assert len(re.findall(r"^# .+$", without_code, re.MULTILINE)) == 1, path
            (description,) = re.findall(r'^    description: "(.+)"$', text, re.MULTILINE)
            assert 20 <= len(description) <= 400 and not re.search(r"[`*\[]", description), path


def test_titles_differ(prepared: dict[str, str]) -> None:
    titles = [re.findall(r"^# (.+)$", text, re.MULTILINE)[0] for path, text in prepared.items() if path.endswith(".md")]
    assert len(set(titles)) == len(titles)


def test_lists_name_pages_as_they_name_themselves() -> None:
    for section in pages.SECTIONS:
        for name, link in re.findall(r"^- \[([^\]]+)\]\(([^)]+\.md)\): ", (DOCS / section).read_text("utf-8"), re.M):
            page = ((DOCS / section).parent / link).resolve()
            if page.is_relative_to(DOCS):
                assert page.read_text("utf-8").startswith(f"# {name}\n"), f"{section}: {link}"


def test_addresses_elsewhere_are_whole_and_encrypted(prepared: dict[str, str]) -> None:
    found = [
        (path, link)
        for path, text in prepared.items()
        for link in re.findall(r"\]\((\w+:[^)]*)\)|<(\w+://[^>]*)>", pages.CODE.sub("", text))
    ]
    for path, link in found:
        parts = urlsplit("".join(link))
        assert parts.scheme == "https" and "." in parts.netloc and " " not in parts.path, f"{path}: {link}"
    assert len(found) >= 5


def test_a_page_that_no_list_names_is_an_error_and_so_is_one_that_is_named_twice() -> None:
    written = dict.fromkeys(["a.md", "b.md", pages.ROOT, *pages.SECTIONS], "# T\n\nText.\n")
    named = {section: [pages.Entry("a.md", "A page.")] for section in pages.SECTIONS[:2]}
    with pytest.raises(ValueError, match=r"listed by no index: \['b.md'\]; listed twice: \['a.md'\]"):
        pages.descriptions(named, [], written)


def test_a_link_to_what_is_not_in_the_site_is_an_error() -> None:
    with pytest.raises(
        ValueError, match="walk.md: a link leads to azext_iotjobs/__init__.py, which is not in the site"
    ):
        pages.page_of("walk.md", "# T\n\n[x](../azext_iotjobs/__init__.py)\n", "A page.", ())


def test_links_to_the_projects_own_files_lead_to_their_pages_and_code_stays_as_it_is() -> None:
    text = "# T\n\n[a](../CONTRIBUTING.md#rules), [b](how-to/input.md#json)\n\n```text\n[c](../CONTRIBUTING.md)\n```\n"
    made = pages.page_of("walk.md", text, "A page.", ())
    assert "[a](how-to-contribute.md#rules), [b](how-to/input.md#json)" in made
    assert "[c](../CONTRIBUTING.md)" in made
    assert "[i](install.md), [r](../index.md)" in pages.page_of(
        "how-to/x.md", "# T\n\n[i](../../README.md#install), [r](../../README.md)\n", "A page.", ()
    )
    back = pages.page_of("how-to-contribute.md", "# T\n\n[w](docs/walk.md)\n", "A page.", ())
    assert "[w](walk.md)" in back


def test_a_picture_for_light_and_dark_is_two_images_of_which_the_site_shows_one() -> None:
    picture = (
        '<picture>\n  <source media="(prefers-color-scheme: dark)" srcset="pictures/x-dark.svg">\n'
        '  <img alt="What it shows" src="pictures/x-light.svg">\n</picture>'
    )
    made = pages.page_of(pages.ROOT, f"# T\n\n{picture}\n", "A page.", ())
    assert '<img class="only-light" alt="What it shows" src="pictures/x-light.svg">' in made
    assert '<img class="only-dark" alt="What it shows" src="pictures/x-dark.svg">' in made
    assert "<picture" not in made
