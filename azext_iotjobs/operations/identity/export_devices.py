"""Read the devices of a selection page by page, with their keys if they are wanted; never more than a page at a time.

A query gives twins, which hold no key. The registry's own list has keys, but only of MAX_LISTED devices, and no further
page: it is asked once, and each device that it does not have is read by itself.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.identities import MAX_LISTED
from azext_iotjobs.clients.paging import Page
from azext_iotjobs.clients.selections import conditions
from azext_iotjobs.clients.throttling import outlasting_throttling
from azext_iotjobs.clients.twin_codec import parse_twin, sign_in_of
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import HubFault, NotFound
from azext_iotjobs.model.identity import Identity, SignIn
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.twin import Twin

TWINS = "SELECT * FROM devices"
READERS = 8  # requests at a time for keys; the tiers below S3 allow 100 a minute


class ExportedDevice(NamedTuple):
    """A device as its twin shows it."""

    twin: Twin
    identity: Identity | None  # of one that signs in with keys, where keys are wanted


def exported_pages(
    client: HubClient, selection: Selection, clock: Clock, *, with_keys: bool
) -> Iterator[list[ExportedDevice]]:
    """The devices of a selection, page by page as they are asked for.

    with_keys: read the keys of those that sign in with keys; a device that was removed since is left out.
    Raises HubAnswer, also for a condition that the hub cannot read; LinkError.
    """
    if not with_keys:
        for twins in _pages(client, selection, clock):
            yield [ExportedDevice(each, None) for each in twins]
        return
    reader = _IdentityReader(client, clock)
    with ThreadPoolExecutor(READERS) as threads:  # the same for all pages: each has a connection of its own
        for twins in _pages(client, selection, clock):
            found = threads.map(reader.completed, twins)
            yield [each for each in found if each is not None]


def _pages(client: HubClient, selection: Selection, clock: Clock) -> Iterator[list[Twin]]:
    for condition in conditions(selection, TWINS):
        query, token = TWINS + condition, ""
        while True:
            page = outlasting_throttling(partial(_page, client, query, token), clock)
            yield [parse_twin(each) for each in page.items]
            if not page.next_token:
                break
            if page.next_token == token:
                raise HubFault("The hub's pages repeat themselves.", status=200)
            token = page.next_token


def _page(client: HubClient, query: str, token: str) -> Page:
    return next(client.queries.run_pages(query, token))


class _IdentityReader:
    """Reads identities of devices that sign in with keys, on any thread."""

    def __init__(self, client: HubClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        listed = outlasting_throttling(client.identities.first_devices, clock)
        self._listed = {each.device_id: each for each in listed}
        self._is_all = len(listed) < MAX_LISTED  # a device that is not in the list is not there

    def completed(self, twin: Twin) -> ExportedDevice | None:
        """A device with its identity; None for one that is gone."""
        if sign_in_of(twin) != SignIn.SAS.value:
            return ExportedDevice(twin, None)
        identity = self._listed.get(twin.device_id)
        if identity is None and not self._is_all:
            identity = self._read(twin.device_id)
        return None if identity is None else ExportedDevice(twin, identity)

    def _read(self, device_id: str) -> Identity | None:
        try:
            return outlasting_throttling(lambda: self._client.identities.get(device_id), self._clock)
        except NotFound:  # a query finds removed devices for a while
            return None
