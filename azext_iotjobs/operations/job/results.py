"""What a job did to each of its devices, page by page: flat in memory, whatever the number of devices."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import parse_result
from azext_iotjobs.model.grouping import outcome_of
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.outcome import SuccessStatus
from azext_iotjobs.model.query import in_list, in_lists, quoted, rows_of_job
from azext_iotjobs.model.rerun import Chosen
from azext_iotjobs.model.result import DeviceResult, ErrorClass, ResultPage

PAGES_A_MINUTE = 20  # that a hub of the smallest tier gives, IoT Hub quotas "queries"
ROWS_A_PAGE = 100
DEVICE_STATUSES = ("pending", "scheduled", "running", "completed", "failed", "canceled")  # the hub's words
MAX_ANSWERS = 100  # different ones that are counted: devices that answer in more ways send data, not outcomes
REGISTERED = "SELECT deviceId FROM devices WHERE "


@dataclass(frozen=True, kw_only=True)
class ResultQuery:
    """Which rows of which job."""

    job_id: str
    success: SuccessStatus
    statuses: Sequence[str] = ()  # of DEVICE_STATUSES; none: any
    error_classes: frozenset[ErrorClass] = frozenset()  # none: any, and devices that have not failed
    checks_registry: bool = True  # marks the devices that are gone from the registry

    @property
    def text(self) -> str:
        """In IoT Hub's query language; the error classes are not in it."""
        own = rows_of_job(self.job_id)
        if not self.statuses:
            return own
        if len(self.statuses) == 1:
            return f"{own} AND status = {quoted(self.statuses[0])}"
        return f"{own} AND {in_list('status', self.statuses)}"

    def selects(self, row: DeviceResult) -> bool:
        """Whether a row is of the wanted error classes."""
        return not self.error_classes or row.error_class in self.error_classes


def read(client: HubClient, query: ResultQuery, token: str = "") -> Iterator[ResultPage]:
    """The rows of a job, page by page.

    token: of the page to begin with; "" is the first.
    Raises HubAnswer, LinkError.
    """
    for page in client.queries.run_pages(query.text, token):
        rows = [parse_result(each, query.success) for each in page.items]
        selected = [row for row in rows if query.selects(row)]
        yield ResultPage(_marked(client, selected) if query.checks_registry else selected, page.next_token)


def targets(client: HubClient, query: ResultQuery, chosen: Chosen) -> Iterator[Address]:
    """The devices and modules of a job's rows that are chosen.

    query: of all rows among which is chosen.  chosen: by status and error class.
    Raises HubAnswer, LinkError.
    """
    for page in read(client, query):
        for row in page.rows:
            if chosen.holds(row.status, row.error_class.value if row.error_class else None):
                yield Address(row.device_id, row.module_id)


def expected_minutes(row_count: int, *, checks_registry: bool) -> float:
    """How many minutes a hub of the smallest tier needs for so many rows."""
    pages = -(-row_count // ROWS_A_PAGE)
    return pages * (2 if checks_registry else 1) / PAGES_A_MINUTE


def _marked(client: HubClient, rows: list[DeviceResult]) -> list[DeviceResult]:
    """The rows, each saying whether its device is gone from the registry."""
    there: set[str] = set()
    for condition in in_lists("deviceId", sorted({row.device_id for row in rows}), len(REGISTERED)):
        there.update(str(row.get("deviceId")) for row in client.queries.run(REGISTERED + condition))
    return [replace(row, is_deleted=row.device_id not in there) for row in rows]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Equal answers of devices, counted."""

    method_status: int
    payload: Any
    count: int


@dataclass(frozen=True, kw_only=True)
class ResultSummary:
    """What a job did to all of its devices, counted."""

    by_status: Mapping[str, int]
    by_error_class: Mapping[ErrorClass, int]
    answers: tuple[Answers, ...]  # the most frequent first, at most MAX_ANSWERS
    other_answer_count: int  # of devices whose answers are none of those


def summarise(client: HubClient, query: ResultQuery) -> ResultSummary:
    """Count a job's rows; bounded in memory, however different the answers are. Raises HubAnswer, LinkError."""
    by_status, by_class = Counter[str](), Counter[ErrorClass]()
    answers, other = Counter[tuple[int, str]](), 0
    for page in read(client, query):
        for row in page.rows:
            by_status[row.status] += 1
            if row.error_class is not None:
                by_class[row.error_class] += 1
            if row.method_status is None:
                continue
            key = (row.method_status, json.dumps(outcome_of(row.payload), sort_keys=True))
            if key in answers or len(answers) < MAX_ANSWERS:
                answers[key] += 1
            else:
                other += 1
    return ResultSummary(
        by_status=dict(by_status),
        by_error_class=dict(by_class),
        answers=tuple(
            Answers(method_status=status, payload=json.loads(payload), count=count)
            for (status, payload), count in answers.most_common()
        ),
        other_answer_count=other,
    )
