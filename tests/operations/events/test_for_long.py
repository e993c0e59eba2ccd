"""A hub's events that are read for long: who reads keeps nothing of what it has passed on."""

import base64
import gc
import tracemalloc
from collections.abc import Iterator
from itertools import islice

from azext_iotjobs.model.device_event import DeviceEvent
from tests.helpers.console import events_of
from tests.helpers.hub_process import HubProcess

BATCH, BATCH_TYPE = 400, "application/vnd.microsoft.iothub.json"
COUNT = 4_000
MOST_BYTES = 10 * COUNT  # a set of all delivery tags would be ten times that


def send(hub: HubProcess, count: int) -> None:
    item = {"body": base64.b64encode(b'{"temperature": 21.5}').decode()}
    for _ in range(count // BATCH):
        answer = hub.request(
            "POST", "/devices/busy/messages/events", [item] * BATCH, headers={"Content-Type": BATCH_TYPE}
        )
        assert answer.status_code == 204, answer.text


def read(events: Iterator[DeviceEvent | None], count: int) -> None:
    """Take so many events, and leave them."""
    for _ in islice(filter(None, events), count):
        pass


def test_memory_stays_as_it_is(process: HubProcess) -> None:
    process.new_device("busy")
    events = events_of(process, lambda _: None)
    while next(events) is not None:  # until it has begun to follow what is new
        pass
    send(process, BATCH)
    read(events, BATCH)
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        send(process, COUNT)
        read(events, COUNT)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        events.close()
    assert after - before < MOST_BYTES
