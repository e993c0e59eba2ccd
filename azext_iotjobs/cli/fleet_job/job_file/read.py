"""A file -> the fleet jobs that it describes. Nothing is stored, and no hub is asked."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import yaml

from azext_iotjobs.cli.fleet_job.job_file.definition import definition_of
from azext_iotjobs.cli.fleet_job.job_file.form import FLEET_JOB
from azext_iotjobs.cli.fleet_job.job_file.mistakes import Maker
from azext_iotjobs.cli.fleet_job.job_file.schedule import schedule_of
from azext_iotjobs.cli.input.document_members import Given
from azext_iotjobs.cli.input.parameters import Parameters
from azext_iotjobs.cli.input.problems import Problems
from azext_iotjobs.cli.input.yaml_items import YAML_NUMBER, Item, Limits, Source
from azext_iotjobs.cli.input.yaml_reader import read_documents
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Definition, check_id
from azext_iotjobs.model.ids import looks_like_connection_string
from azext_iotjobs.model.schedule import Schedule

PARAMETERS = "parameters"  # the member that says that a document has none
MAX_DOCUMENTS = 1_000
# YAML is read slowly; JSON may be as large as any file. Python reads whole numbers of 4300 digits.
LIMITS = Limits(size_bytes=1024 * 1024, values=150_000, depth=110, digits=4300)


class FileJob(NamedTuple):
    """A fleet job, as a file has it."""

    fleet_job_id: str
    hub: str | None  # as it is written; None: the one that is typed
    definition: Definition
    schedule: Schedule | None  # None: there is none
    says_schedule: bool  # it says which, or that there is none; else the stored one stays
    top: Given  # its members, with their places
    maker: Maker

    def tried(self, make: Callable[[], object], at: str = "") -> None:
        """Call `make`; what it finds wrong is a problem of the file. at: the member of what names no field."""
        self.maker.tried(self.top, make, at)


def parse_file(content: str, name: str, parameters: Parameters, problems: Problems) -> list[FileJob]:
    """The fleet jobs of a text in YAML or JSON, in their order.

    name: how errors name it.  parameters: what is filled in for ${name}.  problems: where they are noted.
    Raises BadValue that says every problem, with its place; also for a value that no parameter needs.
    """
    source = Source(name=name, limits=LIMITS, number=YAML_NUMBER, has_columns=True, parameters=parameters)
    items = read_documents(content, source)
    if len(items) > MAX_DOCUMENTS:
        raise items[MAX_DOCUMENTS].wrong(f"{len(items)} documents, allowed: {MAX_DOCUMENTS}")
    found = [_read(each, problems) for each in items]
    _check_distinct(found, problems)
    problems.check(parameters.unused())
    return [job for job, _ in found if job is not None]


def parse_document(document: Mapping[str, Any], problems: Problems) -> FileJob | None:
    """The fleet job of a document that is in memory, whose texts are without parameters; None where anything is wrong.

    problems: where it is noted.  Raises BadValue for one that is too large, or nested too deeply.
    """
    source = Source(name="", limits=LIMITS, number=YAML_NUMBER)
    (item,) = read_documents(json.dumps(document), source)
    return _read(item, problems)[0]


def _read(item: Item, problems: Problems) -> tuple[FileJob | None, Item]:
    """The fleet job of a document, and its id's place; None where anything is wrong with it."""
    top = FLEET_JOB.read(_with_or_without_parameters(item), problems)
    item.source.count = top.item.source.count  # the bound is of the whole file
    maker = Maker(top, problems)
    schedule = top.get("schedule")
    made = None if schedule is None else maker.made(schedule, lambda: schedule_of(schedule))
    hub = None if top.get("hub") is None else maker.tried(top, lambda: _hub_of(top["hub"]), at="hub")
    fleet_job_id = None if top.get("id") is None else maker.tried(top, lambda: check_id(top["id"]))
    definition = definition_of(top, maker)
    place = top.place("id")
    if fleet_job_id is None or definition is None or (schedule is not None and made is None):
        return None, place
    return FileJob(fleet_job_id, hub, definition, made, "schedule" in top, top, maker), place


def _hub_of(name: str) -> str:
    """The hub's name. Raises BadValue for what is none."""
    if not name.strip() or looks_like_connection_string(name):
        raise BadValue("give the name of a hub, such as my-hub, and no connection string, or leave it out.")
    return name


def _with_or_without_parameters(item: Item) -> Item:
    """The document, with the parameters in it counted as needed; as one without any where it says so."""
    parameters = item.source.parameters
    pairs = item.node.value if item.is_object else ()
    if parameters is None or any(key.value == PARAMETERS and value.value == "false" for key, value in pairs):
        return replace(item, source=replace(item.source, parameters=None))
    for text in _scalars(item.node):
        parameters.note(text)
    return item


def _scalars(node: yaml.Node) -> Iterator[str]:
    """The texts in a node, each node once, however often aliases lead to it."""
    seen: set[int] = set()
    waiting: list[Any] = [node]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, yaml.ScalarNode):
            yield str(each.value)
        elif isinstance(each, yaml.MappingNode):
            waiting += [value for _, value in each.value]
        else:
            waiting += each.value


def _check_distinct(found: Sequence[tuple[FileJob | None, Item]], problems: Problems) -> None:
    """Note every document with the id of another one before it."""
    first: dict[str, Item] = {}
    for job, place in found:
        if job is None:
            continue
        if job.fleet_job_id in first:
            problems.add(
                place, f"{job.fleet_job_id} is in this file twice, first in line {first[job.fleet_job_id].place.line}"
            )
        first.setdefault(job.fleet_job_id, place)
