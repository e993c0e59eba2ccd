"""Counts and a threshold -> may the run continue? Pure.

A share is of all devices of the scope, ended or not; it must be exceeded: as many failures as the share are allowed.
Uncertain devices count as failures: what cannot be known does not justify continuing.
"""

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.rollout import UNCERTAIN, Scope, Threshold
from azext_iotjobs.model.run import Batch, Run, Tally
from azext_iotjobs.model.share import Unit
from azext_iotjobs.model.text import counted


@dataclass(frozen=True)
class Exceeded:
    """Why a run may not continue, in words."""

    reason: str


def failure_count(tally: Tally, threshold: Threshold) -> int:
    """The failures of a tally that count."""
    if not threshold.classes:
        return tally.failed + tally.uncertain
    uncertain = tally.uncertain if UNCERTAIN in threshold.classes else 0
    return uncertain + sum(count for word, count in tally.by_class.items() if word in threshold.classes)


def verdict(threshold: Threshold | None, run: Run, batch: Batch | None) -> Exceeded | None:
    """Why a run may not continue; None: it may.

    threshold: None: there is none.  batch: the one that runs; None: all have ended.
    """
    if threshold is None:
        return None
    if threshold.scope is Scope.RUN:
        return _judged(threshold, run.tally, run.device_count, run.forgiven, "the run")
    if batch is None:
        return None
    return _judged(threshold, batch.tally, batch.tally.total, batch.forgiven, f"batch {batch.ordinal}")


def _judged(threshold: Threshold, tally: Tally, total: int, forgiven: int, where: str) -> Exceeded | None:
    failures = failure_count(tally, threshold) - forgiven
    if tally.ended < threshold.min_sample or not failures > threshold.share.of(total):
        return None
    kinds = f" ({', '.join(sorted(threshold.classes))})" if threshold.classes else ""
    since = f" since {forgiven} before it was resumed" if forgiven else ""
    unit = "" if threshold.share.unit is Unit.PERCENT else " device" if threshold.share.value == 1 else " devices"
    verb = "exceeds" if failures == 1 else "exceed"
    return Exceeded(
        f"{counted(failures, 'failure')}{kinds}{since} in {where} of {counted(total, 'device')} {verb} the "
        f"threshold of {threshold.share}{unit}."
    )
