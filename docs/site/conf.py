"""How Sphinx makes the site out of the pages that build.py has prepared. See docs/dependencies.md for why Sphinx."""

import re
from pathlib import Path

HERE = Path(__file__).parent
VERSION_FILE = HERE.parents[1] / "azext_iotjobs" / "_version.py"
(version,) = re.findall(r'^VERSION = "([^"]+)"', VERSION_FILE.read_text(encoding="utf-8"), re.MULTILINE)

project = "iotjobs"
release = version
project_copyright = "iotjobs contributors"
language = "en"
root_doc = "index"
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["extra"]

extensions = ["myst_parser"]
myst_heading_anchors = 4  # headings are linked to as a forge names them
nitpicky = True
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]  # a language that Pygments does not know has one color
smartquotes = False  # -- is an option's beginning

html_theme = "pydata_sphinx_theme"
html_title = f"iotjobs {version}"
templates_path = [str(HERE / "templates")]
html_sidebars = {"**": ["section-pages"], "index": [], "search": []}
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_favicon = str(HERE / "static" / "favicon.svg")
html_copy_source = False
html_use_index = False
html_show_sourcelink = False
html_show_search_summary = False  # it is fetched, which browsers refuse to a page that is a file
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": f"iotjobs {version}", "image_light": "_static/favicon.svg", "image_dark": "_static/favicon.svg"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 5,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "show_prev_next": True,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
