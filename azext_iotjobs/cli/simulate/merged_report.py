"""Results of the shards of a simulation -> the result that one simulation would have had. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from azext_iotjobs.cli.simulate.expectation_texts import parse_expectation
from azext_iotjobs.cli.simulate.report import (
    MAX_GAVE_UP,
    MAX_LISTED,
    latency_document,
    per_second,
    verdict_document,
)
from azext_iotjobs.cli.simulate.shard_files import ShardResult
from azext_iotjobs.model.clock import parse_instant, render_instant
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.simulator.expectations import Verdict
from azext_iotjobs.simulator.histogram import Histogram
from azext_iotjobs.simulator.statistics import FIRST_DEVICES

Document = Mapping[str, Any]
TWINS = ("desiredChanges", "reportsSent", "reportsAccepted")


class MergedResult:
    """What the shards came to together."""

    def __init__(self, shards: Sequence[ShardResult]) -> None:
        """shards: of one simulation, by their numbers, each once; at least one."""
        self._documents = [each.document for each in shards]
        self.total = shards[0].shard.total
        self.missing = sorted(set(range(1, self.total + 1)) - {each.shard.number for each in shards})
        self.verdicts = [self._verdict(number) for number in range(len(self._documents[0]["expectations"]))]

    @property
    def outcome(self) -> Outcome:
        """That of one simulation; without the results of all shards nothing has succeeded."""
        if self.verdicts:
            failed = not all(each.came_true for each in self.verdicts)
        else:
            failed = self._sum("devices.gaveUp") > 0
        left = any(each["creation"]["left"] for each in self._documents if each["creation"] is not None)
        return Outcome.DEVICES_FAILED if failed or left or self.missing else Outcome.SUCCESS

    def document(self) -> dict[str, Any]:
        """The result, as a simulation prints it; its `shards` says which ones it is made of."""
        first = self._documents[0]
        started_at, ended_at = self._started_at, max(map(_ended_at, self._documents))
        lasted_s = (ended_at - started_at).total_seconds()
        return {
            "hub": first["hub"],
            "seed": first["seed"],
            "startedAt": render_instant(started_at, "milliseconds"),
            "seconds": round(lasted_s, 3),
            "endedBy": ", ".join(dict.fromkeys(each["endedBy"] for each in self._documents)),
            "devices": self._devices(),
            "connects": self._sum("connects"),
            "messages": {
                "sent": self._sum("messages.sent"),
                "acknowledged": self._sum("messages.acknowledged"),
                "perSecond": per_second(self._sum("messages.acknowledged"), lasted_s),
            },
            "methods": self._methods(lasted_s),
            "twins": {name: self._sum(f"twins.{name}") for name in TWINS},
            "cloudToDeviceMessages": self._sum("cloudToDeviceMessages"),
            "expectations": [verdict_document(each) for each in self.verdicts],
            "trouble": self._trouble(),
            "gaveUp": self._listed("gaveUp")[:MAX_GAVE_UP],
            **({"groups": _sums(each.get("groups", {}) for each in self._documents)} if "groups" in first else {}),
            "creation": self._creation(),
            "shards": {"total": self.total, "merged": len(self._documents), "missing": self.missing},
        }

    @property
    def _started_at(self) -> datetime:
        return min(map(_started_at, self._documents))

    def _sum(self, path: str) -> int:
        return sum(_at(each, path) for each in self._documents)

    def _listed(self, name: str) -> list[Any]:
        return [item for each in self._documents for item in each[name]]

    def _devices(self) -> dict[str, Any]:
        names = ("count", "absent", "connectedAtEnd", "gaveUp")
        sums = {name: self._sum(f"devices.{name}") for name in names}
        ready = [(each, each["devices"]["allConnectedAfterSeconds"]) for each in self._documents]
        after_s = None
        if not self.missing and all(seconds is not None for _, seconds in ready):
            last = max(_started_at(each) + timedelta(seconds=seconds) for each, seconds in ready)
            after_s = round((last - self._started_at).total_seconds(), 3)
        return {**sums, "allConnectedAfterSeconds": after_s}

    def _methods(self, lasted_s: float) -> dict[str, Any]:
        latency = Histogram()
        for each in self._documents:
            answers = each["shard"]["answers"]
            buckets = {int(bucket): count for bucket, count in answers["buckets"].items()}
            latency.add_buckets(buckets, answers["sumSeconds"], answers["maxSeconds"])
        by_name: dict[str, dict[str, Any]] = {}
        for method in (method for each in self._documents for method in each["methods"]["byName"]):
            known = by_name.setdefault(method["name"], {"name": method["name"], "received": 0, "answered": 0})
            known["received"] += method["received"]
            known["answered"] += method["answered"]
            known["statuses"] = _sums((known.get("statuses", {}), method["statuses"]))
        return {
            "received": self._sum("methods.received"),
            "answered": self._sum("methods.answered"),
            "perSecond": per_second(self._sum("methods.answered"), lasted_s),
            "answerSeconds": latency_document(latency),
            "byName": sorted(by_name.values(), key=lambda method: -method["received"]),
        }

    def _verdict(self, number: int) -> Verdict:
        """Of one expectation, for all devices. Each shard's time begins when it starts."""
        judged = [each["expectations"][number] for each in self._documents]
        expectation = parse_expectation(judged[0]["expectation"])
        needed, held = expectation.share.of(self._sum("devices.count")), sum(each["devicesTrue"] for each in judged)
        reasons = [each["reason"] for each in judged if not each["cameTrue"]]
        if self.missing:
            reasons = [f"without the results of shards {', '.join(map(str, self.missing))}"]
        came_true = not self.missing and held >= needed
        return Verdict(
            expectation=expectation,
            came_true=came_true,
            after_s=max(each["decidedAfterSeconds"] for each in judged),
            reason="" if came_true else "; ".join(dict.fromkeys(reasons)),
            needed_count=needed,
            held_count=held,
            missing=[] if came_true else [name for each in judged for name in each.get("missing", ())][:MAX_LISTED],
            missing_count=0 if came_true else self._sum("devices.count") - held,
        )

    def _trouble(self) -> list[dict[str, Any]]:
        kinds: dict[str, dict[str, Any]] = {}
        for each in self._listed("trouble"):
            known = kinds.setdefault(each["kind"], {**each, "count": 0, "firstDevices": []})
            known["count"] += each["count"]
            known["firstDevices"] = [*known["firstDevices"], *each["firstDevices"]][:FIRST_DEVICES]
            known["firstReason"] = each["firstReason"] if known["firstReason"] is None else known["firstReason"]
        return list(kinds.values())

    def _creation(self) -> dict[str, Any] | None:
        found = [each["creation"] for each in self._documents if each["creation"] is not None]
        if not found:
            return None
        runs = [each["run"] for each in found]
        return {"runs": runs, **{name: sum(each[name] for each in found) for name in ("made", "left")}}


def _at(document: Document, path: str) -> int:
    value: Any = document
    for name in path.split("."):
        value = value[name]
    return int(value)


def _started_at(document: Document) -> datetime:
    return parse_instant(document["startedAt"]).at


def _ended_at(document: Document) -> datetime:
    return _started_at(document) + timedelta(seconds=document["seconds"])


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts by name, added."""
    found: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            found[name] = found.get(name, 0) + count
    return found
