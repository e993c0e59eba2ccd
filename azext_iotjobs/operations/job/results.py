"""What a job did to each of its devices, page by page: flat in memory, whatever the number of devices."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import parse_result
from azext_iotjobs.model.grouping import outcome_of
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.outcome import SuccessStatus
from azext_iotjobs.model.query import in_lists, quoted, rows_of_job
from azext_iotjobs.model.rerun import Chosen
from azext_iotjobs.model.result import DeviceResult, ErrorClass

PAGES_A_MINUTE = 20  # that a hub of the smallest tier gives, IoT Hub quotas "queries"
ROWS_A_PAGE = 100
MAX_ANSWERS = 100  # that are told apart; who answers in more ways than these sends data, not outcomes
REGISTERED = "SELECT deviceId FROM devices WHERE "


@dataclass(frozen=True, kw_only=True)
class ResultQuery:
    """Which rows of which job."""

    job_id: str
    status: str | None  # the hub's word for a device's state; None: any
    error_class: ErrorClass | None  # None: any, and devices that have not failed
    success: SuccessStatus
    looks_in_registry: bool = True  # marks devices that are gone

    @property
    def text(self) -> str:
        """In IoT Hub's query language; the error class is not in it."""
        only = "" if self.status is None else f" AND status = {quoted(self.status)}"
        return rows_of_job(self.job_id) + only


@dataclass(frozen=True)
class ResultPage:
    """Some rows, and how to ask for those behind them."""

    rows: list[DeviceResult]
    next_token: str  # "" on the last page


def read(client: HubClient, query: ResultQuery, token: str = "") -> Iterator[ResultPage]:
    """The rows of a job, from the page that `token` leads to. Raises HubAnswer, LinkError."""
    for page in client.queries.run_pages(query.text, token):
        rows = [parse_result(each, query.success) for each in page.items]
        kept = [row for row in rows if query.error_class in (None, row.error_class)]
        yield ResultPage(_marked(client, kept) if query.looks_in_registry else kept, page.next_token)


def targets(client: HubClient, query: ResultQuery, chosen: Chosen) -> Iterator[Address]:
    """The devices and modules of a job's rows that are chosen. Raises HubAnswer, LinkError."""
    for page in read(client, query):
        for row in page.rows:
            if chosen.holds(row.status, row.error_class.value if row.error_class else None):
                yield Address(row.device_id, row.module_id)


def expected_minutes(row_count: int, *, looks_in_registry: bool) -> float:
    """How long reading takes where a hub gives no more than the smallest tier's pages."""
    pages = -(-row_count // ROWS_A_PAGE)
    return pages * (2 if looks_in_registry else 1) / PAGES_A_MINUTE


def _marked(client: HubClient, rows: list[DeviceResult]) -> list[DeviceResult]:
    """The rows, each saying whether its device is gone from the registry."""
    there: set[str] = set()
    for condition in in_lists("deviceId", sorted({row.device_id for row in rows}), len(REGISTERED)):
        there.update(str(row.get("deviceId")) for row in client.queries.run(REGISTERED + condition))
    return [replace(row, is_deleted=row.device_id not in there) for row in rows]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Equal answers of devices, as one."""

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
