"""FactsClient: what the registry holds about the devices of a simulation. Changes nothing."""

from collections.abc import Iterator

from azext_iotjobs.clients.facts_codec import QUERY, parse_facts
from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.clients.selections import COUNT, conditions
from azext_iotjobs.clients.twins import TwinsClient
from azext_iotjobs.model.errors import NotFound
from azext_iotjobs.model.query import quoted
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.simulated_devices import RUN_TAG, DeviceFacts


class FactsClient:
    """One method, one query."""

    def __init__(self, queries: QueriesClient, twins: TwinsClient) -> None:
        self._queries = queries
        self._twins = twins

    def of_selection(self, selection: Selection) -> Iterator[DeviceFacts]:
        """The registered devices of a selection, by query: some seconds behind the registry.

        Raises HubAnswer, also for a condition that the hub cannot read; LinkError.
        """
        for condition in conditions(selection, QUERY):
            yield from map(parse_facts, self._queries.run(QUERY + condition))

    def of_run(self, run: str) -> Iterator[DeviceFacts]:
        """The devices whose tags say that this run created them, by query."""
        yield from map(parse_facts, self._queries.run(f"{QUERY} WHERE tags.{RUN_TAG} = {quoted(run)}"))

    def count_of_run(self, run: str) -> int:
        """How many of these devices the query finds; one request, however many there are."""
        row = next(self._queries.run(f"{COUNT} WHERE tags.{RUN_TAG} = {quoted(run)}"), {})
        return int(row.get("total") or 0)

    def of_device(self, device_id: str) -> DeviceFacts | None:
        """One device as it is now; None when it is not registered."""
        try:
            return parse_facts(self._twins.get(device_id).document)
        except NotFound:
            return None
