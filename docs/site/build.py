"""Make the site: `python docs/site/build.py FOLDER`, as `make site` does. Every warning is an error."""

import shutil
import subprocess
import sys
from pathlib import Path

import pages

HERE = Path(__file__).resolve().parent


def main(site: Path) -> int:
    """Make the site anew in a folder; gives the exit code of Sphinx.

    site: what is in it is removed. Folders beside it have the pages as Sphinx takes them and as it has read them.
    """
    site = site.resolve()
    prepared, doctrees = (site.with_name(f"{site.name}-{kind}") for kind in ("pages", "doctrees"))
    pages.write(prepared)
    for folder in (site, doctrees):
        shutil.rmtree(folder, ignore_errors=True)
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--fresh-env", "--write-all"]
    options += ["-b", "html", "-c", str(HERE), "-d", str(doctrees), "-D", f"html_extra_path={prepared / 'extra'}"]
    command = [sys.executable, "-m", "sphinx", *options, str(prepared), str(site)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
