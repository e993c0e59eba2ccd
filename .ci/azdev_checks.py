"""Run azdev's linter and its style checks over the extension, without a checkout of azure-cli and without a network.

`make azdev` calls it in an environment of its own that has az and azdev, with the extension installed. azdev wants a
checkout of azure-cli for its own commands' settings, and files that `azdev setup` copies: both are laid in a folder.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
# All that look at commands. One more, command_test_coverage, counts the recordings of azure-cli's own test runner.
RULES = ("params", "commands", "command_groups", "help_entries")
# azdev reads these as it starts, for `azdev cmdcov` and `azdev extension` alone: only the names matter here.
COVERAGE_SETTINGS = """
BLUE BLUE_PCT CLI_OWN_MODULES CMD_PATTERN DOCS_END_PATTERN ENCODING END_PATTERN EXCLUDE_COMMANDS EXCLUDE_MODULES
GENERIC_UPDATE_PARAMETERS GLOBAL_EXCLUDE_COMMANDS GLOBAL_PARAMETERS GOLD GREEN GREEN_PCT NOT_END_PATTERN
NUMBER_SIGN_PATTERN ORANGE ORANGE_PCT OTHER_PARAMETERS QUO_PATTERN RED RED_PCT WAIT_CONDITION_PARAMETERS
""".split()
# What is not asked of us: CONTRIBUTING has the reasons.
NOT_FLAKE8 = "E203"  # the formatter's spaces in slices
NOT_PYLINT = """
abstract-method assignment-from-no-return broad-exception-caught consider-using-dict-items consider-using-with
contextmanager-generator-missing-cleanup disallowed-name global-statement import-error inconsistent-return-statements
invalid-field-call match-class-bind-self no-member no-name-in-module not-an-iterable protected-access
redefined-builtin redefined-outer-name signature-differs stop-iteration-return superfluous-parens
too-few-public-methods too-many-instance-attributes too-many-locals too-many-positional-arguments
too-many-public-methods too-many-return-statements undefined-all-variable unidiomatic-typecheck unnecessary-negation
unused-argument unused-import
""".split()


def lint(folder: Path) -> int:
    """Run `azdev linter` with the extension that is installed in AZURE_EXTENSION_DIR."""
    settings = folder / "scripts" / "ci" / "cmdcov.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text("".join(f"{name}: []\n" for name in COVERAGE_SETTINGS), encoding="utf-8")
    copies = folder / "azdev" / "env_config" / sys.prefix.lstrip(os.sep) / "config_files"  # as `azdev setup` does
    shutil.copytree(_settings(), copies)
    environment = {
        **os.environ,
        "AZDEV_CLI_REPO_PATH": str(folder),
        "AZDEV_EXT_REPO_PATHS": str(REPOSITORY),
        "AZDEV_CONFIG_DIR": str(folder / "azdev"),
        "VIRTUAL_ENV": sys.prefix,
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
    }
    words = [str(PROGRAMS / "azdev"), "linter", "iotjobs", "--include-whl-extensions", "--rule-types", *RULES]
    return subprocess.run(words, env=environment, check=False).returncode


def style() -> int:
    """Run flake8 and pylint with azdev's settings, as `azdev style` does; gives 0 when nothing is found."""
    settings = _settings()
    flake8 = ["flake8", "--config", str(settings / "ext.flake8"), "--extend-ignore", NOT_FLAKE8]
    pylint = [
        "pylint",
        "--rcfile",
        str(settings / "ext_pylintrc"),
        "--score",
        "no",
        f"--disable={','.join(NOT_PYLINT)}",
    ]
    codes = []
    for program, *words in (flake8, pylint):
        line = [str(PROGRAMS / program), *words, "azext_iotjobs"]
        codes.append(subprocess.run(line, cwd=REPOSITORY, check=False).returncode)
    return max(codes)


def _settings() -> Path:
    """The folder of azdev's settings of pylint and flake8."""
    found = find_spec("azdev")
    assert found is not None and found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / "config"


def main() -> int:
    """Run both; what fails is printed by them."""
    with tempfile.TemporaryDirectory() as folder:
        linted = lint(Path(folder))
    return 1 if linted + style() else 0


if __name__ == "__main__":
    raise SystemExit(main())
