"""The JSON schema of files of fleet jobs says what the reader takes: what one takes or refuses, the other does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.cli.fleet_job.documents import render_fleet_job
from azext_iotjobs.cli.fleet_job.job_file.form import FLEET_JOB, json_schema
from azext_iotjobs.cli.fleet_job.job_file.read import LIMITS, parse_file
from azext_iotjobs.cli.input.document_members import Members
from azext_iotjobs.cli.input.parameters import Parameters
from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.input.yaml_items import Source
from azext_iotjobs.cli.input.yaml_reader import read_documents
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.schedule import Schedule
from tests.cli.fleet_job.test_job_file import saved
from tests.helpers.any_definition import definitions, optional, schedules
from tests.helpers.json_schema import problems

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA: dict[str, Any] = json.loads((DOCS / "reference" / "fleet-job.schema.json").read_text(encoding="utf-8"))
PAGE = (DOCS / "how-to" / "fleet-job-files.md").read_text(encoding="utf-8")
EXAMPLES = [each for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "\nid:" in f"\n{each}"]
# What may stand in the place of a value.
OTHERS = st.sampled_from(
    (None, True, 0, 1, -1, 0.5, 250, 10**9, 10**16, "", "x", "5", "5%", "2.5%", "150%", "02:30", "once", "jobs", "stop")
) | st.sampled_from(([], ["x"], [1], [31, "last"], ["mon"], ["offline"], {}, {"zzz": 1}, {"value": 1}, {"offline": 2}))


def is_taken_by_form(document: Any) -> bool:
    """Whether a document has the form of a file; what its members mean together is not looked at."""
    source = Source(name="file", limits=LIMITS)
    (item,) = read_documents(json.dumps(document), source)
    found = Problems()
    FLEET_JOB.read(item, found)
    return not len(found)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a document, but for those where anything may stand."""
    if path[-1:] in (("payload",), ("twinPatch",), ("content",)):
        return []
    inner: Any = enumerate(document) if isinstance(document, list) else ()
    if isinstance(document, dict):
        inner = document.items()
    below = [each for name, value in inner for each in places(value, (*path, name))]
    return [path, *below] if path else below


def with_other(document: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The document with another value at a path."""
    if not path:
        return other
    copied = dict(document) if isinstance(document, dict) else list(document)
    copied[path[0]] = with_other(document[path[0]], path[1:], other)
    return copied


def test_the_schema_is_made_of_the_readers_tables() -> None:
    assert json_schema() == SCHEMA, "make docs"


@settings(max_examples=50)
@given(data=st.data(), definition=definitions(), schedule=optional(schedules()))
def test_what_show_prints_is_valid_and_with_another_value_it_is_where_it_has_the_form(
    data: st.DataObject, definition: Definition, schedule: Schedule | None
) -> None:
    document = render_fleet_job(saved(definition), schedule)
    assert problems(SCHEMA, document, SCHEMA) == [] and is_taken_by_form(document)
    path = data.draw(st.sampled_from([each for each in places(document) if each[0] in FLEET_JOB.members]))
    changed = with_other(document, path, data.draw(OTHERS))
    assert is_taken_by_form(changed) is (problems(SCHEMA, changed, SCHEMA) == []), path


@pytest.mark.parametrize("without", ["id", "action", "targets", None])
def test_both_need_the_same_members(without: str | None) -> None:
    document = {"id": "a", "action": {"methodName": "m"}, "targets": {"queryCondition": "*"}}
    changed = {name: value for name, value in document.items() if name != without}
    assert is_taken_by_form(changed) is (problems(SCHEMA, changed, SCHEMA) == []) is (without is None)


def test_every_member_is_described() -> None:
    def described(form: Any) -> list[str]:
        inner = form.members.values() if isinstance(form, Members) else ()
        return [each.text for each in inner] + [text for each in inner for text in described(each.form)]

    texts = described(FLEET_JOB)
    assert len(texts) > 80 and all(text.endswith((".", "%.")) for text in texts)


@pytest.mark.parametrize("content", EXAMPLES)
def test_what_is_an_example_is_a_file_and_valid(content: str) -> None:
    values = dict.fromkeys(re.findall(r"(?<!\$)\$\{(\w+)\}", content), "7")
    found = Problems()
    jobs = parse_file(content, "example", Parameters(values, "--set"), found)
    assert jobs
    source = Source(name="example", limits=LIMITS)
    for item in read_documents(content, source):
        assert problems(SCHEMA, item.value(), SCHEMA) == []
