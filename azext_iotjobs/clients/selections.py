"""SelectionsClient: how many devices a selection means now, and which. Asked by queries; changes nothing."""

from collections.abc import Iterator, Sequence
from itertools import islice

from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.model.errors import BadValue, HubFault
from azext_iotjobs.model.query import in_lists
from azext_iotjobs.model.selection import ALL, Selection
from azext_iotjobs.model.text import Text, counted

COUNT = "SELECT COUNT() AS total FROM devices"
IDS = "SELECT deviceId FROM devices"
IDS_OF_MODULES = "SELECT deviceId, moduleId "
WHERE = " WHERE "


class SelectionsClient:
    """One method, one question."""

    def __init__(self, queries: QueriesClient) -> None:
        self._queries = queries

    def count(self, selection: Selection, limit: int | None = None) -> int:
        """How many registered devices (or modules) there are; with `limit`, modules are counted up to it plus 1.

        Raises HubAnswer, also for a condition that the hub cannot read; LinkError.
        """
        if selection.is_of_modules:  # the hub counts no modules
            return sum(1 for _ in islice(self.device_ids(selection), None if limit is None else limit + 1))
        return sum(self._one_count(each) for each in conditions(selection, COUNT))

    def check_at_most(self, selection: Selection, limit: int) -> int:
        """How many devices are selected; named ones count, registered or not. Raises BadValue for more than `limit`."""
        count = self.count(selection, limit) if selection.condition is not None else len(selection.named)
        if count > limit:
            at_least = "at least " if selection.is_of_modules else ""
            raise BadValue(
                Text.of(
                    "{selected} selected, but {max_devices} (or iotjobs.max_devices) allows {limit}; nothing was sent.",
                    selected=f"{at_least}{counted(count, 'device is', 'devices are')}",
                    limit=limit,
                ),
                hint=Text.of("Narrow the condition or list, or allow more with {max_devices}."),
            )
        return count

    def device_ids(self, selection: Selection) -> Iterator[str]:
        """The ids of the registered devices, page by page as they are asked for; of modules with their module ids."""
        if selection.is_of_modules:
            yield from map("/".join, self.module_ids(selection))
            return
        for condition in conditions(selection, IDS):
            for row in self._queries.run(IDS + condition):
                yield str(row.get("deviceId"))

    def module_ids(self, selection: Selection) -> Iterator[tuple[str, str]]:
        """Device and module id of what a condition on modules selects, page by page as they are asked for."""
        for row in self._queries.run(f"{IDS_OF_MODULES}{(selection.condition or '').strip()}"):
            yield str(row.get("deviceId")), str(row.get("moduleId"))

    def which_of(self, selection: Selection, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are named, or that the condition matches; whether they are excluded does not count.

        selection: of devices, not of modules.  Raises HubAnswer, LinkError.
        """
        if selection.condition is None:
            return set(selection.device_ids) & set(ids)
        own = "" if selection.condition.strip() == ALL else f"({selection.condition}) AND "
        around = len(IDS) + len(WHERE) + len(own)
        return {
            str(row.get("deviceId"))
            for each in in_lists("deviceId", ids, around)
            for row in self._queries.run(f"{IDS}{WHERE}{own}{each}")
        }

    def _one_count(self, condition: str) -> int:
        row = next(self._queries.run(COUNT + condition), {})
        count = row.get("total")
        if not isinstance(count, int):
            raise HubFault("The hub did not say how many devices there are.", status=200)
        return count


def conditions(selection: Selection, query: str) -> Iterator[str]:
    """What to put behind `query`, so that together they find the devices: ids may need several."""
    if selection.condition is None:
        around = len(query) + len(WHERE)
        yield from (WHERE + each for each in in_lists("deviceId", selection.named, around))
    elif selection.condition.strip() == ALL and not selection.excluded:
        yield ""
    else:
        yield WHERE + selection.as_condition()
