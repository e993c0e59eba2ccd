"""Register the devices of a table in bulk, page by page, so that another process can continue where one was killed.

Strategy: a page is at most MAX_IN_BULK devices that can be sent, and the rows between them that cannot. Before it is
sent, its token goes to the caller, who stores it: how many rows are done, and a fingerprint of what each device of the
page is to sign in with. A device that is there already when the page is sent again was registered by this import if it
signs in with just that. So no device of this import is taken for somebody else's because a process died or an answer
was lost. Keys are made here, not by the hub, for that reason too; no token holds one.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import islice

from azext_iotjobs.clients.bulk import BulkClient
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.throttling import PAUSE_S, TRIES, outlasting_throttling
from azext_iotjobs.model.bulk import ALREADY_EXISTS, MAX_IN_BULK, THROTTLED, BulkFailure, BulkResult, NewDevice
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.device_import import Existing, ImportRow, RowFault, RowResult, RowStatus
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, HubFault, LinkLost, NotFound, StateError, Throttled
from azext_iotjobs.model.identity import SignIn
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.operations.identity.import_changes import DeviceUpdates, fingerprint, fingerprint_of
from azext_iotjobs.operations.identity.renew_keys import new_key

MAX_ROWS = 1000  # of a page, of which few can be sent
TROUBLE_PAUSES_S = (1.0, 2.0, 4.0)  # as transport/retry.py has them for a request that may be repeated
THROTTLED_PAUSES_S = (PAUSE_S,) * TRIES
WAIT_STEP_S = 0.5  # after which a stop is seen

Page = tuple[list[RowResult], str]  # results, and the token to go on from


class ImportStopped(StateError):
    """Somebody wants the import to end; it can be continued."""

    code = "stopped"


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """How devices are imported."""

    existing: Existing = Existing.SKIP
    replaces_keys: bool = False  # whether a device that is updated may get what the row says it signs in with
    a_minute: int | None = None  # devices that are sent at most; None: as fast as the hub answers


@dataclass(kw_only=True)
class ImportState:
    """How far an import is, as a token holds it."""

    done_count: int = 0  # rows
    counts: Counter[str] = field(default_factory=Counter)  # of rows that are done, by status
    sent: dict[str, list[str]] = field(default_factory=dict)  # fingerprints of what may have been sent, by device

    @classmethod
    def of(cls, token: str) -> "ImportState":
        """Read a token; "" is the beginning. Raises BadValue for what is none."""
        if not token:
            return cls()
        try:
            found = json.loads(token)
            sent = {str(name): [str(each) for each in prints] for name, prints in found["sent"].items()}
            counts = Counter({str(status): int(count) for status, count in found["counts"].items()})
            state = cls(done_count=int(found["done"]), counts=counts, sent=sent)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as err:
            raise BadValue("How far the import was cannot be read.") from err
        if state.done_count < 0:
            raise BadValue("How far the import was cannot be read.")
        return state

    def token(self) -> str:
        """The token of this state."""
        return json.dumps({"done": self.done_count, "counts": dict(self.counts), "sent": self.sent})


class DeviceImport:
    """One import. `state` says how far it is."""

    def __init__(self, client: HubClient, options: ImportOptions, clock: Clock, stop: StopFlag) -> None:
        """stop: ends it before a page is sent, or sent again, with ImportStopped."""
        self.state = ImportState()
        self._client = client
        self._bulk = BulkClient(client.transport)
        self._updates = DeviceUpdates(client, self._bulk, clock, options.replaces_keys)
        self._options = options
        self._clock = clock
        self._stop = stop
        self._next_at = clock.monotonic()  # when more devices may be sent

    def pages(self, rows: Iterator[ImportRow], token: str = "") -> Iterator[Page]:
        """Import rows; gives the results of each page once all of it is done, in the order of the rows.

        rows: all of the table, the same at each call.  token: of the last page that was kept; "": from the beginning.
        Raises ImportStopped; HubAnswer, LinkError when the hub refuses a whole page or is not reached. What was given
        before is done, and its last token is good to go on from.
        """
        self.state = state = ImportState.of(token)
        rest = islice(rows, state.done_count, None)
        is_repeated = bool(state.sent)  # a page that another process may have sent
        while page := [_with_keys(each) for each in _next_page(rest)]:
            self._wait_for_turn(sum(each.device is not None for each in page))
            yield [], self._intended(page)
            results = self._results(page, is_repeated=is_repeated)
            is_repeated = False
            state.done_count += len(page)
            state.counts.update(each.status.value for each in results)
            state.sent = {}
            yield results, state.token()

    def _intended(self, page: Sequence[ImportRow]) -> str:
        """The token before a page is sent."""
        for each in page:
            if each.device is not None:
                prints = self.state.sent.setdefault(each.device_id, [])
                prints.append(fingerprint(each.device.identity))
        return self.state.token()

    def _results(self, page: Sequence[ImportRow], *, is_repeated: bool) -> list[RowResult]:
        wanted = {each.device_id: each for each in page if each.device is not None}
        failures = self._create(wanted, is_repeated=is_repeated) if wanted else {}
        there = [wanted[name] for name, each in failures.items() if each.code in ALREADY_EXISTS]
        found = self._existing(there)
        return [_result(each, failures.get(each.device_id), found.get(each.device_id)) for each in page]

    def _wait_for_turn(self, count: int) -> None:
        """Wait until `count` devices more may be sent. Raises ImportStopped."""
        self._pause(self._next_at - self._clock.monotonic())
        if self._options.a_minute is not None:
            now = self._clock.monotonic()
            self._next_at = max(self._next_at, now) + 60.0 * count / self._options.a_minute

    def _pause(self, seconds: float) -> None:
        """Wait; a page that may have been sent is sent again by whoever goes on. Raises ImportStopped."""
        until = self._clock.monotonic() + seconds
        while not self._stop.is_set() and (left_s := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left_s, WAIT_STEP_S))
        if self._stop.is_set():
            raise ImportStopped("The import was stopped.")

    def _create(self, wanted: Mapping[str, ImportRow], *, is_repeated: bool) -> dict[str, BulkFailure]:
        """Register a page's devices: what failed, by device. A device that this import has made did not."""
        left = [each.device for each in wanted.values() if each.device is not None]
        failures: dict[str, BulkFailure] = {}
        without_tags: list[str] = []
        while left:
            result, was_repeated = self._sent(left)
            is_repeated = is_repeated or was_repeated
            without_tags += result.without_twin
            failures |= {each.device_id: each for each in result.failures}
            throttled = {each.device_id for each in result.failures if each.code in THROTTLED}
            left = [each for each in left if each.device_id in throttled]
            if left:
                self._pause(PAUSE_S)
                failures = {name: each for name, each in failures.items() if each.code not in THROTTLED}
        if is_repeated:
            ours = [name for name, each in failures.items() if self._is_ours(wanted[name], each)]
            without_tags += ours  # perhaps: whoever has made them may have been killed before it set them
            failures = {name: each for name, each in failures.items() if name not in ours}
        return failures | self._set_tags(wanted[name] for name in without_tags)

    def _sent(self, devices: Sequence[NewDevice]) -> tuple[BulkResult, bool]:
        """Send one request, again after trouble: its result, and whether an earlier one may have been carried out."""
        troubled, throttled = iter(TROUBLE_PAUSES_S), iter(THROTTLED_PAUSES_S)
        was_repeated = False
        while True:
            try:
                return self._bulk.create(devices, may_repeat=False), was_repeated
            except Throttled:  # which was not carried out
                pause_s = next(throttled, None)
                if pause_s is None:
                    raise
            except (LinkLost, AnswerTooLate, HubFault):
                was_repeated = True
                pause_s = next(troubled, None)
                if pause_s is None:
                    raise
            self._pause(pause_s)

    def _set_tags(self, rows: Iterable[ImportRow]) -> dict[str, BulkFailure]:
        """Set the tags of devices that may lack them, as where the hub could make no twin at first: what failed."""
        tags = {each.device_id: each.device.tags for each in rows if each.device is not None and each.device.tags}
        if not tags:
            return {}
        result = outlasting_throttling(lambda: self._bulk.set_tags(tags), self._clock)
        return {each.device_id: each for each in result.failures}

    def _is_ours(self, row: ImportRow, failure: BulkFailure) -> bool:
        """Whether a device that is there already was registered by this import."""
        if failure.code not in ALREADY_EXISTS:
            return False
        if self._options.existing is Existing.UPDATE and row.states_sign_in:
            return False  # it may have had that key before: to update it is right in either case
        try:
            identity = outlasting_throttling(lambda: self._client.identities.get(row.device_id), self._clock)
        except NotFound:  # removed since
            return False
        return fingerprint_of(identity) in self.state.sent.get(row.device_id, ())

    def _existing(self, rows: Sequence[ImportRow]) -> dict[str, RowResult]:
        """What becomes of rows whose devices are somebody else's."""
        match self._options.existing:
            case Existing.SKIP:
                return {each.device_id: _of(each, RowStatus.SKIPPED) for each in rows}
            case Existing.FAIL:
                return {}
            case Existing.UPDATE:
                return self._updates.apply(rows)


def _next_page(rows: Iterator[ImportRow]) -> Iterator[ImportRow]:
    device_count = 0
    for each in islice(rows, MAX_ROWS):
        yield each
        device_count += each.device is not None
        if device_count == MAX_IN_BULK:
            return


def _with_keys(row: ImportRow) -> ImportRow:
    """The row with new keys for a device that is to have some and brings none."""
    if row.device is None or row.device.identity.sign_in is not SignIn.SAS or row.device.identity.primary_key:
        return row
    identity = replace(row.device.identity, primary_key=new_key(), secondary_key=new_key())
    return replace(row, device=replace(row.device, identity=identity))


def _result(row: ImportRow, failure: BulkFailure | None, existing: RowResult | None) -> RowResult:
    if row.fault is not None:
        return _of(row, RowStatus.FAILED, row.fault)
    if existing is not None:
        return existing
    if failure is not None:
        return _of(row, RowStatus.FAILED, RowFault(code=failure.code, text=failure.reason))
    return _of(row, RowStatus.CREATED)


def _of(row: ImportRow, status: RowStatus, fault: RowFault | None = None) -> RowResult:
    return RowResult(line=row.line, device_id=row.device_id, status=status, fault=fault)
