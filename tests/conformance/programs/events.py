"""A consumer of events made of Microsoft's azure-eventhub SDK. Runs in that SDK's own virtual environment.

Driven as tests/helpers/driven.py says.
"""

import json
import sys
import threading
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.eventhub import CheckpointStore, EventHubConsumerClient, LoadBalancingStrategy, TransportType

_writing = threading.Lock()


class FileCheckpoints(CheckpointStore):  # type: ignore[misc]
    """Checkpoints and ownership in a file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()

    def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: Any
    ) -> list[dict[str, Any]]:
        return list(self._read("ownership").values())

    def claim_ownership(self, ownership_list: list[dict[str, Any]], **_: Any) -> list[dict[str, Any]]:
        for each in ownership_list:
            claimed = {**each, "etag": uuid.uuid4().hex, "last_modified_time": time.time()}
            self._write("ownership", claimed)
        return [self._read("ownership")[each["partition_id"]] for each in ownership_list]

    def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: Any
    ) -> list[dict[str, Any]]:
        return list(self._read("checkpoints").values())

    def update_checkpoint(self, checkpoint: dict[str, Any], **_: Any) -> None:
        self._write("checkpoints", checkpoint)

    def forget_owners(self) -> None:
        """A consumer that begins anew owns nothing."""
        with self._lock:
            self._save({**self._all(), "ownership": {}})

    def _read(self, kind: str) -> dict[str, Any]:
        with self._lock:
            return dict(self._all().get(kind, {}))

    def _write(self, kind: str, row: dict[str, Any]) -> None:
        with self._lock:
            whole = self._all()
            whole.setdefault(kind, {})[row["partition_id"]] = row
            self._save(whole)

    def _all(self) -> dict[str, Any]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}

    def _save(self, whole: dict[str, Any]) -> None:
        self._path.write_text(json.dumps(whole))


class Consumer:
    """The commands of the protocol: each method is one."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {}
        self.threads: list[threading.Thread] = []

    def open(self, name: str, options: dict[str, Any]) -> None:
        """options: connectionString; ca, webSocket, group, checkpoints (a file's path)."""
        more: dict[str, Any] = {"retry_total": 0, "load_balancing_interval": 1}
        more["load_balancing_strategy"] = LoadBalancingStrategy.GREEDY  # all partitions at once
        if "ca" in options:
            more["connection_verify"] = options["ca"]
        if options.get("webSocket"):
            more["transport_type"] = TransportType.AmqpOverWebsocket
        if "checkpoints" in options:
            more["checkpoint_store"] = FileCheckpoints(options["checkpoints"])
            more["checkpoint_store"].forget_owners()
        self.clients[name] = EventHubConsumerClient.from_connection_string(
            options["connectionString"], options.get("group", "$Default"), **more
        )

    def eventHub(self, name: str) -> Any:
        return self.clients[name].get_eventhub_properties()

    def partition(self, name: str, partition: str) -> Any:
        return self.clients[name].get_partition_properties(partition)

    def receive(self, name: str, options: dict[str, Any]) -> None:
        """Receive in the background.

        options: those of the SDK; stores: whether each event is a checkpoint; time: to begin after, ISO 8601.
        """
        stores = options.pop("stores", False)
        if "time" in options:
            options["starting_position"] = datetime.fromisoformat(options.pop("time"))

        def on_event(context: Any, event: Any) -> None:
            if event is None:
                return
            if stores:  # first: the test may end this program as soon as it sees the event
                context.update_checkpoint(event)
            tell(event="event", reader=name, **described(context, event))

        def on_error(context: Any, error: Exception) -> None:
            tell(event="error", reader=name, error=f"{type(error).__name__}: {error}")

        def run() -> None:
            try:
                self.clients[name].receive(on_event, on_error=on_error, **options)
            except Exception as err:  # noqa: BLE001 - whatever the SDK raises is what the test wants to see
                tell(event="error", reader=name, error=f"{type(err).__name__}: {err}")

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def close(self, name: str) -> None:
        self.clients.pop(name).close()


def described(context: Any, event: Any) -> dict[str, Any]:
    """An event, as JSON can hold it."""
    system = {_text(name): _text(value) for name, value in event.system_properties.items()}
    properties = {_text(name): _text(value) for name, value in event.properties.items()}
    return {
        "partition": context.partition_id,
        "body": event.body_as_str(),
        "properties": properties,
        "system": system,
        "offset": event.offset,
        "sequenceNumber": event.sequence_number,
        "enqueuedTime": event.enqueued_time,
        "last": context.last_enqueued_event_properties,
    }


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def tell(**document: Any) -> None:
    with _writing:
        sys.stdout.write(json.dumps(document, default=str) + "\n")
        sys.stdout.flush()


def main() -> None:
    consumer = Consumer()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            tell(number=asked["number"], result=getattr(consumer, asked["do"])(*asked["with"]))
        except Exception as err:  # noqa: BLE001 - whatever the SDK raises is the answer
            tell(number=asked["number"], error={"name": type(err).__name__, "message": str(err)})
    for client in list(consumer.clients.values()):
        client.close()


if __name__ == "__main__":
    main()
