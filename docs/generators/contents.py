"""Write the tables of contents of long pages from their headings.

`make docs` calls this; a test keeps the pages equal to what it produces.
"""

import re
from pathlib import Path

LONG_LINES = 300  # a page beyond needs a table of contents
PART = re.compile(r"(?<=<!-- made: contents -->\n).*?(?=<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """The pages that have one."""
    return [path for path in sorted(Path(__file__).parents[1].rglob("*.md")) if PART.search(path.read_text("utf-8"))]


def page(written: str) -> str:
    """The page with its table of contents made anew."""
    without_code = re.sub(r"^```.*?^```$", "", written, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^## (.+)$", without_code, re.MULTILINE)
    lines = "".join(f"- [{each}](#{_anchor(each)})\n" for each in headings)
    return PART.sub(lines.replace("\\", r"\\"), written, count=1)


def write() -> None:
    """Bring the pages up to date."""
    for path in pages():
        path.write_text(page(path.read_text("utf-8")), "utf-8")


def _anchor(heading: str) -> str:
    """As Markdown's renderers name a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
