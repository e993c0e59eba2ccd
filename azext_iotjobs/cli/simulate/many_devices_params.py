"""Options of `az iot device simulate` for more devices than one.

They are extras: the fields of SimulateOptions in `options.py` have their names.
"""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.input.options import Group, extra
from azext_iotjobs.cli.input.shared_params import TAG_FORMS, device_ids, exclude

ON_DEVICES = "Many Devices"  # headings in the help
ON_MONITORING = "Monitoring"
ON_CLUSTER = "Several Machines"


WHICH_DEVICES: Group = (
    extra(
        "our_query_condition",
        "--query-condition -q",
        "Simulate the devices that a condition matches now, such as \"tags.site = 'north'\"; '*' is all.",
        group=ON_DEVICES,
    ),
    *device_ids(ON_DEVICES),
    extra(
        "devices_file",
        "--devices-file",
        "File of devices: an id or a device's connection string in each line, a table with a deviceId or "
        "connectionString column, JSON or JSON lines. - is standard input.",
        group=ON_DEVICES,
    ),
    *exclude(ON_DEVICES),
    extra(
        "max_devices",
        "--max-devices",
        "Refuse to simulate more devices than this. `az config set iotjobs.max_devices` sets a limit for all commands.",
        group=ON_DEVICES,
        type=int,
    ),
    extra(
        "dry_run",
        "--dry-run",
        "Show which devices would be simulated and what prevents it; change nothing.",
        group=ON_DEVICES,
        action="store_true",
    ),
    extra(
        "prefix",
        "--prefix",
        "Prefix of numbered device ids: with --prefix pump- --count 100 they are pump-001 to pump-100.",
        group=ON_DEVICES,
    ),
    extra("count", "--count", "Number of devices with --prefix.", group=ON_DEVICES, type=int),
    extra(
        "create",
        "--create",
        "Register those of --prefix and --count that are missing, with the tag simulated: true.",
        group=ON_DEVICES,
        action="store_true",
    ),
    extra(
        "our_tags",
        "--tags",
        f"With --create: further tags of the devices that are registered: {TAG_FORMS}.",
        group=ON_DEVICES,
        nargs="+",
    ),
    extra(
        "delete_after",
        "--delete-after",
        "At the end, remove the devices that --create has registered in this run, and no others.",
        group=ON_DEVICES,
        action="store_true",
    ),
    extra(
        "clean_up",
        "--clean-up",
        "Simulate nothing; remove the devices that runs with --delete-after have left on this hub because they were "
        "killed. With the name of a run, as its result shows it: remove all devices that the run registered.",
        group=ON_DEVICES,
        nargs="?",
        const="",
    ),
    extra(
        "take_over",
        "--take-over",
        "Also simulate devices that are connected, or that do not have the tag simulated: true.",
        group=ON_DEVICES,
        action="store_true",
    ),
    extra(
        "detach",
        "--detach",
        "Go on in the background once all devices are connected: on a local hub until that ends, elsewhere as --until "
        "and --expect say.",
        group=ON_DEVICES,
        action="store_true",
    ),
    extra(
        "ramp",
        "--ramp",
        "How many connections to begin in a second, such as 50/s or 600/m: at the start, after an outage of the hub, "
        "and for new tokens. Default: 200/s.",
        group=ON_DEVICES,
    ),
    extra(
        "shard",
        "--shard",
        "The part of the devices that this machine simulates: 2/5 is the second of five. Only a device's id "
        "decides to which part it belongs. For --merge, all need the same --seed.",
        group=ON_DEVICES,
    ),
)


CLUSTER: Group = (
    extra(
        "merge",
        "--merge",
        "Simulate nothing; make one result, and one exit code, of what the shards of a simulation have printed: files, "
        "or - for standard input. The logs of pods do, too. All need the same --seed.",
        group=ON_CLUSTER,
        nargs="+",
    ),
    extra(
        "export",
        "--export",
        "Simulate nothing; print a manifest of an indexed Job whose pods each simulate a shard of the devices.",
        group=ON_CLUSTER,
        arg_type=get_enum_type(["kubernetes"]),
    ),
    extra(
        "image",
        "--image",
        "With --export, which needs it, as no image is published: the image that pods run, with az and this extension.",
        group=ON_CLUSTER,
    ),
    extra(
        "shards",
        "--shards",
        "With --export: number of pods. Default: one for each 10000 devices.",
        group=ON_CLUSTER,
        type=int,
    ),
    extra("job_name", "--job-name", "With --export: name of the Job. Default: simulation.", group=ON_CLUSTER),
    extra(
        "secret_name",
        "--secret-name",
        "With --export: name of the secret with the hub's connection string, which is in no manifest. Default: "
        "iotjobs-hub.",
        group=ON_CLUSTER,
    ),
)


CERTIFICATES: Group = (
    extra(
        "issue_from_ca",
        "--issue-from-ca",
        "PEM file of a test CA: devices that sign in by certificate get one from it for this run. With "
        "--create, devices are registered so.",
        group=ON_DEVICES,
    ),
    extra(
        "ca_key",
        "--ca-key",
        "PEM file of that CA's private key. Default: the CA's file holds it too.",
        group=ON_DEVICES,
    ),
)


MONITORING: Group = (
    extra(
        "until",
        "--until",
        "When to end: 60s, 5m, '1000 messages' (acknowledged ones), '1000 methods' (answered calls), 'all "
        "methods' (each device has answered one), a claim as for --expect such as 'method reboot on all', or "
        "forever. Repeatable: the first that holds ends the run. Default: forever, or, with --expect, until "
        "all expectations are decided.",
        group=ON_MONITORING,
        action="append",
    ),
    extra(
        "expect",
        "--expect",
        "What has to happen; otherwise the exit code is 4: CLAIM on all|NUMBER|PERCENT% [within DURATION]. "
        "CLAIM: `connected`, `method NAME` (answered; * is any), `message` (received), `telemetry` "
        "(acknowledged), `twin desired.PATH = VALUE`, `twin reported.PATH = VALUE`. Durations count from the "
        "start of the run. Repeatable.",
        group=ON_MONITORING,
        action="append",
    ),
    extra(
        "events",
        "--events",
        "File for what each device receives and does, as JSON lines, as it happens.",
        group=ON_MONITORING,
    ),
    extra(
        "report",
        "--report",
        "With --expect: file for a report with a test case for each expectation. The ending of its name says what it "
        "is: .xml JUnit, .md or .markdown Markdown, .html or .htm a page. Repeatable.",
        group=ON_MONITORING,
        action="append",
    ),
    extra(
        "overwrite",
        "--overwrite",
        "With --events and --report: replace existing files.",
        group=ON_MONITORING,
        action="store_true",
    ),
    extra(
        "metrics_port",
        "--metrics-port",
        "Serve metrics for Prometheus at http://127.0.0.1:PORT/metrics; 0 is any free port, printed on stderr.",
        group=ON_MONITORING,
        type=int,
    ),
    extra(
        "metrics_bind",
        "--metrics-bind",
        "With --metrics-port: listen on this address of the machine instead of 127.0.0.1. Whoever can reach it "
        "can read the metrics.",
        group=ON_MONITORING,
    ),
)
