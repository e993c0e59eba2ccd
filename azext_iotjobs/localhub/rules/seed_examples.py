"""What each member of a seed may look like: what errors show, and by which its kind is known. Pure."""

import json
from typing import Any

Json = Any

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # of nobody
PEM = "-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n"
CONTENT: Json = {"deviceContent": {"properties.desired.fan": {"speed": 3}}}
QUERIES: Json = {"done": "SELECT deviceId FROM devices WHERE properties.reported.fan.speed = 3"}
EXAMPLES: dict[str, Json] = {
    "": {"devices": [{"deviceId": "pump-1"}]},
    "devices": [{"deviceId": "pump-1"}],
    "deviceId": "pump-1",
    "status": "enabled",
    "statusReason": "not delivered yet",
    "authentication": {"type": "sas"},
    "type": "sas",
    "symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY},
    "primaryKey": KEY,
    "secondaryKey": KEY,
    "x509Thumbprint": {"primaryThumbprint": "A" * 40},
    "primaryThumbprint": "A" * 40,
    "secondaryThumbprint": "B" * 40,
    "capabilities": {"iotEdge": True},
    "iotEdge": True,
    "parentDeviceId": "gateway",
    "modules": [{"moduleId": "motor"}],
    "moduleId": "motor",
    "managedBy": "IotEdge",
    "tags": {"site": "north"},
    "properties": {"desired": {"interval": 30}},
    "desired": {"interval": 30},
    "reported": {"version": "1.0"},
    "certificates": [{"name": "our-ca", "certificate": PEM}],
    "name": "our-ca",
    "certificate": PEM,
    "configurations": [{"id": "fan", "content": CONTENT}],
    "id": "fan",
    "schemaVersion": "1.0",
    "contentType": "assignment",
    "targetCondition": "tags.site = 'north'",
    "priority": 10,
    "labels": {"by": "operations"},
    "content": CONTENT,
    "metrics": {"queries": QUERIES},
    "queries": QUERIES,
}
KINDS = {bool: "true or false", int: "a whole number", str: "a text", list: "a list", dict: "an object"}


def advice(name: str) -> str:
    """What a member of this name has to be; "" stands for the seed."""
    example = EXAMPLES[name]
    return f"{KINDS[type(example)]}, such as {json.dumps(example)}"


def is_of_kind(value: Json, name: str) -> bool:
    """Whether a value is a text, a number and so on, as the member has to be."""
    return isinstance(value, type(EXAMPLES[name])) and not (isinstance(value, bool) and name != "iotEdge")
