"""How a fleet job goes about its devices, as typed -> its Rollout: batches, gates, threshold, retries."""

from dataclasses import replace
from typing import Any, NamedTuple

from azext_iotjobs.cli.fleet_job.gate_options import GateOptions
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.option_groups import option_of_dest
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.rollout import (
    Retry,
    RetryWhen,
    Rollout,
    Scope,
    Threshold,
    ThresholdAction,
    check_classes,
    parse_batch_sizes,
    parse_retry_classes,
)
from azext_iotjobs.model.share import Unit, parse_share

NONE = "none"  # takes a threshold or the retries away
THRESHOLD = "--cancellation-threshold"


class ThresholdOptions(NamedTuple):
    """When failures end a run; None where nothing was typed."""

    cancellation_threshold: str | None = None
    cancellation_threshold_type: str | None = None
    cancellation_threshold_batch: bool | None = None
    cancellation_threshold_min_sample: int | None = None
    cancellation_threshold_error_class: str | None = None
    cancellation_threshold_action: str | None = None

    def onto(self, old: Threshold | None) -> Threshold | None:
        """A new threshold, `old` with what was typed, or none. Raises UserError, naming the option."""
        share = self.cancellation_threshold
        is_gone = share == NONE or (share is None and old is None)
        self._check_company(is_gone=is_gone)
        if is_gone:
            return None
        changes = self._changes()
        return Threshold(**changes) if old is None else replace(old, **changes)

    def _check_company(self, *, is_gone: bool) -> None:
        """Raise MissingChoice for an option that says something of a threshold that is not there."""
        names = self._fields[1:]
        lonely = [name for name in names if getattr(self, name) is not None]
        if not lonely:
            return
        if is_gone or (lonely[0] == names[0] and self.cancellation_threshold is None):
            option = option_of_dest(lonely[0])
            raise MissingChoice(f"{option} needs {THRESHOLD}.", hint=f"{THRESHOLD} 5, or {THRESHOLD} 10%")

    def _changes(self) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if self.cancellation_threshold is not None:
            kind = self.cancellation_threshold_type
            changes["share"] = parse_share(self.cancellation_threshold, THRESHOLD, None if kind is None else Unit(kind))
        if self.cancellation_threshold_batch is not None:
            changes["scope"] = Scope.BATCH if self.cancellation_threshold_batch else Scope.RUN
        if self.cancellation_threshold_min_sample is not None:
            changes["min_sample"] = self.cancellation_threshold_min_sample
        if self.cancellation_threshold_error_class is not None:
            changes["classes"] = _classes(self.cancellation_threshold_error_class, f"{THRESHOLD}-error-class")
        if self.cancellation_threshold_action is not None:
            changes["action"] = ThresholdAction(self.cancellation_threshold_action)
        return changes


class RetryOptions(NamedTuple):
    """Which failures are tried again; None where nothing was typed."""

    retry: str | None = None
    retry_pause: str | None = None
    retry_growth: float | None = None
    retry_max_pause: str | None = None
    retry_when: str | None = None

    def onto(self, old: Retry | None) -> Retry | None:
        """New retries, `old` with what was typed, or none. Raises UserError, naming the option."""
        changes = self._changes()
        is_gone = self.retry == NONE or (self.retry is None and old is None)
        if changes and is_gone:
            raise MissingChoice(
                "--retry-pause, --retry-growth, --retry-max-pause and --retry-when need --retry.",
                hint="--retry offline=3,timeout",
            )
        if is_gone:
            return None
        if self.retry is not None:
            changes["tries"] = parse_retry_classes(self.retry, "--retry")
        retry = Retry(**changes) if old is None else replace(old, **changes)
        if retry.pause_s > retry.longest_s:
            raise ConflictingChoice(
                f"--retry-pause {retry.pause_s:.0f}s is longer than --retry-max-pause {retry.longest_s:.0f}s.",
                hint="Give both: --retry-pause 30m --retry-max-pause 1h",
            )
        return retry

    def _changes(self) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if self.retry_pause is not None:
            changes["pause_s"] = duration_s(self.retry_pause, "--retry-pause")
        if self.retry_growth is not None:
            changes["growth"] = self.retry_growth
        if self.retry_max_pause is not None:
            changes["longest_s"] = duration_s(self.retry_max_pause, "--retry-max-pause")
        if self.retry_when is not None:
            changes["when"] = RetryWhen(self.retry_when)
        return changes


class RolloutOptions(NamedTuple):
    """Batches, threshold, retries and gates; None where nothing was typed."""

    batch: str | None = None
    batch_type: str | None = None
    batch_pause: str | None = None
    threshold: ThresholdOptions = ThresholdOptions()
    retries: RetryOptions = RetryOptions()
    gates: GateOptions = GateOptions()

    def onto(self, old: Rollout) -> Rollout:
        """`old` with what was typed. Raises UserError, naming the option."""
        if self.batch_type is not None and self.batch is None:
            raise MissingChoice("--batch-type says what --batch counts: give --batch too.")
        unit = None if self.batch_type is None else Unit(self.batch_type)
        return Rollout(
            sizes=old.sizes if self.batch is None else parse_batch_sizes(self.batch, "--batch", unit),
            pause_s=old.pause_s if self.batch_pause is None else duration_s(self.batch_pause, "--batch-pause"),
            threshold=self.threshold.onto(old.threshold),
            retry=self.retries.onto(old.retry),
            gates=self.gates.onto(old.gates),
        )


def _classes(text: str, option: str) -> frozenset[str]:
    words = frozenset(filter(None, (each.strip().lower() for each in text.split(","))))
    try:
        check_classes(words)
    except BadValue as err:
        raise BadValue(f"{option}: {err}") from err
    return words
