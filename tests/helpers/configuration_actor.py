"""Who changes configurations of a hub that will be killed; devices have to have what the winning one says."""

import base64
import random
from dataclasses import dataclass, field
from typing import Any

from tests.helpers.hub_process import HubProcess
from tests.helpers.restart_actors import Actor
from tests.helpers.waiting import wait_until

DEVICES = 3
ANY = {"If-Match": "*"}


@dataclass
class Configurer(Actor):
    """Two configurations that set the same path; the priority of one changes all the time, and with it who wins."""

    priorities: list[int] = field(default_factory=lambda: [0])  # of each acknowledged write, its creation first
    doubt: int | None = None

    def prepare(self, hub: HubProcess) -> None:
        for number in range(DEVICES):
            hub.new_device(f"{self.name}-{number}")
        hub.ok("PUT", self._path("other"), self._body("other", 10))
        hub.ok("PUT", self._path("moving"), self._body("moving", 0))

    def act(self, hub: HubProcess, chance: random.Random) -> None:
        self.doubt = chance.randrange(20)
        self.call(hub, "PUT", self._path("moving"), self._body("moving", self.doubt), headers=ANY)
        self.priorities.append(self.doubt)
        self.doubt = None

    def check(self, hub: HubProcess) -> None:
        found = hub.ok("GET", self._path("moving"))
        writes = int(base64.b64decode(found["etag"]))
        if self.doubt is not None and writes == len(self.priorities) + 1:
            self.priorities.append(self.doubt)
        self.doubt = None
        assert (writes, found["priority"]) == (len(self.priorities), self.priorities[-1])
        winner = "moving" if self.priorities[-1] >= 10 else "other"  # it was created last
        wait_until(f"{winner} wins", lambda: self._winners(hub) == {winner})

    def _winners(self, hub: HubProcess) -> set[str]:
        """What the devices have, and show."""
        found: set[str] = set()
        for number in range(DEVICES):
            twin = hub.ok("GET", f"/twins/{self.name}-{number}")
            shown = twin.get("configurations", {})
            applied = {name.partition("-")[2] for name, each in shown.items() if each["status"] == "Applied"}
            found |= {twin["properties"]["desired"].get("winner"), *applied}
        return found

    def _path(self, which: str) -> str:
        return f"/configurations/{self.name}-{which}"

    def _body(self, which: str, priority: int) -> dict[str, Any]:
        content = {"deviceContent": {"properties.desired.winner": which}}
        return {"content": content, "priority": priority, "targetCondition": f"startswith(deviceId, '{self.name}-')"}
