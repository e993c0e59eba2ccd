"""A hub with many devices goes by an index: seen from outside, by what another program has changed behind its back."""

import itertools
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import wait_until

DEVICES = 3_000
# What takes so long that an index is made: of half of them all of it has to be looked at.
SLOW = "tags.ring = '1' AND (" + " OR ".join(f"tags.n{number}=1" for number in range(400)) + ")"
CHANGED = f"pump-{DEVICES - 1:04}"


def ask(hub: HubProcess, condition: str) -> list[str]:
    text = f"SELECT deviceId FROM devices WHERE {condition}"
    return [each["deviceId"] for each in hub.ok("POST", "/devices/query", json={"query": text})]


def change_behind_its_back(file: Path, tags: dict[str, Any]) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        values = (json.dumps(tags, separators=(",", ":")), CHANGED)
        assert other.execute("UPDATE twins SET tags = ? WHERE device_id = ?", values).rowcount == 1


def test_a_large_hub_goes_by_an_index_until_it_is_brought_back_to_a_snapshot(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub") as hub:
        half = DEVICES // 2
        hub.local.seed(
            {
                "devices": [
                    {"deviceId": f"pump-{{0000..{half - 1:04}}}", "tags": {"ring": "1"}},
                    {"deviceId": f"pump-{{{half:04}..{DEVICES - 1:04}}}", "tags": {"ring": "2"}},
                ]
            }
        )
        snapshot = hub.local.snapshot()
        assert ask(hub, SLOW) == []
        numbers = itertools.count(1)

        def is_unseen() -> bool:
            value = f"behind {next(numbers)}"
            change_behind_its_back(tmp_path / "hub" / "hub.db", {"ring": value})
            assert ask(hub, f"tags.ring = '{value}' OR tags.none = 1") == [CHANGED]
            return ask(hub, f"tags.ring = '{value}'") == []

        # Whoever looks at the rows sees it. Who goes by the index does not, and sees what changes in the hub.
        wait_until("an index", is_unseen)
        assert ask(hub, "tags.ring = 'rare'") == []
        hub.ok("PATCH", "/twins/pump-0009", json={"tags": {"ring": "rare"}})
        hub.new_device("new")
        hub.ok("PATCH", "/twins/new", json={"tags": {"ring": "rare"}})
        assert ask(hub, "tags.ring = 'rare'") == ["pump-0009", "new"]
        hub.ok("DELETE", "/devices/pump-0009", headers={"If-Match": "*"})
        assert ask(hub, "tags.ring = 'rare'") == ["new"]
        hub.local.restore(snapshot)
        assert ask(hub, "tags.ring = 'rare'") == []
        assert ask(hub, "tags.ring = '1'")[:10] == [f"pump-{number:04}" for number in range(10)]
