"""What the result of a shard has beside that of a simulation, so that `--merge` can make one of several.

    "shard": {"format": 1, "number": 2, "total": 5, "run": …, "options": {…}, "answers": {…}}

`options` is what all shards of a simulation have in common, as typed; of files, and of long texts, a digest. `answers`
is the histogram of how long answers took: percentiles cannot be merged, counts of buckets can.
"""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from azext_iotjobs.cli.input.scalars import bytes_of_file
from azext_iotjobs.cli.input.stdin import MARK
from azext_iotjobs.cli.simulate.typed_options import TypedOptions
from azext_iotjobs.model.simulated_devices import Shard
from azext_iotjobs.simulator.histogram import Histogram

FORMAT = 1
RUN_VARIABLE = "IOTJOBS_SIMULATION_RUN"  # in the environment: the run that this shard is part of, any text
MAX_TEXT = 200  # characters of a value; of a longer one there is a digest
FILES = ("--devices-file", "--behaviour-file")
# What each shard may have of its own, or is elsewhere in the result: it changes nothing of what the devices do.
OWN = frozenset(
    "--shard --max-devices --dry-run --take-over --detach --ramp --events --report --overwrite --metrics-port "
    "--metrics-bind --ca-key --issue-from-ca --seed --symmetric-key --certificate-file-path --key-file-path "
    "--passphrase --websocket".split()
)

Options = Mapping[str, Any]


def options_of(typed: TypedOptions) -> Options:
    """What was typed that all shards have in common, by option. Raises BadValue for a file that cannot be read."""
    found = typed.by_option()
    return {option: _recorded(option, found[option]) for option in sorted(found) if option not in OWN}


def _recorded(option: str, value: Any) -> Any:
    if option in FILES:
        return MARK if value == MARK else _digest(bytes_of_file(value, option))
    if isinstance(value, list | tuple):
        return [_recorded("", each) for each in value]
    if isinstance(value, bool | int):
        return value
    text = str(value)
    return text if len(text) <= MAX_TEXT else _digest(text.encode(errors="surrogatepass"))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def record(shard: Shard, options: Options, latency: Histogram) -> dict[str, Any]:
    """The member `shard` of a result. options: as `options_of` gives them.  latency: of answers."""
    return {
        "format": FORMAT,
        "number": shard.number,
        "total": shard.total,
        "run": os.environ.get(RUN_VARIABLE) or None,
        "options": dict(options),
        "answers": {
            "sumSeconds": latency.sum_s,
            "maxSeconds": latency.max_s,
            "buckets": {str(bucket): count for bucket, count in latency.buckets.items()},
        },
    }
