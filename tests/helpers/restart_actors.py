"""Who writes to a hub that will be killed: each actor keeps a ledger of what was acknowledged, and of what is in doubt.

In doubt is the one call whose answer the kill cut off: it was carried out whole, or not at all. An actor acts in a
thread of its own until a call fails with OSError: the hub is gone.
"""

import base64
import queue
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

import requests

from azext_iotjobs.localhub.amqp.wire.conditions import RESOURCE_LIMIT_EXCEEDED
from azext_iotjobs.localhub.amqp.wire.message import Message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Rejected
from tests.helpers.amqp_service import AmqpService
from tests.helpers.amqp_socket import AmqpSocket
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice
from tests.helpers.waiting import looks, wait_until

FEW, MANY = 10, 30
JOB_LIMIT_S = 300


def key_of(hub: HubProcess, device: str) -> str:
    return str(hub.ok("GET", f"/devices/{device}")["authentication"]["symmetricKey"]["primaryKey"])


def connected(hub: HubProcess, device: str) -> MqttDevice:
    found = MqttDevice(hub, device, key_of(hub, device))
    assert found.connect() == 0
    return found


def signed_in(hub: HubProcess, device: str) -> AmqpSocket:
    """A connection over AMQP that may use the device's links."""
    found = AmqpSocket(hub)
    assert found.put_token(key_of(hub, device), f"devices/{device}") == 200
    return found


def events_of(hub: HubProcess) -> list[dict[str, Any]]:
    """What devices sent, oldest first, as far as the hub shows it."""
    number, found = 0, []
    while page := hub.ok("GET", f"/_local/events?after={number}")["events"]:
        assert page[0]["number"] > number, "a page that was there already"
        found += page
        number = page[-1]["number"]
    return found


def is_known(hub: HubProcess, job: str) -> bool:
    return bool(hub.ok("GET", f"/jobs/v2/{job}")["status"] != "unknown")


@dataclass
class Actor:
    """The common part: its name begins the ids of all that is its own."""

    name: str
    number: int = 0  # of the last call
    session: requests.Session = field(default_factory=requests.Session)

    def prepare(self, hub: HubProcess) -> None:
        """Once, on the first hub."""

    def begin(self, hub: HubProcess) -> None:
        """After each start of the hub."""

    def act(self, hub: HubProcess, chance: random.Random) -> None:
        """One step. Raises OSError when the hub is gone."""
        raise NotImplementedError

    def end(self) -> None:
        """The hub is gone."""
        self.session.close()

    def check(self, hub: HubProcess) -> None:
        """Nothing acknowledged is lost, no counter is wrong; what was in doubt is now known."""
        raise NotImplementedError

    def call(self, hub: HubProcess, verb: str, path: str, json: Any = None, **more: Any) -> Any:
        return hub.ok(verb, path, json, session=self.session, **more)

    def next_number(self) -> int:
        self.number += 1
        return self.number


Record = tuple[int | None, str | None]  # the etag's counter (None: not known yet), the status reason


@dataclass
class Registrar(Actor):
    """Creates devices, alone and in bulk, updates them with If-Match, and deletes them."""

    known: dict[str, Record] = field(default_factory=dict)
    doubt: dict[str, Record | None] = field(default_factory=dict)  # what these devices may be instead; None: gone

    def act(self, hub: HubProcess, chance: random.Random) -> None:
        number = self.next_number()
        what = chance.choice(["create", "bulk", "update", "update", "delete"] if self.known else ["create", "bulk"])
        if len(self.known) > 60:
            what = "delete"
        if what == "create":
            self._create(hub, f"{self.name}-{number}", str(number))
        elif what == "bulk":
            self._bulk(hub, [f"{self.name}-{number}-{each}" for each in range(5)], str(number))
        elif what == "update":
            self._update(hub, chance.choice(sorted(self.known)), str(number))
        else:
            self._delete(hub, chance.choice(sorted(self.known)))
        self.doubt = {}

    def check(self, hub: HubProcess) -> None:
        listed = hub.ok("GET", "/devices?top=1000")
        found = {each["deviceId"]: _record(each) for each in listed if each["deviceId"].startswith(f"{self.name}-")}
        done = {device: after for device, after in self.doubt.items() if _fits(found.get(device), after)}
        # One call is one transaction: all of what was in doubt has happened, or nothing of it.
        assert len(done) in (0, len(self.doubt)), f"half of a call: {done} of {self.doubt}"
        expected = {**self.known, **done}
        expected = {device: record for device, record in expected.items() if record is not None}
        assert found.keys() == expected.keys(), f"{found.keys() ^ expected.keys()} are one too many or missing"
        for device, record in expected.items():
            assert _fits(found[device], record), f"{device} is {found[device]}, should be {record}"
        self.known, self.doubt = found, {}

    def _create(self, hub: HubProcess, device: str, reason: str) -> None:
        self.doubt = {device: (None, reason)}
        self.known[device] = _record(
            self.call(hub, "PUT", f"/devices/{device}", {"deviceId": device, "statusReason": reason})
        )

    def _bulk(self, hub: HubProcess, devices: list[str], reason: str) -> None:
        self.doubt = dict.fromkeys(devices, (None, reason))
        items = [{"id": device, "importMode": "create", "statusReason": reason} for device in devices]
        self.call(hub, "POST", "/devices", items)
        self.known.update(dict.fromkeys(devices, (None, reason)))

    def _update(self, hub: HubProcess, device: str, reason: str) -> None:
        etag = self.known[device][0]
        header = "*" if etag is None else f'"{base64.b64encode(str(etag).encode()).decode()}"'
        after: Record = (None if etag is None else etag + 1, reason)
        self.doubt = {device: after}
        document = {"deviceId": device, "statusReason": reason}
        saved = _record(self.call(hub, "PUT", f"/devices/{device}", document, headers={"If-Match": header}))
        assert _fits(saved, after), f"{device} was saved as {saved}, not as {after}"
        self.known[device] = saved

    def _delete(self, hub: HubProcess, device: str) -> None:
        self.doubt = {device: None}
        self.call(hub, "DELETE", f"/devices/{device}", headers={"If-Match": "*"})
        del self.known[device]


def _record(identity: dict[str, Any]) -> Record:
    return int(base64.b64decode(identity["etag"])), identity["statusReason"]


def _fits(found: Record | None, wanted: Record | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return found[1] == wanted[1] and wanted[0] in (None, found[0])


@dataclass
class TwinWriter(Actor):
    """One device and a service that write to the same twin: reported properties; tags and desired properties."""

    served: list[int] = field(default_factory=list)  # the value that each acknowledged write put there
    reported: list[int] = field(default_factory=list)
    doubt: tuple[str, int] | None = None
    device: MqttDevice | None = None

    def prepare(self, hub: HubProcess) -> None:
        hub.new_device(self.name)

    def begin(self, hub: HubProcess) -> None:
        self.device = connected(hub, self.name)
        self.device.subscribe("$iothub/twin/res/#")

    def act(self, hub: HubProcess, chance: random.Random) -> None:
        number = self.next_number()
        if chance.random() < 0.5:
            self.doubt = ("served", number)
            patch = {"tags": {"n": number}, "properties": {"desired": {"n": number}}}
            twin = self.call(hub, "PATCH", f"/twins/{self.name}", patch)
            self.served.append(number)
            assert twin["properties"]["desired"]["$version"] == 1 + len(self.served)
        else:
            self.doubt = ("reported", number)
            version = self._report(number)
            self.reported.append(number)
            assert version == 1 + len(self.reported)
        self.doubt = None

    def end(self) -> None:
        super().end()
        if self.device is not None:
            self.device.close()

    def check(self, hub: HubProcess) -> None:
        twin = hub.ok("GET", f"/twins/{self.name}")
        desired, reported = twin["properties"]["desired"], twin["properties"]["reported"]
        for what, writes, section in (("served", self.served, desired), ("reported", self.reported, reported)):
            if self.doubt is not None and self.doubt[0] == what and section["$version"] == 2 + len(writes):
                writes.append(self.doubt[1])
            assert section["$version"] == 1 + len(writes), f"{what}: {section}, writes {writes[-3:]}, {self.doubt}"
            assert section.get("n") == (writes[-1] if writes else None), f"{what}: {section}, writes {writes[-3:]}"
        assert twin.get("tags", {}).get("n") == desired.get("n"), f"half of a write: {twin}"
        assert twin["version"] == 2 + 2 * len(self.served) + len(self.reported), twin
        assert int.from_bytes(base64.b64decode(twin["etag"]), "big") == 1 + len(self.served), twin
        self.doubt = None

    def _report(self, number: int) -> int:
        assert self.device is not None
        self.device.publish(f"$iothub/twin/PATCH/properties/reported/?$rid={number}", {"n": number})
        for _ in looks(f"the hub's answer to report {number}, or its end"):
            if not self.device.lost.empty():
                break
            try:
                topic, _ = self.device.arrived.get(timeout=0.05)
            except queue.Empty:
                continue
            status, _, tail = topic.removeprefix("$iothub/twin/res/").partition("/?$rid=")
            assert (status, tail.partition("&")[0]) == ("204", str(number)), topic
            return int(tail.partition("$version=")[2])
        raise ConnectionError("the hub is gone")


@dataclass
class BulkWriter(Actor):
    """Writes much at once, so that the write-ahead log is folded into the database again and again."""

    done: int = 0

    def prepare(self, hub: HubProcess) -> None:
        hub.ok("POST", "/devices", [{"id": device, "importMode": "create"} for device in self._devices])

    @property
    def _devices(self) -> list[str]:
        return [f"{self.name}{each}" for each in range(MANY)]

    def act(self, hub: HubProcess, chance: random.Random) -> None:
        tags = {"n": self.next_number(), "much": [chance.choice("ab") * 3000, "x" * 3000]}
        items = [{"id": device, "importMode": "updateTwin", "tags": tags} for device in self._devices]
        self.call(hub, "POST", "/devices", items)
        self.done = self.number

    def check(self, hub: HubProcess) -> None:
        question = f"SELECT tags.n, version FROM devices WHERE STARTSWITH(deviceId, '{self.name}')"
        rows = hub.ok("POST", "/devices/query", {"query": question}, headers={"x-ms-max-item-count": "100"})
        (row,) = {(each.get("n", 0), each["version"]) for each in rows}  # alike in all devices: all or nothing
        assert row[0] in (self.done, self.number) and len(rows) == MANY, f"{row}, acknowledged {self.done}"
        assert row[1] == 2 + row[0], f"{row[1]} writes counted"
        self.done = self.number = row[0]


@dataclass
class TwinJobber(Actor):
    """Runs twin jobs over its devices."""

    jobs: list[str] = field(default_factory=list)
    doubt: str | None = None
    unseen: list[str] = field(default_factory=list)  # jobs whose end was not seen

    def prepare(self, hub: HubProcess) -> None:
        for each in range(FEW):
            hub.new_device(f"{self.name}{each}")

    def act(self, hub: HubProcess, chance: random.Random) -> None:
        number = self.next_number()
        self.doubt = f"{self.name}-{number}"
        self.call(
            hub,
            "PUT",
            f"/jobs/v2/{self.doubt}",
            {
                "type": "scheduleUpdateTwin",
                "queryCondition": f"STARTSWITH(deviceId, '{self.name}')",
                "updateTwin": {"etag": "*", "properties": {"desired": {"n": number}}},
                "maxExecutionTimeInSeconds": JOB_LIMIT_S,
            },
        )
        self.jobs.append(self.doubt)
        self.unseen.append(self.doubt)
        self.doubt = None
        time.sleep(chance.choice([0, 0.02]))

    def check(self, hub: HubProcess) -> None:
        if self.doubt is not None and is_known(hub, self.doubt):
            self.jobs.append(self.doubt)
            self.unseen.append(self.doubt)
        self.doubt = None
        for job in self.unseen:
            document = hub.wait_for_job(job)
            counted = {key.removesuffix("Count"): value for key, value in document["deviceJobStatistics"].items()}
            expected = {"device": FEW, "succeeded": FEW, "failed": 0, "running": 0, "pending": 0}
            assert (document["status"], counted) == ("completed", expected), document
        self.unseen = []
        for each in range(FEW):
            twin = hub.ok("GET", f"/twins/{self.name}{each}")
            # Each job wrote once: a twin's versions count them, no more and no less.
            versions = (twin["properties"]["desired"]["$version"] - 1, twin["version"] - 2)
            assert versions == (len(self.jobs),) * 2, f"{twin}, {len(self.jobs)} jobs"


@dataclass
class MethodJobber(Actor):
    """Runs method jobs over connected devices, which answer and count their calls: here, outside the hub's process."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)  # by job and device
    jobs: list[str] = field(default_factory=list)  # whose end was not checked
    doubt: str | None = None
    uncertain: int = 0
    devices: list[MqttDevice] = field(default_factory=list)

    def prepare(self, hub: HubProcess) -> None:
        for each in range(FEW):
            hub.new_device(f"{self.name}{each}")

    def begin(self, hub: HubProcess) -> None:
        self.devices = [connected(hub, f"{self.name}{each}") for each in range(FEW)]
        for device in self.devices:
            device.answer_methods(partial(self._answer, device.device))

    def _answer(self, device: str, _method: str, job: str) -> tuple[int, Any]:
        self.calls[job, device] += 1
        time.sleep(crc32(f"{job} {device}".encode()) % 7 * 0.005)  # now and then a call is in flight for a while
        return 200, {"done": job}

    def act(self, hub: HubProcess, chance: random.Random) -> None:
        job = self.doubt = f"{self.name}-{self.next_number()}"
        self.call(
            hub,
            "PUT",
            f"/jobs/v2/{job}",
            {
                "type": "scheduleDeviceMethod",
                "queryCondition": f"STARTSWITH(deviceId, '{self.name}')",
                "cloudToDeviceMethod": {"methodName": "work", "payload": job, "responseTimeoutInSeconds": 60},
                "maxExecutionTimeInSeconds": JOB_LIMIT_S,
            },
        )
        self.jobs.append(job)
        self.doubt = None
        while chance.random() < 0.9 and self.call(hub, "GET", f"/jobs/v2/{job}")["status"] != "completed":
            time.sleep(0.005)

    def end(self) -> None:
        super().end()
        for device in self.devices:
            device.close()

    def check(self, hub: HubProcess) -> None:
        if self.doubt is not None and is_known(hub, self.doubt):
            self.jobs.append(self.doubt)
        self.doubt = None
        for job in self.jobs:
            document = hub.wait_for_job(job)
            question = f"SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '{job}'"
            rows = hub.ok("POST", "/devices/query", {"query": question})
            self._check_job(job, document, rows)
        self.jobs = []

    def _check_job(self, job: str, document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        counted, failed = document["deviceJobStatistics"], [row for row in rows if row["status"] == "failed"]
        assert (document["status"], len(rows), counted["deviceCount"]) == ("completed", FEW, FEW), (document, rows)
        assert counted["failedCount"] == len(failed) and counted["succeededCount"] == FEW - len(failed), document
        for row in rows:
            calls = self.calls[job, row["deviceId"]]
            if row in failed:
                # It was in flight at the kill: the device may have been operated, and the hub says that.
                assert calls <= 1 and "is not known" in row["error"]["description"], (calls, row)
            else:
                answer = {"status": 200, "payload": {"done": job}}
                assert calls == 1 and row["outcome"] == {"deviceMethodResponse": answer}, (calls, row)
        self.uncertain += len(failed)


@dataclass
class Correspondent(Actor):
    """Sends a device messages, which it takes one after the other; what was taken by the hub reaches it."""

    sent: set[str] = field(default_factory=set)
    arrived: set[str] = field(default_factory=set)
    device: MqttDevice | None = None

    def prepare(self, hub: HubProcess) -> None:
        hub.new_device(self.name)

    def begin(self, hub: HubProcess) -> None:
        self.device = connected(hub, self.name)
        self.device.subscribe(f"devices/{self.name}/messages/devicebound/#", qos=1)

    def act(self, hub: HubProcess, chance: random.Random) -> None:
        text = str(self.next_number())
        if self._send(hub, text):
            self.sent.add(text)
            self._take()
        else:  # as many wait as may
            time.sleep(0.01)

    def end(self) -> None:
        super().end()
        if self.device is not None:
            self.device.close()
            self._take()

    def check(self, hub: HubProcess) -> None:
        def all_are_here() -> bool:
            self._take()
            return self.sent <= self.arrived

        wait_until("all messages that the hub took arrive", all_are_here)
        assert len(self.arrived - self.sent) <= self.number - len(self.sent)

    def _send(self, hub: HubProcess, text: str) -> bool:
        """Gives whether the hub has taken the message; False: the device's queue is full."""
        path, document = f"/_local/devices/{self.name}/messages", {"body": base64.b64encode(text.encode()).decode()}
        answer = hub.request("POST", path, document, session=self.session)
        assert answer.status_code in (201, 403), answer.text
        return answer.status_code == 201

    def _take(self) -> None:
        assert self.device is not None
        while not self.device.arrived.empty():
            self.arrived.add(self.device.arrived.get()[1].decode())


@dataclass
class AmqpCorrespondent(Correspondent):
    """Sends its messages over AMQP, as services do; what was accepted reaches the device."""

    service: AmqpService | None = None

    def begin(self, hub: HubProcess) -> None:
        super().begin(hub)
        self.service = AmqpService(hub, "service@sas.root.hub", hub.token("service"))

    def end(self) -> None:
        super().end()
        if self.service is not None:
            self.service.close()

    def _send(self, hub: HubProcess, text: str) -> bool:
        assert self.service is not None
        outcome = self.service.send_to(self.name, text.encode())
        if isinstance(outcome, Accepted):
            return True
        assert isinstance(outcome, Rejected) and outcome.error is not None, outcome
        assert outcome.error.condition == RESOURCE_LIMIT_EXCEEDED, outcome.error
        return False


@dataclass
class AmqpReceiver(Correspondent):
    """Its device receives over AMQP, and accepts each message."""

    socket: AmqpSocket | None = None

    def begin(self, hub: HubProcess) -> None:
        self.socket = signed_in(hub, self.name)
        self.socket.receiver(f"/devices/{self.name}/messages/devicebound", 0)

    def end(self) -> None:
        super().end()
        if self.socket is not None:
            self.socket.close()

    def _take(self) -> None:
        assert self.socket is not None
        self.socket.read(0.01)
        while (arrived := self.socket.arrived(0)) is not None:
            sent, message = arrived
            self.arrived.add(message.body.decode())
            self.socket.settle(sent)


MANY_EVENTS = 300  # between two kills: the hub shows the newest thousand


@dataclass
class AmqpTelemeter(Actor):
    """Sends events over AMQP, one after the other: what the hub accepted is in its log, in order and once."""

    accepted: list[str] = field(default_factory=list)  # since the last check
    socket: AmqpSocket | None = None

    def prepare(self, hub: HubProcess) -> None:
        hub.new_device(self.name)

    def begin(self, hub: HubProcess) -> None:
        self.socket = signed_in(hub, self.name)
        self.socket.sender(f"/devices/{self.name}/messages/events", 0)

    def act(self, hub: HubProcess, chance: random.Random) -> None:
        assert self.socket is not None
        if len(self.accepted) >= MANY_EVENTS:
            self.socket.read(1)
            return
        text = str(self.next_number())
        assert self.socket.message(0, Message(data=(text.encode(),))) == Accepted()
        self.accepted.append(text)

    def end(self) -> None:
        super().end()
        if self.socket is not None:
            self.socket.close()

    def check(self, hub: HubProcess) -> None:
        events = [each for each in events_of(hub) if each["deviceId"] == self.name]
        found = [base64.b64decode(each["body"]).decode() for each in events]
        assert found == sorted(set(found), key=int), "events are there twice, or not in their order"
        assert set(self.accepted) <= set(found), f"{set(self.accepted) - set(found)} are lost"
        self.accepted.clear()
