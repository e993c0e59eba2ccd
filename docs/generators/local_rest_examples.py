"""Make the requests of local_rest_examples.json to a hub, and write its answers there, for the document and the page.

    python docs/generators/local_rest_examples.py

A new example is a `route`, as the table has it, a `target`, which is its path and query, and a `body` where it has
one. They are made in the order of the file. What differs each time, such as instants, is written as it was once. A
test compares.
"""

import http.client
import json
import re
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

PATH = Path(__file__).parent / "local_rest_examples.json"
DEVICE = "pump-1"  # registered before the first request; it has sent an event, was called, and has reported
BEHAVIOUR = {
    "methods": {"open": {"status": 200, "payload": {"valve": "open"}, "then": [{"report": {"valve": "open"}}]}}
}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n"  # stands for one
FILE = "the file, as it is"  # stands for the last one that a hub has answered with
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ZIP = b"PK"  # how such a file begins
CUT = {"throttles": 2}  # of how many items of a long array the first are enough
AT = "2026-11-29T20:15:30.1234567Z"
NEW_CA = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=our-ca -days 30"
).split()
VARIES = {
    "pid": 4711,
    "durationSeconds": 0.004,
    "thumbprint": "5D6F5A2B0C0F1E3A4B5C6D7E8F90A1B2C3D4E5F6",
    "ExceptionMessage": f"Tracking ID:3F2A61E2C5F74E0F9D0A3B1C7E5D4A21-G2:-TimeStamp:{AT}",
    "iothub-connection-auth-generation-id": "638999999999999999",
}


class Answered(NamedTuple):
    """A response."""

    status: int
    content: bytes


def read() -> list[dict[str, Any]]:
    """The examples, in their order."""
    return list(json.loads(PATH.read_text(encoding="utf-8")))


def recorded(hub: Any, examples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The examples with what a hub answers now. hub: a LocalHub that has nothing yet; the last example ends it."""
    hub.create_device(DEVICE)
    hub.request("POST", f"/devices/{DEVICE}/messages/events", {"valve": "open"}, headers={"iothub-app-site": "north"})
    with hub.simulate(DEVICE, behaviour=BEHAVIOUR):
        hub.call(DEVICE, "open", {"percent": 100})
        hub.request("GET", f"/_local/reported?device={DEVICE}&wait=30")  # not a twin, which would be counted
    hub.wait_for_connection(DEVICE, "ended")
    ca = subprocess.check_output(NEW_CA, text=True, stderr=subprocess.DEVNULL)
    found, file = [], b""
    for each in examples:
        document, content = _recorded(hub, each, ca, file)
        found.append(document)
        file = content if content.startswith(ZIP) else file
    return found


def text(examples: list[dict[str, Any]]) -> str:
    """What the file holds."""
    return json.dumps(examples, indent=2, ensure_ascii=False) + "\n"


def _recorded(hub: Any, example: dict[str, Any], ca: str, file: bytes) -> tuple[dict[str, Any], bytes]:
    """An example with what the hub answers, and that as it came."""
    body = None if "body" not in example else json.dumps(example["body"]).replace(json.dumps(PEM), json.dumps(ca))
    sent = file if example.get("body") == FILE else body
    status, answer = _ask(hub, example["route"].split()[0], example["target"], sent)
    found: dict[str, Any] = {name: example[name] for name in ("route", "target", "body") if name in example}
    found["status"] = status
    if answer:
        found["answer"] = _steady(_parsed(answer))
    return found, answer


def _ask(hub: Any, verb: str, target: str, body: str | bytes | None) -> Answered:
    trust = ssl.create_default_context(cafile=hub.ca_certificate_path)
    connection = http.client.HTTPSConnection(hub.device_host_name, hub.https_port, context=trust, timeout=60)
    try:
        connection.request(verb, target, body, {"Authorization": hub._token()})
        answer = connection.getresponse()
        return Answered(answer.status, answer.read())
    finally:
        connection.close()


def _parsed(answer: bytes) -> Any:
    if answer.startswith(ZIP):
        return FILE
    return PEM if answer.startswith(b"-----BEGIN") else json.loads(answer)


def _steady(value: Any, name: str = "") -> Any:
    """A value without what differs each time."""
    if name in VARIES:
        return VARIES[name]
    if isinstance(value, dict):
        return {inner: _steady(each, inner) for inner, each in value.items()}
    if isinstance(value, list):
        return [_steady(each) for each in value[: CUT.get(name)]]
    if isinstance(value, str) and value.startswith("-----BEGIN"):
        return PEM
    return INSTANT.sub(AT, value) if isinstance(value, str) else value


def main() -> None:
    """Renew the answers."""
    from azext_iotjobs.localhub.testing import LocalHub

    with LocalHub(sku="S1") as hub:
        found = recorded(hub, read())
    PATH.write_text(text(found), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
