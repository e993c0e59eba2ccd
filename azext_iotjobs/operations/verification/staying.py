"""Looks again at devices that were verified, whether their twins still say so: which queries, and what they decide.

No request is made here: as in a sweep, queries are yielded and pages sent in. Devices are counted first, as many as a
query holds; only where fewer meet the condition their twins are read.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import datetime
from typing import Any

from azext_iotjobs.clients.paging import Page
from azext_iotjobs.clients.verification_codec import SeenTwin, parse_count, parse_seen_twin
from azext_iotjobs.model.condition_paths import Path
from azext_iotjobs.model.query import chunks, in_list
from azext_iotjobs.model.verification import TwinCondition, Verdict, Verification, VerificationFailure, VerifyingDevice
from azext_iotjobs.operations.verification.rounds import PageQuery
from azext_iotjobs.operations.verification.sweep import Steps, first_page, items_of, twin_query

COUNTED = "SELECT COUNT() AS total FROM devices"
SELECTED = "SELECT * FROM devices"
EVERY = TwinCondition("", is_of_modules=False)

Pages = Callable[[int], list[VerifyingDevice]]  # the number of the last one -> some of those behind it; [] at the end


def who_did_not_stay(pages: Pages, verification: Verification, now: Callable[[], datetime]) -> Steps:
    """Look once at devices that were verified; verdicts are of those that are not any more.

    pages: the devices, page by page.  now: the instant, aware UTC.
    """
    after = 0
    while found := pages(after):
        for module_id, devices in _chunks(found, verification.wanted):
            yield from _look(module_id, devices, verification, now)
        after = found[-1].key


def _chunks(
    found: list[VerifyingDevice], wanted: TwinCondition
) -> Iterator[tuple[str | None, dict[str, VerifyingDevice]]]:
    """As many devices, or modules of one name, as the text of one query holds; by their ids."""
    by_module: dict[str | None, dict[str, VerifyingDevice]] = {}
    for each in found:
        by_module.setdefault(each.module_id, {})[each.device_id] = each
    for module_id, by_id in by_module.items():
        around = len(twin_query(module_id, "", wanted)) + len(COUNTED) - len(SELECTED)
        for ids in chunks("deviceId", by_id, around):
            yield module_id, {each: by_id[each] for each in ids}


def _look(
    module_id: str | None, devices: dict[str, VerifyingDevice], verification: Verification, now: Callable[[], datetime]
) -> Steps:
    wanted = verification.wanted
    query = twin_query(module_id, in_list("deviceId", devices), wanted)
    if module_id is None and not wanted.is_of_modules:  # a hub counts no modules
        rows = yield from first_page(query.replace(SELECTED, COUNTED, 1))
        if rows and parse_count(rows[0]) == len(devices):
            return
    good = yield from _all_seen(query, ())
    left = set(devices) - {each.device_id for each in good}
    if left:
        yield from _judge(module_id, {each: devices[each] for each in left}, verification, now)


def _judge(
    module_id: str | None, left: dict[str, VerifyingDevice], verification: Verification, now: Callable[[], datetime]
) -> Steps:
    """What those report that do not meet the condition any more is read, and recorded with their verdict."""
    every = EVERY._replace(is_of_modules=verification.wanted.is_of_modules)
    seen = yield from _all_seen(twin_query(module_id, in_list("deviceId", left), every), verification.paths)
    reported: dict[str, dict[str, Any]] = {}
    for each in seen:
        reported[each.device_id] = reported.get(each.device_id) or each.reported
    at, failure = now(), VerificationFailure.DID_NOT_STAY
    yield [Verdict(device=left[name], at=at, failure=failure, reported=reported.get(name)) for name in sorted(left)]


def _all_seen(text: str, paths: Iterable[Path]) -> Generator[PageQuery, Page | None, list[SeenTwin]]:
    """What all rows of a query say. paths: of the members to keep."""
    seen: list[SeenTwin] = []
    query = PageQuery(text)
    while True:
        page = yield query
        seen += (parse_seen_twin(row, paths, ()) for row in items_of(page))
        if page is None or not page.next_token:
            return seen
        query = query._replace(token=page.next_token)
