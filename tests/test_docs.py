"""Help and documents say what is so."""

import copy
import inspect
import re
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from azext_iotjobs.localhub.process.config import LocalHubConfig
from azext_iotjobs.localhub.process.sockets import Ports
from azext_iotjobs.localhub.process.state_file import Credentials, describe
from tests.helpers.surface import generator, our_arguments

REPOSITORY = Path(__file__).parents[1]
SCENARIOS = REPOSITORY / "tests" / "scenarios"


def test_the_pages_of_commands_are_what_help_produces() -> None:
    folder = REPOSITORY / "docs" / "reference"
    paths = [folder / "commands.md", *(folder / "commands").glob("*.md")]
    written = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    assert written == generator("generate").pages(), "run: make docs"


def test_every_command_has_its_place_on_one_page_and_a_link_in_the_index() -> None:
    index = (REPOSITORY / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    links = dict(re.findall(r"^\| \[`az ([^`]+)`\]\((\S+)#\S+\) \|", index, re.MULTILINE))
    assert set(links) == set(our_arguments())
    pages = (REPOSITORY / "docs" / "reference" / "commands").glob("*.md")
    places = [each for path in pages for each in re.findall(r"^## az (.+)$", path.read_text("utf-8"), re.MULTILINE)]
    assert sorted(places) == sorted(links), "each once"
    for command, page in links.items():
        assert f"\n## az {command}\n" in (REPOSITORY / "docs" / "reference" / page).read_text(encoding="utf-8")


def test_long_pages_have_a_table_of_contents_that_is_theirs() -> None:
    contents = generator("contents")
    for path in contents.pages():
        assert path.read_text(encoding="utf-8") == contents.page(path.read_text(encoding="utf-8")), "run: make docs"
        assert len(contents.PART.findall(path.read_text(encoding="utf-8"))) == 1
    made = {"compatibility.md", *(path.name for path in (REPOSITORY / "docs").rglob("commands/*.md"))}  # with links
    written = [path for path in (REPOSITORY / "docs").rglob("*.md") if path.name not in made]
    long = {path for path in written if len(path.read_text("utf-8").splitlines()) > contents.LONG_LINES}
    assert long <= set(contents.pages())


def test_every_file_that_the_walk_and_the_platforms_name_is_there() -> None:
    rooms = [each.name for each in (REPOSITORY / "azext_iotjobs").iterdir() if each.is_dir()]
    beginning = rf"(?:{'|'.join(rooms)}|docs|tests)/"
    named = {
        each.partition(":")[0]
        for page in ("walk.md", "platforms.md")
        for each in re.findall(rf"`({beginning}[^`<>]+)`", (REPOSITORY / "docs" / page).read_text(encoding="utf-8"))
    }
    there = {each for each in named for folder in (REPOSITORY, REPOSITORY / "azext_iotjobs") if any(folder.glob(each))}
    assert len(named) > 50 and named - there == set()


def links(page: Path) -> list[str]:
    """Where a page's links lead, within the checkout."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [each for each in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in each]


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_link_within_the_documents_leads_somewhere() -> None:
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    checked = 0
    for page in pages:
        for link in links(page):
            path, _, anchor = link.partition("#")
            leads_to = (page.parent / path).resolve() if path else page
            assert leads_to.exists(), f"{page.name}: {link}"
            assert not anchor or leads_to.suffix != ".md" or anchor in anchors(leads_to), f"{page.name}: {link}"
            checked += 1
    assert checked > 100


def test_the_tables_of_the_local_hub_are_its_own() -> None:
    made = generator("hub_tables")
    for path in made.tables():
        assert path.read_text(encoding="utf-8") == made.page(path), "run: make docs"
    assert "| GET | `/twins/{id}` | service connect |" in made.REFERENCE.read_text(encoding="utf-8")


def test_what_is_said_of_the_local_hubs_own_rest_is_what_its_routes_take() -> None:
    schema, made, contents = (generator(each) for each in ("local_rest_schema", "local_rest_page", "contents"))
    assert schema.PATH.read_text(encoding="utf-8") == schema.text(), "run: make docs"
    page = contents.page(made.page(schema.document()))
    assert made.PATH.read_text(encoding="utf-8") == page, "run: make docs"
    assert "| `wait` | number, 0 to 30; `0` where absent | seconds to wait for the first entry |" in page


def test_the_references_of_python_are_made_of_its_signatures_and_each_parameter_is_described() -> None:
    made, contents = generator("python_reference"), generator("contents")
    undescribed, without_range, without_unit = set(), set(), set()
    for function_name, function in made.functions():
        parameters = inspect.signature(function).parameters
        for name, said in made.described(function).items():
            where, is_number = (
                f"{function_name}({name})",
                re.match(r"(<class ')?(int|float)\b", str(parameters[name].annotation)),
            )
            undescribed |= set() if said else {where}
            without_range |= set() if not is_number or re.search(r"\d", said) else {where}
            without_unit |= set() if not name.endswith("_s") or re.search(r"\bs\b|second", said) else {where}
    assert (undescribed, without_range, without_unit) == (set(), set(), set())
    for each in made.REFERENCES:
        assert each.path.read_text(encoding="utf-8") == contents.page(made.page(each)), "run: make docs"


def test_the_ready_line_is_documented_whole() -> None:
    credentials = Credentials(
        policy="p", key="k", service_key="s", ca_file=Path("ca"), bundle_file=Path("bundle"), container_uri="https://h"
    )
    config = LocalHubConfig(data_dir=Path("hub"))
    document = describe(config, Ports(https=1, mqtt=2, amqp=3, amqp_plain=None), credentials, "at").document
    section = (REPOSITORY / "docs" / "reference" / "local-hub.md").read_text("utf-8").partition("## The ready line")[2]
    rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(document)


def test_the_page_of_compatibility_is_what_comparing_produces() -> None:
    written = (REPOSITORY / "docs" / "reference" / "compatibility.md").read_text(encoding="utf-8")
    assert written == generator("compatibility").page(our_arguments()), "run: make docs"


def test_the_page_of_compatibility_names_every_command_and_option_of_the_reference(reference: dict[str, Any]) -> None:
    page = (REPOSITORY / "docs" / "reference" / "compatibility.md").read_text(encoding="utf-8")
    summary, *sections = page.split("\n## az ")
    options = {section.split("\n")[0]: set(re.findall(r"`(-[^`]+)`", section)) for section in sections}
    for name, theirs in reference["commands"].items():
        (row,) = re.findall(rf"^\| \[?`az {name}`.*$", summary, re.MULTILINE)
        if "| absent: " in row:
            assert name not in options and name not in our_arguments()
            in_page = set(re.findall(r"`(-[^`]+)`", row))
            assert {
                option for each in theirs if "hidden" in each.get("marks", ()) for option in each["options"]
            } <= in_page
        else:
            required = [each for each in theirs if "previews only" not in each.get("marks", ())]
            assert {option for each in required for option in each["options"]} <= options[name], name


def test_the_page_of_compatibility_says_which_version_it_is_about(reference: dict[str, Any]) -> None:
    page = (REPOSITORY / "docs" / "reference" / "compatibility.md").read_text(encoding="utf-8")
    assert f"version {reference['version']}, under" in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda ours: ours.pop("iot hub query"), "az iot hub query is not here"),
        (lambda ours: ours["iot hub query"].pop("our_top"), "az iot hub query has no --top"),
        (lambda ours: ours["iot hub query"]["our_top"].update(default=5), "--top: has the default 5"),
        (lambda ours: ours["iot hub query"]["our_top"].update(required=True), "--top: is required"),
        (lambda ours: ours["iot hub query"]["our_hub_name"].update(options=["--hub-name"]), "lacks the spelling -n"),
        (lambda ours: ours.update({"iot device upload-file": {}}), "a note says that it is absent"),
    ],
)
def test_a_difference_that_no_note_explains_is_refused(change: Callable[[Any], Any], said: str) -> None:
    ours = copy.deepcopy(our_arguments())
    change(ours)
    with pytest.raises(ValueError, match=re.escape(said)):
        generator("compatibility").page(ours)


def test_a_command_of_the_reference_without_a_row_is_refused(reference: dict[str, Any]) -> None:
    record = {**reference, "commands": {**reference["commands"], "iot hub something-new": []}}
    with pytest.raises(ValueError, match="az iot hub something-new is not here, and no note says why"):
        generator("compatibility").page(our_arguments(), record)


def test_an_option_of_previews_alone_is_compared_only_where_it_is_here(reference: dict[str, Any]) -> None:
    new = {"name": "n", "options": ["--later"], "required": False, "default": "auto", "choices": None}
    commands = {"iot hub query": [*reference["commands"]["iot hub query"], {**new, "marks": ["previews only"]}]}
    record = {**reference, "commands": {**reference["commands"], **commands}}
    ours = copy.deepcopy(our_arguments())
    assert "`--later`" not in generator("compatibility").page(ours, record)
    ours["iot hub query"]["later"] = {**new, "help": "Later."}
    row = "| `--later` | extended | as in preview versions of azure-iot |"
    assert row in generator("compatibility").page(ours, record)
    ours["iot hub query"]["later"]["default"] = "classic"
    with pytest.raises(ValueError, match="--later: has the default 'classic'"):
        generator("compatibility").page(ours, record)


def test_the_members_of_the_file_of_a_fleet_job_are_those_that_are_read() -> None:
    made = generator("job_file_members")
    written = made.PAGE.read_text(encoding="utf-8")
    assert written == made.page(written), "run: make docs"
    rows = dict(re.findall(r"^\| `(\S+)` \| .+ \| (.*) \|$", written, re.MULTILINE))
    assert rows["action.connectTimeoutInSeconds"] == "a whole number, 0 to 300"
    assert rows["schedule.overlap"] == "`skip`, `wait`, `stop`, `cancel`"
    assert "lastRun" not in rows and len(rows) > 70


def test_the_tables_of_errors_are_those_that_errors_are_made_of() -> None:
    written = (REPOSITORY / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    assert written == generator("error_tables").page(written), "run: make docs"


class CentralRow(NamedTuple):
    """What Central could do, and what does it here."""

    what: str
    here: str
    differs: str
    test: str


def central_rows() -> list[CentralRow]:
    text = (REPOSITORY / "docs" / "how-to" / "from-iot-central.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| IoT Central \| here \| differs \| test \|\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()]
    return [CentralRow(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


NO_COUNTERPART = ("organization", "template")


def test_what_iot_central_could_do_has_a_command_and_a_test_or_is_of_templates_and_organizations() -> None:
    rows = central_rows()
    without = [row for row in rows if row.here == "no counterpart"]
    assert all(any(word in row.what for word in NO_COUNTERPART) and row.differs and not row.test for row in without)
    others = [row for row in rows if row not in without]
    assert [row.what for row in others if not re.search(r"`az iot [^`]+`", row.here)] == []
    assert [row.what for row in others if not re.fullmatch(r"`test_\w+`(, `test_\w+`)*", row.test)] == []
    assert len(others) > 45 and len(without) == 4


def files_of_tests() -> dict[str, str]:
    """The text of each file of tests, by the names of its tests."""
    texts = [path.read_text("utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py")]
    return {name: text for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


def test_every_test_that_the_page_for_people_from_iot_central_names_is_there_and_every_scenario_is_named() -> None:
    named = set(
        re.findall(r"`(test_\w+)`", (REPOSITORY / "docs" / "how-to" / "from-iot-central.md").read_text("utf-8"))
    )
    assert named - set(files_of_tests()) == set()
    for file in ("test_fleet_jobs.py", "test_fleet_job_endings.py"):
        made = set(re.findall(r"^def (test_\w+)", (SCENARIOS / file).read_text("utf-8"), re.MULTILINE))
        assert made - named == set(), file


def test_the_tests_of_a_row_are_in_files_that_know_its_commands() -> None:
    by_file, known = files_of_tests(), sorted(our_arguments(), key=len, reverse=True)
    for row in central_rows():
        texts = " ".join(by_file[name] for name in re.findall(r"`(test_\w+)`", row.test))
        for line in re.findall(r"`az (iot [^`]+)`", row.here):
            verb = next(each for each in known if line.startswith(each)).rpartition(" ")[2]
            assert re.search(rf"\b{verb}\b", texts), f"{row.what}: {verb}"


def test_what_the_documents_commands_write_into_a_checkout_is_ignored_by_git() -> None:
    patterns = [line.lstrip("/") for line in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()]
    documents = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    pages = [path for path in documents if path.parent.name != "commands"]
    commands = [
        line
        for page in pages
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    option = r"(?:--output-file|--events|--certificate-file-path|--key-file-path|-keyout|-out|>>?)"
    written = {name for line in commands for name in re.findall(rf"(?<=\s){option} ([\w.-]+\.\w+)", line)}
    assert {"devices.csv", "reboot-1.csv", "ca.key", "pump-1-key.pem"} <= written
    assert {name for name in written if not any(fnmatch(name, pattern) for pattern in patterns)} == set()
