"""What holds the project together says the same everywhere: metadata, make, CI, releases, templates."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.az import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
TEMPLATES = sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
PROJECT = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
MAKEFILES = "".join((REPOSITORY / each).read_text(encoding="utf-8") for each in ("Makefile", ".ci/versions.mk"))
TARGETS = set(re.findall(r"^([\w-]+):", MAKEFILES, re.MULTILINE))
TESTED_PYTHONS = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)


def read(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.name} {name}", job) for path in WORKFLOWS for name, job in read(path)["jobs"].items()]


def steps() -> list[tuple[str, dict[str, Any]]]:
    return [(name, step) for name, job in jobs() for step in job.get("steps", [])]


def run_lines() -> list[str]:
    return [line for _, step in steps() for line in step.get("run", "").splitlines()]


def test_workflows_say_when_they_run_and_may_read_alone_unless_a_job_says_more() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]
    for path in WORKFLOWS:
        document = read(path)
        assert document[True] and document["permissions"] == {"contents": "read"}  # YAML 1.1 reads `on` so


def test_every_job_runs_somewhere_after_jobs_that_exist() -> None:
    for path in WORKFLOWS:
        every = read(path)["jobs"]
        for name, job in every.items():
            assert {"runs-on", "steps"} <= set(job) or "uses" in job, name
            needed = job.get("needs", [])
            assert set([needed] if isinstance(needed, str) else needed) <= set(every), name
            assert "uses" not in job or (REPOSITORY / job["uses"]).is_file(), name


def test_every_step_runs_something_or_uses_an_action_of_a_fixed_version() -> None:
    for name, step in steps():
        assert ("run" in step) != ("uses" in step), name
        used = step.get("uses", "actions/none@v1")
        ours = used.startswith("./") and (REPOSITORY / used / "action.yml").is_file()
        assert ours or re.fullmatch(r"actions/[a-z-]+@v\d+", used), name


def test_every_value_that_a_matrix_gives_is_used_and_every_one_that_is_used_is_given() -> None:
    for name, job in jobs():
        matrix = job.get("strategy", {}).get("matrix", {})
        given = {key for each in matrix.get("include", [matrix]) for key in each}
        assert set(re.findall(r"\$\{\{ matrix\.(\w+) \}\}", str(job))) == given, name


def test_every_python_and_system_that_the_metadata_names_is_tested() -> None:
    matrix = read(WORKFLOWS[0])["jobs"]["unit"]["strategy"]["matrix"]
    assert matrix["python"] == TESTED_PYTHONS and len(TESTED_PYTHONS) == 5
    assert [each.partition("-")[0] for each in matrix["os"]] == ["ubuntu", "macos", "windows"]


def test_what_ci_makes_and_reads_is_there() -> None:
    made = {word for line in run_lines() for word in re.findall(r"\bmake ([\w-]+)", line)}
    files = {word for line in run_lines() for word in re.findall(r"(?:tests|requirements|\.ci)/[\w.]+", line)}
    assert made and made <= TARGETS
    assert files and [each for each in files if not (REPOSITORY / each).exists()] == []


def test_what_documents_and_templates_have_made_can_be_made() -> None:
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / ".github").glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    made = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    assert {"check", "unit", "test"} <= made <= TARGETS


def test_the_readme_is_one_page_with_a_picture_and_five_commands_to_begin_with() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    (quickstart,) = re.findall(r"## Two minutes\n.*?```bash\n(.*?)```", text, re.DOTALL)
    begun = quickstart.replace("\\\n", " ").splitlines()
    assert len(begun) == 5 and all(each.startswith("az iot ") for each in begun)
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"', text)
    assert len(pictures) == 2 and [each for each in pictures if not (REPOSITORY / each).is_file()] == []


def test_the_oldest_az_that_the_extension_allows_is_tested_and_all_that_are_can_be_installed() -> None:
    metadata = json.loads((REPOSITORY / "azext_iotjobs" / "azext_metadata.json").read_text(encoding="utf-8"))
    (listed,) = re.findall(
        "^CORES := (.*)$", (REPOSITORY / ".ci" / "versions.mk").read_text(encoding="utf-8"), re.MULTILINE
    )
    cores = listed.split()
    assert cores[0] == metadata["azext.minCliCoreVersion"]
    for core in cores:
        requirement = (REPOSITORY / "requirements" / f"az-{core}.txt").read_text(encoding="utf-8")
        assert requirement.splitlines()[-1] == f"azure-cli=={core}"
    scenarios = (REPOSITORY / "tests" / "cores.txt").read_text(encoding="utf-8").split()
    assert scenarios and all((REPOSITORY / each).is_file() for each in scenarios)


def test_the_files_of_unit_tests_are_there_and_need_no_az() -> None:
    folders = (REPOSITORY / "tests" / "unit.txt").read_text(encoding="utf-8").split()
    assert len(folders) >= 5 and all((REPOSITORY / each).is_dir() for each in folders)
    sources = [path.read_text(encoding="utf-8") for each in folders for path in (REPOSITORY / each).rglob("*.py")]
    assert not any(
        re.search(r"^\s*(?:from|import) (?:azure|knack|azext_iotjobs\.cli)\b", each, re.M) for each in sources
    )


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.name))
def test_templates_of_issues_ask_for_something(path: Path) -> None:
    template = read(path)
    if path.name != "config.yml":
        assert template["name"] and template["description"]
        assert all(each["attributes"]["label"] and each["id"] for each in template["body"])


def test_the_page_about_clusters_shows_the_dockerfile_that_there_is() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "cluster.md").read_text()
    assert (REPOSITORY / "container" / "az" / "Dockerfile").read_text() in page
