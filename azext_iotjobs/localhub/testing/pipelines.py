"""python -m azext_iotjobs.localhub.testing.pipelines: starts a local hub for the later steps of a pipeline's job.

Strategy: the hub is a process of its own, which the pipeline's agent ends with the job. Later steps get what they need
as environment variables, and the agent learns what to mask in logs, each in the way of its product.

Exit codes: 0 clients are served, 1 the hub did not start, 2 a bad argument.
"""

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.testing.process import ready_line
from azext_iotjobs.localhub.testing.running_hub import SEED_LIMIT_S, client_environment

NOT_STARTED = 1
SECRETS = re.compile(r"SharedAccessKey=([^;]+)|[?&]sig=([^&]+)")
LOG = "hub.log"
TEMPORARY = ("RUNNER_TEMP", "AGENT_TEMPDIRECTORY")  # variables of the agents: a folder that is removed after the job
GITHUB_OUTPUTS = {  # of the action, and the variables of the same values
    "connection-string": "IOTJOBS_CONNECTION_STRING",
    "host-name": "IOTJOBS_LOCAL_HUB_HOST_NAME",
    "ca-certificate": "IOTJOBS_LOCAL_HUB_CA",
    "log": "IOTJOBS_LOCAL_HUB_LOG",
}
Variables = Mapping[str, str]


def main(words: list[str] | None = None) -> int:
    """Start a hub and say where it is; gives the exit code."""
    arguments, options = _parser().parse_known_args(words)
    parent = next(filter(None, map(os.environ.get, TEMPORARY)), None)
    folder = Path(tempfile.mkdtemp(prefix="local-hub-", dir=parent))
    document = start(folder, [word for word in options if word != "--"])
    if document is None:
        sys.stderr.write(f"The local hub did not start. It wrote:\n{(folder / LOG).read_text('utf-8')}")
        return NOT_STARTED
    tell = {"github": tell_github, "azure": tell_azure}[arguments.product]
    tell(variables(document, folder / LOG), secrets_of(document))
    sys.stdout.write(f"A local hub serves clients at {document['hostName']}.\n")
    return 0


def start(folder: Path, options: list[str]) -> dict[str, Any] | None:
    """Start a hub that outlives this process; gives what it reported when it was ready, None when it has ended.

    folder: of its data and its log.  options: as in `iotjobs-local-hub --help`.
    """
    with open(folder / LOG, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "azext_iotjobs.localhub", "--data-dir", str(folder / "hub"), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # no signal to this step's processes is for the hub
        )
    line = ready_line(process, SEED_LIMIT_S)
    if not line:
        process.wait()
        return None
    return dict(json.loads(line))


def variables(document: Mapping[str, Any], log: Path) -> dict[str, str]:
    """Environment variables for later steps. document: what the hub reported.  log: its log."""
    return {
        **client_environment(document),
        "IOTJOBS_LOCAL_HUB_LOG": str(log),
        "IOTJOBS_LOCAL_HUB_PID": str(document["pid"]),
    }


def secrets_of(document: Mapping[str, Any]) -> list[str]:
    """The keys and signatures in what a hub reported, each once."""
    texts = [value for value in document.values() if isinstance(value, str)]
    found = [key or signature for text in texts for key, signature in SECRETS.findall(text)]
    return list(dict.fromkeys(found))


def tell_github(values: Variables, to_mask: list[str]) -> None:
    """Tell the runner of GitHub Actions. Source: GitHub "Workflow commands", add-mask and GITHUB_ENV."""
    for secret in to_mask:
        sys.stdout.write(f"::add-mask::{secret.replace('%', '%25')}\n")
    outputs = {name: values[variable] for name, variable in GITHUB_OUTPUTS.items()}
    for file, content in (("GITHUB_ENV", values), ("GITHUB_OUTPUT", outputs)):
        with open(os.environ[file], "a", encoding="utf-8") as lines:
            lines.writelines(_lines(content))


def tell_azure(values: Variables, to_mask: list[str]) -> None:
    """Tell the agent of Azure Pipelines. Source: Azure Pipelines "Logging commands", SetSecret and SetVariable.

    The variables are not secret themselves: steps would not get them without naming each.
    """
    for secret in to_mask:
        sys.stdout.write(f"##vso[task.setsecret]{secret.replace('%', '%AZP25')}\n")
    for name, value in values.items():
        one_line = value.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")
        sys.stdout.write(f"##vso[task.setvariable variable={name}]{one_line}\n")


def _lines(values: Variables) -> Iterator[str]:
    """As GITHUB_ENV takes values of any number of lines: up to a line that none of them can hold."""
    for name, value in values.items():
        end = secrets.token_hex(16)
        yield f"{name}<<{end}\n{value}\n{end}\n" if "\n" in value or "\r" in value else f"{name}={value}\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m azext_iotjobs.localhub.testing.pipelines",
        description="Starts a local hub for the later steps of a pipeline's job. Further options are the hub's.",
        allow_abbrev=False,
    )
    parser.add_argument("product", choices=["github", "azure"], help="whose job this is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
