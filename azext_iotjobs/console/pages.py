"""The pages: HTML, CSS and JavaScript as they stand in `web/`. Nothing that a hub or a device says is put into them.

A page is a row below, `web/pages/<name>.html`, which stands in `web/layout.html`, and `web/static/<name>.js`. What
several pages have stands once, in `web/parts/`; a page names it in double braces.
"""

import gzip
import html
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

WEB = Path(__file__).parent / "web"
GZIP_ASKED = "Accept-Encoding"
NAMED = re.compile(r"{{([a-z-]+)}}")
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}


class Page(NamedTuple):
    """A page. Where `section` is one of NAVIGATION, it is marked there."""

    path: str
    name: str
    title: str
    section: str = ""
    shared: tuple[str, ...] = ()  # other scripts that it needs, too


LOCAL = "/local-hub"  # it is there only where the hub is a local one
NAVIGATION = (("/jobs", "Jobs"), ("/devices", "Devices"), (LOCAL, "Local hub"), ("/simulations", "Simulations"))
OF_DEVICES = ("secrets", "twin-edit", "device-calls", "telemetry")
PAGES = (
    Page("/", "sign-in", "Sign in"),
    Page("/jobs", "jobs", "Jobs", "/jobs"),
    Page("/jobs/new", "new-job", "New job", "/jobs"),
    Page("/jobs/fleet/{id}", "fleet-job", "Fleet job", "/jobs", ("device-results", "actions")),
    Page("/jobs/hub/{id}", "hub-job", "Hub job", "/jobs", ("device-results", "actions")),
    Page("/devices", "devices", "Devices", "/devices", ("query-box",)),
    Page("/devices/{id}", "device", "Device", "/devices", OF_DEVICES),
    Page("/devices/{id}/modules/{module}", "device", "Module", "/devices", OF_DEVICES),
    Page(LOCAL, "local-hub", "Local hub", LOCAL, ("secrets", "hub-log", "hub-changes", "hub-data")),
    Page("/simulations", "simulations", "Simulations", "/simulations"),
    Page("/simulations/{id}", "simulation", "Simulation", "/simulations", ("actions",)),
)


def add_pages(application: web.Application, *, is_local: bool) -> None:
    """Serve the pages, and the files that they need: those that are there when the console starts, and no other.

    is_local: with those of a local hub.
    """
    navigation = [each for each in NAVIGATION if is_local or each[0] != LOCAL]
    for page in PAGES:
        if is_local or page.path != LOCAL:
            application.router.add_get(page.path, _serving(rendered(page, navigation).encode(), "text/html"))
    for folder in ("static", "libraries"):
        for file in sorted((WEB / folder).iterdir()):
            if file.suffix in TYPES:
                served = _serving(file.read_bytes(), TYPES[file.suffix])
                application.router.add_get(f"/static/{file.name}", served)


def rendered(page: Page, navigation: Sequence[tuple[str, str]] = NAVIGATION) -> str:
    """A page's HTML. navigation: paths and names of the header's pages."""
    links = "" if page.name == "sign-in" else "\n".join(_link(path, name, page) for path, name in navigation)
    scripts = "\n".join(f'<script defer src="/static/{name}.js"></script>' for name in (*page.shared, page.name))
    parts = {file.stem: _text(file).removesuffix("\n") for file in (WEB / "parts").iterdir()}
    content = _filled(_text(WEB / "pages" / f"{page.name}.html"), parts)
    values = {"title": html.escape(page.title), "navigation": links, "scripts": scripts, "content": content}
    return _filled(_text(WEB / "layout.html"), values)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return NAMED.sub(lambda found: values[found[1]], text)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _link(path: str, name: str, page: Page) -> str:
    current = ' aria-current="page"' if path == page.section else ""
    return f'<li><a href="{path}"{current}>{html.escape(name)}</a></li>'


def _serving(body: bytes, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    compressed = gzip.compress(body, mtime=0)

    async def serve(request: web.Request) -> web.Response:
        response = web.Response(body=body, content_type=content_type, charset="utf-8", headers={"Vary": GZIP_ASKED})
        if "gzip" in request.headers.get(GZIP_ASKED, ""):
            response.body = compressed
            response.headers["Content-Encoding"] = "gzip"
        return response

    return serve
