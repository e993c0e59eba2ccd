"""What pages have that is not typed: files, programs, output, and commands that cannot run here, with the reason."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.model.fleet_job import check_id
from tests.documents.block_checks import BadBlock, check_block
from tests.documents.page_run import is_typed
from tests.documents.pages import REPOSITORY, Block, all_pages, name_of, read_page
from tests.documents.typed_commands import NotParsed, check_mentioned, check_words

# Every reason for which commands are not run, and how many blocks have it. A block without a reason is run.
NOT_RUN = {
    "a hub in Azure": 5,
    "a part of a program": 1,
    "a sketch of code": 1,
    "an SDK that dials fixed ports": 2,
    "an application of IoT Central": 1,
    "half an hour of this project's benchmarks": 1,
    "it needs a CI service": 2,
    "it needs a cluster": 4,  # tests/scenarios/test_simulate_on_cluster.py runs pods as processes
    "it needs a hub that pods reach": 1,
    "it needs a container engine": 7,  # tests/localhub/testing/test_containers.py has one where there is one
    "it installs into an environment": 20,  # tests/release and tests/scenarios/test_installing_by_url.py do it
    "it needs a server of PostgreSQL": 6,  # tests/fleet_job/store/postgres has one where it is installed
    "tests/conformance does with Microsoft's SDKs": 4,
    "the tests of this project": 2,
}


def untyped_blocks(path: Path) -> list[Block]:
    page = read_page(path.read_text(encoding="utf-8"), name_of(path))
    return [block for block in page.blocks if not is_typed(block)]


@pytest.mark.parametrize("path", all_pages(), ids=name_of)
def test_what_a_page_has_that_is_not_typed_is_what_it_says(path: Path) -> None:
    wrong = []
    for block in untyped_blocks(path):
        try:
            check_block(block)
        except BadBlock as bad:
            wrong.append(f"{name_of(path)}: {bad}")
    assert wrong == []


def test_no_reason_why_commands_are_not_run_is_hidden() -> None:
    blocks = [block for path in all_pages() for block in untyped_blocks(path)]
    found = Counter(block.not_run for block in blocks if block.not_run)
    assert found == NOT_RUN


OTHERS = {"az iot hub job pause"}  # that CONTRIBUTING has as an example of one to be added
OF_AZURE_IOT = "docs/reference/compatibility.md"  # what it names is compared with azure-iot


def mentioned() -> Iterator[tuple[str, str]]:
    """The commands that stand in the text of pages, whole ones."""
    paths = [path for path in all_pages() if name_of(path) != OF_AZURE_IOT]
    for path in [*paths, REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "SECURITY.md"]:
        text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for line in re.findall(r"`(az iot [^`]+)`", text):
            if "…" not in line and "..." not in line and line not in OTHERS:
                yield name_of(path), " ".join(line.split())


def test_every_command_that_the_text_mentions_exists_with_its_options() -> None:
    lines = set(mentioned())
    wrong = []
    for name, line in sorted(lines):
        try:
            check_mentioned(line)
        except (NotParsed, ValueError) as err:
            wrong.append(f"{name}: {err}")
    assert wrong == []
    assert len(lines) > 100


def test_the_commands_for_people_from_iot_central_are_whole() -> None:
    lines = [line for name, line in mentioned() if name.endswith("from-iot-central.md")]
    for line in set(lines):
        words = shlex.split(line)[1:]
        check_words(words)
        ids = [words[at + 1] for at, word in enumerate(words) if word in ("-j", "--fleet-job-id")]
        assert all(map(check_id, ids)), line
    assert len(lines) > 30
