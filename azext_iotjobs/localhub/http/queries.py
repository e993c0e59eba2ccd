"""/devices/query."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from azext_iotjobs.localhub.engine.paced_selector import PacedSelector
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, ARGUMENT_NULL, HubError, QueryError
from azext_iotjobs.localhub.http.documents import device_job_document, twin_document
from azext_iotjobs.localhub.http.paging import CONTINUATION, ITEM_TYPE, ContinuationTokens, page_size
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, member
from azext_iotjobs.localhub.query.evaluate import project
from azext_iotjobs.localhub.query.grouped_sql import SORT_KEY, Group, grouped_result
from azext_iotjobs.localhub.query.nodes import All, Collection, Query
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.store.identities import identity_of
from azext_iotjobs.localhub.store.jobs import DEVICE, device_job_of
from azext_iotjobs.localhub.store.row_reader import NUMBER, TEXT, RowReader
from azext_iotjobs.localhub.store.twins import twin_of


class QueryRoutes:
    """Answer queries."""

    def __init__(self, selector: PacedSelector, secret: str) -> None:
        """secret: the hub's own, which signs continuation tokens."""
        self._selector = selector
        self._continuations = ContinuationTokens(secret)

    async def post(self, request: HubRequest) -> HubResponse:
        """POST /devices/query"""
        text = member(request.document(), "query", str)
        if text is None:
            raise HubError(ARGUMENT_NULL, "The query is missing.")
        try:
            query = parse_query(text)
            return await self._page(request, text, query)
        except QueryError as err:
            # The service says no more than "BadRequest"; the position of the error helps whoever is developing.
            raise HubError(ARGUMENT_INVALID, f"BadRequest; {err}") from err

    async def _page(self, request: HubRequest, text: str, query: Query) -> HubResponse:
        key, sent = self._continuations.start_after_key(request, f"query {text}")
        left = page_size(request) if query.top is None else min(page_size(request), query.top - sent)
        rows = await self._rows(query, key, left + 1) if left > 0 else []
        page = rows[:left]
        headers = {ITEM_TYPE: _item_type(query)}
        is_last = len(rows) <= left or (query.top is not None and sent + left >= query.top)
        if page and not is_last:
            last = page[-1][_key_column(query)]
            headers[CONTINUATION] = self._continuations.token(last, sent + len(page), f"query {text}")
        return HubResponse(document=[_result(query, row) for row in page], headers=headers)

    async def _rows(self, query: Query, after: str, count: int) -> Sequence[Group]:
        if query.is_grouped:
            return await self._selector.groups(query, after=after, count=count)
        return await self._selector.page(query.collection, query.where, after=int(after or 0), count=count)


def _key_column(query: Query) -> str:
    return SORT_KEY if query.is_grouped else "row_key"


def _result(query: Query, row: Group) -> dict[str, Any]:
    if query.is_grouped:
        return grouped_result(query, row)
    assert isinstance(row, sqlite3.Row)  # only groups are ever added up
    if query.collection is Collection.JOBS:
        return _device_job_result(row)
    if isinstance(query.projection, All):
        return twin_document(identity_of(row), twin_of(row))
    return project(query, queried_twin(row))


def _item_type(query: Query) -> str:
    if query.collection is Collection.JOBS:
        return "DeviceJob"
    return "Twin" if isinstance(query.projection, All) else "Raw"


def queried_twin(row: sqlite3.Row) -> dict[str, Any]:
    """A twin as queries see it: the names of thumbprints do not depend on whether they are set."""
    twin = twin_document(identity_of(row), twin_of(row))
    thumbprints = {name[0].lower() + name[1:]: value for name, value in twin["x509Thumbprint"].items()}
    return {**twin, "x509Thumbprint": thumbprints}


# With the columns of the job, which `device_job_of` does not read.
_device_job_result = RowReader(
    DEVICE,
    {"job_type": TEXT, "job_start_at": TEXT, "job_max_execution_s": NUMBER},
    lambda row: device_job_document(device_job_of(row), row),
)
