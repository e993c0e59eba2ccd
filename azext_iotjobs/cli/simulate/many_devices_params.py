"""Options of `az iot device simulate` for more devices than one.

They are extra arguments: az gives them to the handler as keywords, where `cli/simulate/options.py` has their names.
"""

from azext_iotjobs.cli.input.options import Group, extra
from azext_iotjobs.cli.input.shared_params import ID_LIST, JSON_FORMS

ON_MEMBERS = "Fleet"  # headings in the help
ON_SIGHT = "Verdict and Sight"


MEMBERS: Group = (
    extra(
        "condition",
        "--query-condition -q",
        "The devices that a condition matches now, such as \"tags.site = 'north'\"; '*' is all.",
        group=ON_MEMBERS,
    ),
    extra(
        "named_devices",
        "--device-ids",
        f"Ids {ID_LIST}",
        group=ON_MEMBERS,
    ),
    extra(
        "devices_path",
        "--devices-file",
        "File of devices: an id or a device's connection string in each line, a table with a deviceId or "
        "connectionString column, JSON or JSON lines. - is standard input.",
        group=ON_MEMBERS,
    ),
    extra(
        "left_out",
        "--exclude",
        f"Ids to leave out, {ID_LIST}",
        group=ON_MEMBERS,
    ),
    extra(
        "devices_at_most",
        "--max-devices",
        "Refuse when more devices are meant. iotjobs.max_devices of az config keeps a limit.",
        group=ON_MEMBERS,
        type=int,
    ),
    extra(
        "only_plans",
        "--dry-run",
        "Show which devices are meant and what is in the way; change nothing.",
        group=ON_MEMBERS,
        action="store_true",
    ),
    extra(
        "id_prefix",
        "--prefix",
        "What the ids of the devices begin with; --count says how many there are: with --prefix pump- "
        "--count 100 they are pump-001 to pump-100.",
        group=ON_MEMBERS,
    ),
    extra("fleet_size", "--count", "How many devices --prefix means.", group=ON_MEMBERS, type=int),
    extra(
        "creates",
        "--create",
        "Register those of --prefix and --count that are not there, with the tag simulated: true.",
        group=ON_MEMBERS,
        action="store_true",
    ),
    extra(
        "tags_json",
        "--tags",
        f"With --create: tags of the devices that are made, beside those: {JSON_FORMS}.",
        group=ON_MEMBERS,
        nargs="+",
    ),
    extra(
        "deletes_after",
        "--delete-after",
        "At the end, remove the devices that --create has registered in this run, and no others.",
        group=ON_MEMBERS,
        action="store_true",
    ),
    extra(
        "cleans_up",
        "--clean-up",
        "Simulate nothing; remove what runs with --delete-after have left on this hub because they were "
        "killed. With a run's name, as a result has it: what that run made in any case.",
        group=ON_MEMBERS,
        nargs="?",
        const="",
    ),
    extra(
        "takes_over",
        "--take-over",
        "Also simulate devices that are connected, or that nobody has marked with the tag simulated: true.",
        group=ON_MEMBERS,
        action="store_true",
    ),
    extra(
        "ramp",
        "--ramp",
        "How many connections begin in a second, such as 50/s or 600/m: at the start, when the hub comes "
        "back, and for new tokens. Default: 200/s.",
        group=ON_MEMBERS,
    ),
    extra(
        "shard",
        "--shard",
        "The part of the fleet that this machine simulates: 2/5 is the second of five. A device's id alone "
        "decides in which part it is.",
        group=ON_MEMBERS,
    ),
)


SIGN_IN: Group = (
    extra(
        "ca_path",
        "--issue-from-ca",
        "PEM file of a test CA: devices that sign in by certificate get one from it for this run. With "
        "--create, devices are registered so.",
        group=ON_MEMBERS,
    ),
    extra(
        "ca_key_path",
        "--ca-key",
        "PEM file of that CA's private key. Default: the CA's file holds it too.",
        group=ON_MEMBERS,
    ),
)


SIGHT: Group = (
    extra(
        "until",
        "--until",
        "When to end: 60s, 5m, '1000 messages' (acknowledged ones), '1000 methods' (answered calls), 'all "
        "methods' (each device has answered one), a claim as for --expect such as 'method reboot on all', or "
        "forever. Repeatable: the first that holds ends the run. Default: forever, or, with --expect, until "
        "all is decided.",
        group=ON_SIGHT,
        action="append",
    ),
    extra(
        "expected",
        "--expect",
        "What has to come true, else the exit code is 4: CLAIM on all|NUMBER|PERCENT% [within DURATION]. "
        "CLAIM: `connected`, `method NAME` (answered; * is any), `message` (received), `telemetry` "
        "(acknowledged), `twin desired.PATH = VALUE`, `twin reported.PATH = VALUE`. Durations count from the "
        "start of the run. Repeatable.",
        group=ON_SIGHT,
        action="append",
    ),
    extra(
        "events_path",
        "--events",
        "File for what each device sees and does, as JSON lines, as it happens.",
        group=ON_SIGHT,
    ),
    extra(
        "overwrites_events",
        "--overwrite",
        "With --events: replace a file that is there.",
        group=ON_SIGHT,
        action="store_true",
    ),
    extra(
        "metrics_port",
        "--metrics-port",
        "Serve metrics for Prometheus at http://127.0.0.1:PORT/metrics; 0 is any free port, which is said on stderr.",
        group=ON_SIGHT,
        type=int,
    ),
    extra(
        "metrics_address",
        "--metrics-bind",
        "With --metrics-port: listen on this address of the machine instead of 127.0.0.1. Who can reach it "
        "reads the metrics.",
        group=ON_SIGHT,
    ),
)
