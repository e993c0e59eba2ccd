"""What can be said of a block without running it: that its words exist, that it is what its language says."""

import ast
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from azext_iotjobs.cli.fleet_job.job_file.read import parse_file
from azext_iotjobs.cli.input.parameters import Parameters
from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.simulate.behaviour.file import parse_behaviour
from azext_iotjobs.localhub.process.seed_file import UnreadableSeed, parse_seed_text
from azext_iotjobs.localhub.rules.seed import SEED, SeedMistake, read_seed
from azext_iotjobs.model.errors import UserError
from azext_iotjobs.simulator.behaviour import Behaviour
from tests.documents.pages import Block
from tests.documents.typed_commands import NotParsed, check_words

ECHOED = ("text", "powershell", "bat", "html", "sql", "ini", "toml", "csv", "dockerfile", "http")  # only shown
BEHAVIOUR = {"based-on", "reported", "methods", "twin", "telemetry", "presence", "groups"}
OTHERS_YAML = ({"on", "jobs"}, {"jobs"}, {"steps"}, {"kind", "apiVersion"}, {"services"}, {"repos"})
# Only az is a command here, and it keeps its words; all others do nothing, and so write nothing.
RECORDING = """
PATH= GITHUB_STEP_SUMMARY=summary
az() { printf '%s\\0' "$@" >> "$RECORD"; printf '\\n\\0' >> "$RECORD"; echo recorded; }
exec() { "$@"; }
command_not_found_handle() { return 0; }
"""


class BadBlock(AssertionError):
    """A block that is not what it says."""


def check_block(block: Block) -> None:
    """Check a block that is not typed: a file, a program, or commands that cannot run here. Raises BadBlock."""
    try:
        _check(block)
    except (
        BadBlock,
        NotParsed,
        SeedMistake,
        SyntaxError,
        UnreadableSeed,
        UserError,
        ValueError,
        yaml.YAMLError,
    ) as err:
        raise BadBlock(f"line {block.line}: {type(err).__name__}: {err}") from err


def _check(block: Block) -> None:
    language, text = block.language, block.text
    if language == "bash":
        check_shell(text)
    elif language in ("yaml", "yml"):
        check_yaml(text)
    elif language == "json":
        _check_json(text)
    elif language == "python":
        ast.parse(text if not text.startswith(" ") else f"if True:\n{text}")
    elif language in ("js", "javascript"):
        _check_javascript(text)
    elif language not in ECHOED:
        raise BadBlock(f"'{language}' is no language that is looked at: bash, text, json, yaml, python, js …")


def check_shell(text: str) -> None:
    """Check every az command that these lines would run, as bash expands them. Raises NotParsed, BadBlock."""
    commands = az_commands(text)
    for words in commands:
        check_words(words)
    if not commands and re.search(r"^\s*(exec )?az ", text, re.MULTILINE):
        raise BadBlock("bash comes to no az command here")


def az_commands(text: str) -> list[list[str]]:
    """The words of each az command that bash would run, where all else does nothing and succeeds."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record"
        record.touch()
        work = Path(folder) / "work"
        work.mkdir()
        environment = {"RECORD": str(record), "HOME": folder, "LANG": "C.UTF-8"}
        ran = subprocess.run(
            ["/bin/bash", "-c", f"{RECORDING}\n{text}\nwait"],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if "syntax error" in ran.stderr or "unexpected EOF" in ran.stderr:
            raise BadBlock(ran.stderr)
        recorded = record.read_text(encoding="utf-8").split("\n\0")
    return [each.split("\0")[:-1] for each in recorded if each]


def check_yaml(text: str) -> None:
    """Check documents of YAML by what they are: a behaviour, a seed, fleet jobs, or what has commands."""
    documents = [each for each in yaml.safe_load_all(text) if each is not None]
    members = [set(map(str, each)) if isinstance(each, dict) else set() for each in documents]
    if len(documents) == 1 and members[0] and members[0] <= BEHAVIOUR:
        parse_behaviour(text, "block", Behaviour())
    elif len(documents) == 1 and members[0] and members[0] <= SEED.keys():
        read_seed(parse_seed_text(text.encode()))
    elif all({"id", "action"} <= each for each in members):
        _check_fleet_jobs(text)
    elif all(isinstance(each, list) or _is_known(each) for each in documents):
        for script in _scripts(documents):
            check_shell(script)
    else:
        raise BadBlock(f"what kind of file is this, with {members}? Its words are not looked at")


def _is_known(document: Any) -> bool:
    names = {"on" if each is True else str(each) for each in document}
    return any(each <= names for each in OTHERS_YAML)


def _check_fleet_jobs(text: str) -> None:
    """Read fleet jobs, with something for each parameter that has no default."""
    names = set(re.findall(r"\$\{(\w+)\}", text))
    problems = Problems()
    parse_file(text, "block", Parameters(dict.fromkeys(names, "1.0"), "--set"), problems)
    problems.check()


def _scripts(value: Any) -> Iterator[str]:
    """The strings of a document that run az."""
    values: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, str) and re.search(r"\baz (iot|login|extension) ", value):
        yield re.sub(r"\$\{\{.*?\}\}|\$\([A-Z]\w*(\.\w+)*\)", "filled-in", value)  # what CI systems fill in
    for each in values:
        yield from _scripts(each)


def _check_json(text: str) -> None:
    """One document, or one a line."""
    try:
        json.loads(text)
    except ValueError:
        for line in text.splitlines():
            json.loads(line)


def _check_javascript(text: str) -> None:
    ran = subprocess.run(["node", "--check", "-"], input=text, capture_output=True, text=True)
    if ran.returncode:
        raise BadBlock(ran.stderr)
