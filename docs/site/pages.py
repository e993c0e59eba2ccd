"""The pages of docs/ as the site's generator takes them: with navigation and descriptions, and links within the site.

Strategy: what a forge shows is the one source. The list of a section's index is its navigation: each item links to a
page and describes it. Files of the project that lie outside of docs/, such as CONTRIBUTING.md, get a place in the site.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT = "index.md"
INSTALL = "how-to/install.md"  # where links to the same section of the README lead
SECTIONS = ("tutorials/index.md", "how-to/index.md", "reference/index.md", "explanation/index.md", "contributing.md")
COMMANDS = "reference/commands.md"  # made; its links lead to a page for each group of commands
OUTSIDE = {
    "CONTRIBUTING.md": "how-to-contribute.md",
    "HISTORY.rst": "history.rst",
    "SECURITY.md": "security.md",
}
ITEM = re.compile(r"^- \[([^\]]+)\]\(([^)\s#]+\.(?:md|rst))\): (.+(?:\n  .+)*)", re.MULTILINE)
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)(#[^)\s]+)?(?=\))")
CODE = re.compile(r"^(```+).*?^\1$", re.DOTALL | re.MULTILINE)
CONTENTS = re.compile(r"<!-- made: contents -->.*?<!-- end -->\n*", re.DOTALL)  # beside each page the site has its own
PICTURE = re.compile(r"<picture>.*?</picture>", re.DOTALL)


class Entry(NamedTuple):
    """A page in the list of its section's index."""

    path: str  # within the site
    description: str


def entries(section: str, text: str) -> list[Entry]:
    """What the list of a section's index names, in its order.

    section: path of the index within the site. text: its Markdown.
    """
    return [
        Entry(in_site(leads_to(section, link), section), " ".join(described.split()))
        for _, link, described in ITEM.findall(text)
    ]


def groups(text: str) -> list[str]:
    """The pages of groups of commands that the page of all commands links to, each once."""
    found = re.findall(r"\]\((commands/[\w-]+\.md)#", text)
    return [f"reference/{each}" for each in dict.fromkeys(found)]


def write(folder: Path) -> None:
    """Write all pages into a new folder, with the files that they link to and the pictures."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = prepared()
    for path, text in pages.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for path in _linked_files(pages):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / "docs" / path, folder / path)
    (folder / "extra").mkdir()
    if (pictures := REPOSITORY / "docs" / "pictures").is_dir():
        shutil.copytree(pictures, folder / "extra" / "pictures")


def prepared() -> dict[str, str]:
    """The text of every page, by its path in the site.

    Raises ValueError for a page that no index lists, or more than one, and for a link that leaves the site.
    """
    written = _written()
    listed = {section: entries(section, written[section]) for section in SECTIONS}
    described = descriptions(listed, groups(written[COMMANDS]), written)
    inner = {section: [each.path for each in below] for section, below in listed.items()}
    inner |= {ROOT: list(SECTIONS), COMMANDS: groups(written[COMMANDS])}
    return {path: page_of(path, text, described[path], inner.get(path, ())) for path, text in written.items()}


def _written() -> dict[str, str]:
    """What stands in the files, by the paths that they have in the site."""
    docs = REPOSITORY / "docs"
    inside = {path.relative_to(docs).as_posix(): path for path in sorted(docs.rglob("*.md"))}
    outside = {place: REPOSITORY / name for name, place in OUTSIDE.items()}
    return {path: file.read_text(encoding="utf-8") for path, file in {**inside, **outside}.items()}


def descriptions(listed: dict[str, list[Entry]], commands: list[str], written: dict[str, str]) -> dict[str, str]:
    """A description of every page.

    listed: what the index of each section names. commands: pages of groups of commands. written: text of every page.
    Raises ValueError for a page that has no place, or more than one.
    """
    every = [each for below in listed.values() for each in below]
    described = {each.path: each.description for each in every}
    described |= {path: f"{_title(written[path])}: every command and option, with examples." for path in commands}
    described |= {path: _first_paragraph(written[path]) for path in (ROOT, *SECTIONS)}
    names = [*(each.path for each in every), *commands, ROOT, *SECTIONS]
    twice = {each for each in names if names.count(each) > 1}
    if twice or set(names) != set(written):
        raise ValueError(
            f"listed by no index: {sorted(set(written) - set(names))}; listed twice: {sorted(twice)}; "
            f"listed and not there: {sorted(set(names) - set(written))}"
        )
    return described


def page_of(path: str, text: str, description: str, inner: Iterable[str]) -> str:
    """One page as the generator takes it.

    path: its place in the site. text: as it is written. inner: the pages below it in the navigation, in their order.
    Raises ValueError for a link that leaves the site.
    """
    if not path.endswith(".md"):
        return text
    text = _outside_code(text, lambda part: LINK.sub(lambda link: _link(path, link), part))
    text = CONTENTS.sub("", text)
    text = PICTURE.sub(lambda picture: _for_both_schemes(picture[0]), text)
    front = f"---\nmyst:\n  html_meta:\n    description: {json.dumps(_plain(description), ensure_ascii=False)}\n---\n\n"
    return front + text + _navigation(path, inner)


def _navigation(path: str, inner: Iterable[str]) -> str:
    lines = "".join(f"{_relative(each, path)}\n" for each in inner)
    return f"\n```{{toctree}}\n:hidden:\n\n{lines}```\n" if lines else ""


def _link(path: str, link: "re.Match[str]") -> str:
    target, place = leads_to(path, link[1]), link[2] or ""
    if target == "README.md":
        return _relative(INSTALL, path) if place == "#install" else _relative(ROOT, path) + place
    return _relative(in_site(target, path), path) + place


def leads_to(path: str, link: str) -> str:
    """Where a page's link leads, as a path within the repository."""
    written_at = {place: name for name, place in OUTSIDE.items()}.get(path, f"docs/{path}")
    here = PurePosixPath(written_at).parent
    return os.path.normpath(here / link).replace(os.sep, "/")


def in_site(path: str, page: str) -> str:
    """Where a file of the repository is in the site."""
    if path not in OUTSIDE and not path.startswith("docs/"):
        raise ValueError(f"{page}: a link leads to {path}, which is not in the site")
    return OUTSIDE.get(path) or path.removeprefix("docs/")


def _relative(path: str, page: str) -> str:
    return os.path.relpath(path, PurePosixPath(page).parent).replace(os.sep, "/")


def _linked_files(pages: dict[str, str]) -> set[str]:
    """What pages link to beside pages: schemas, examples."""
    links = [
        (path, link[1])
        for path, text in pages.items()
        if path.endswith(".md")
        for link in LINK.finditer(CODE.sub("", text))
    ]
    found = {os.path.normpath(PurePosixPath(path).parent / link).replace(os.sep, "/") for path, link in links}
    return found - set(pages)


def _for_both_schemes(picture: str) -> str:
    """A <picture> with a dark source as two images, so that the site's own switch chooses between them."""
    dark, light = re.search(r'srcset="([^"]+)"', picture), re.search(r"<img[^>]*>", picture)
    if dark is None or light is None:
        raise ValueError(f"a <picture> without a dark source and an <img>: {picture}")
    image = light[0]
    other = re.sub(r'(?<= src=")[^"]+', dark[1], image)
    return image.replace("<img", '<img class="only-light"') + "\n" + other.replace("<img", '<img class="only-dark"')


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text with a change made in all of it but fenced code."""
    parts, at = [], 0
    for code in CODE.finditer(text):
        parts += [change(text[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, change(text[at:])])


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")


def _first_paragraph(text: str) -> str:
    after = text.partition("\n")[2].strip()
    return " ".join(after.split("\n\n")[0].split())


def _plain(text: str) -> str:
    """Markdown without its marks, for an attribute."""
    return re.sub(r"[`*]", "", re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text))
