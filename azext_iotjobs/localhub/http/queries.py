"""/devices/query."""

import sqlite3
from typing import Any

from azext_iotjobs.localhub.engine.targets import Selector
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, ARGUMENT_NULL, HubError, QueryError
from azext_iotjobs.localhub.http.asked import Answer, Asked
from azext_iotjobs.localhub.http.documents import device_job_document, twin_document
from azext_iotjobs.localhub.http.paging import CONTINUATION, ITEM_TYPE, continuation, page_size, start_after
from azext_iotjobs.localhub.query.evaluate import project
from azext_iotjobs.localhub.query.nodes import All, Collection, Count, Query
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.store.identities import identity_of
from azext_iotjobs.localhub.store.jobs import device_job_of
from azext_iotjobs.localhub.store.twins import twin_of


class QueryRoutes:
    """Answer queries."""

    def __init__(self, selector: Selector) -> None:
        self._selector = selector

    async def post(self, asked: Asked) -> Answer:
        """POST /devices/query"""
        text = asked.document().get("query")
        if not isinstance(text, str):
            raise HubError(ARGUMENT_NULL, "The query is missing.")
        try:
            query = parse_query(text)
        except QueryError as err:
            # The service says no more than "BadRequest"; where it went wrong is worth more to who is trying things out.
            raise HubError(ARGUMENT_INVALID, f"BadRequest; {err}") from err
        if isinstance(query.projection, Count):
            count = self._selector.count(query.collection, query.where)
            return Answer(document=[{query.projection.alias: count}], headers={ITEM_TYPE: "Raw"})
        return self._page(asked, text, query)

    def _page(self, asked: Asked, text: str, query: Query) -> Answer:
        after, given = start_after(asked, text)
        left = page_size(asked) if query.top is None else min(page_size(asked), query.top - given)
        rows = self._selector.page(query.collection, query.where, after=after, count=left + 1) if left > 0 else []
        page = rows[:left]
        headers = {ITEM_TYPE: _item_type(query)}
        is_last = len(rows) <= left or (query.top is not None and given + left >= query.top)
        if page and not is_last:
            headers[CONTINUATION] = continuation(page[-1]["row_key"], given + len(page), text)
        return Answer(document=[project(query, _document(query, row)) for row in page], headers=headers)


def _document(query: Query, row: sqlite3.Row) -> dict[str, Any]:
    if query.collection is Collection.JOBS:
        return device_job_document(device_job_of(row), row)
    return twin_document(identity_of(row), twin_of(row))


def _item_type(query: Query) -> str:
    if query.collection is Collection.JOBS:
        return "DeviceJob"
    return "Twin" if isinstance(query.projection, All) else "Raw"
