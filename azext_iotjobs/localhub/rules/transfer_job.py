"""Rules of import and export jobs, which transfer the registry from and to containers. Pure.

    enqueued -> running -> completed | failed
    enqueued or running, when it is cancelled -> cancelled
One job may be live at a time. A job that ran when the hub ended goes on: an export from its beginning, as nothing is
seen of it before its end; an import behind the last line that was applied, if its input is the same as before.
Source: IoT Hub devguide "import and export IoT Hub device identities in bulk"; observed answers of live hubs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.rules.blob_names import is_blob_name

DEVICES_BLOB, CONFIGURATIONS_BLOB = "devices.txt", "configurations.txt"
ERRORS_BLOB = "importErrors.log"
KEYLESS_NOTE = "Keys are not in this file: the export was made with excludeKeysInExport."  # its first line
MAX_LINE_BYTES = 256 * 1024  # a device with a full twin is below a third of it


class TransferKind(Enum):
    """What a job does; the value is the service's."""

    IMPORT = "import"
    EXPORT = "export"


class TransferStatus(Enum):
    """The state of a job; the value is the service's."""

    ENQUEUED = "enqueued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE = (TransferStatus.ENQUEUED, TransferStatus.RUNNING)


@dataclass(frozen=True, kw_only=True)
class TransferSpec:
    """A job from its request, checked; containers are the hub's own."""

    kind: TransferKind
    input_container: str | None  # of an import
    output_container: str
    input_blob: str = DEVICES_BLOB
    output_blob: str = DEVICES_BLOB
    excludes_keys: bool = False
    configurations_blob: str | None = None  # None: configurations are not transferred

    def __post_init__(self) -> None:
        names = (self.input_blob, self.output_blob, self.configurations_blob or CONFIGURATIONS_BLOB)
        if not all(is_blob_name(each) for each in names):
            raise HubError(ARGUMENT_INVALID, "A name of a blob is too long, or has a control character.")

    def stored(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "kind": self.kind.value}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "TransferSpec":
        """What `stored` gave. Raises ValueError, TypeError, LookupError."""
        return cls(**{**stored, "kind": TransferKind(stored["kind"])})


def kind_named(word: object) -> TransferKind:
    """The kind that a request names. Raises HubError 400."""
    for kind in TransferKind:
        if isinstance(word, str) and word.lower() == kind.value:
            return kind
    raise HubError(ARGUMENT_INVALID, "type must be import or export.")


def progress_percent(done: int, total: int) -> int:
    """0 to 99: a job has 100 when it is completed."""
    return min(99, 100 * done // total) if total > 0 else 0
