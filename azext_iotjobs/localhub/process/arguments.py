"""The arguments of iotjobs-local-hub, as argparse reads them."""

import argparse
import sys
from pathlib import Path

from azext_iotjobs.localhub.process.log import LEVELS
from azext_iotjobs.localhub.rules.host_names import DEFAULT_BIND
from azext_iotjobs.localhub.rules.quota import Sku

SCRIPT = "iotjobs-local-hub"  # as pyproject.toml names it


def make_parser() -> argparse.ArgumentParser:
    """What reads the arguments of a hub; their values are checked by `LocalHubConfig`."""
    parser = argparse.ArgumentParser(
        prog=SCRIPT if Path(sys.argv[0]).stem == SCRIPT else "python -m azext_iotjobs.localhub",
        description="A local IoT Hub. Once it serves clients it prints one line of JSON: its name, its ports, a "
        "connection string and its CA. Ctrl-C or SIGTERM ends it.",
        epilog="exec [OPTIONS] -- COMMAND runs a command with a hub of its own, whose exit code it gives.",
    )
    _add_addresses(parser)
    _add_files(parser)
    _add_limits(parser)
    _add_events(parser)
    _add_process(parser)
    return parser


def _add_addresses(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--https-port", type=int, default=8443, help="HTTPS, WebSocket; 0: any free one; default: 8443")
    parser.add_argument("--mqtt-port", type=int, default=8883, help="MQTT; 0: any free one; default: 8883")
    parser.add_argument("--amqp-port", type=int, help="default: 5671, or any free one where that is taken")
    parser.add_argument("--amqp-plain-port", type=int, help="AMQP without TLS; default: none")
    parser.add_argument(
        "--bind", default=DEFAULT_BIND, help="loopback address 127.0.0.N; with --dns-name any of this machine, 0.0.0.0"
    )
    parser.add_argument(
        "--dns-name",
        dest="dns_names",
        action="append",
        default=[],
        metavar="NAME",
        help="another name of the hub, which its certificate has too, such as a service's in Compose; repeatable",
    )


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir", type=Path, help="folder of its devices, twins, jobs and keys; default: in memory, with new keys"
    )
    parser.add_argument(
        "--upload-folder",
        type=Path,
        help="folder that stands for a storage account: uploaded files, exports; default: in the data folder",
    )
    parser.add_argument("--state-dir", type=Path, help="folder of the state file, which tells that this hub runs")
    parser.add_argument(
        "--ready-file",
        type=Path,
        help="file that is there while clients are served, with what is printed then: names, ports, connection strings",
    )
    parser.add_argument(
        "--seed",
        type=Path,
        metavar="FILE",
        help="YAML or JSON: devices, modules, twins, CA certificates and configurations to begin with",
    )
    parser.add_argument(
        "--ca-file",
        type=Path,
        help="where to write a copy of the CA's certificate that everyone may read; it stays there",
    )
    parser.add_argument("--in-memory", action="store_true", help="store nothing but keys in the data folder")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sku",
        choices=[each.value for each in Sku],
        default=Sku.UNLIMITED.value,
        help="tier whose quotas apply; default: none",
    )
    parser.add_argument("--units", type=int, default=1, help="units of the tier")
    parser.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        help="how many seconds of the hub's clock pass in one second: above 1 jobs, messages, quotas and all that "
        "waits for a time are faster; for tests and benchmarks",
    )
    parser.add_argument(
        "--max-active-jobs", type=int, help="jobs that may be active at once; default: as the tier allows"
    )


def _add_events(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep-events",
        type=int,
        nargs="?",
        const=1,
        metavar="DAYS",
        help="store on disk what devices send, for 1 to 7 days; default of DAYS: 1",
    )
    parser.add_argument("--partitions", type=int, help="of events, 2 to 32; default: 4")
    parser.add_argument(
        "--consumer-groups", nargs="+", default=[], metavar="NAME", help="consumer groups of events beside $Default"
    )


def _add_process(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--end-with-stdin",
        action="store_true",
        help="stop when standard input ends, as with the parent process",
    )
    parser.add_argument("--log-file", type=Path, help="log file; default: log to stderr only")
    parser.add_argument("--log-level", choices=list(LEVELS), default="warning", help="default: warning")
    parser.add_argument("--verbose", action="store_true", help="the same as --log-level debug")
    parser.add_argument(
        "--detached",
        action="store_true",
        help="close stderr once the hub is ready, for a program that starts it and then ends; it does not go into the "
        "background by itself",
    )
