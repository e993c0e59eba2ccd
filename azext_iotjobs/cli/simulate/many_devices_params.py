"""Options of `az iot device simulate` for more devices than one.

They are extra arguments: az gives them to the handler as keywords, where `cli/simulate/options.py` has their names.
"""

from azext_iotjobs.cli.input.shared_params import JSON_FORMS, Context

MEMBERS = "Fleet"
SIGHT = "Verdict and Sight"


def members(c: Context) -> None:
    """Which devices."""
    c.extra("condition", options_list=["--query-condition", "-q"], arg_group=MEMBERS,
            help="The devices that a condition matches now, such as \"tags.site = 'north'\"; '*' is all.")  # fmt: skip
    c.extra("named_devices", options_list=["--device-ids"], arg_group=MEMBERS,
            help="Ids with commas between them; one that holds a comma stands in double quotes.")  # fmt: skip
    c.extra("devices_path", options_list=["--devices-file"], arg_group=MEMBERS,
            help="File of devices: an id or a device's connection string in each line, a table with a deviceId or "
                 "connectionString column, JSON or JSON lines. - is standard input.")  # fmt: skip
    c.extra("left_out", options_list=["--exclude"], arg_group=MEMBERS,
            help="Ids to leave out, with commas between them; one that holds a comma stands in double "
                 "quotes.")  # fmt: skip
    c.extra("devices_at_most", options_list=["--max-devices"], type=int, arg_group=MEMBERS,
            help="Refuse when more devices are meant. iotjobs.max_devices of az config keeps a limit.")  # fmt: skip
    c.extra("only_plans", options_list=["--dry-run"], action="store_true", arg_group=MEMBERS,
            help="Show which devices are meant and what is in the way; change nothing.")  # fmt: skip
    c.extra("id_prefix", options_list=["--prefix"], arg_group=MEMBERS,
            help="What the ids of the devices begin with; --count says how many there are: with --prefix pump- "
                 "--count 100 they are pump-001 to pump-100.")  # fmt: skip
    c.extra("fleet_size", options_list=["--count"], type=int, arg_group=MEMBERS,
            help="How many devices --prefix means.")  # fmt: skip
    c.extra("creates", options_list=["--create"], action="store_true", arg_group=MEMBERS,
            help="Register those of --prefix and --count that are not there, with the tag "
                 "simulated: true.")  # fmt: skip
    c.extra("tags_json", options_list=["--tags"], nargs="+", arg_group=MEMBERS,
            help=f"With --create: tags of the devices that are made, beside those: {JSON_FORMS}.")  # fmt: skip
    c.extra("deletes_after", options_list=["--delete-after"], action="store_true", arg_group=MEMBERS,
            help="At the end, remove the devices that --create has registered in this run, and no others.")  # fmt: skip
    c.extra("cleans_up", options_list=["--clean-up"], nargs="?", const="", arg_group=MEMBERS,
            help="Simulate nothing; remove what runs with --delete-after have left on this hub because they were "
                 "killed. With a run's name, as a result has it: what that run made in any case.")  # fmt: skip
    c.extra("takes_over", options_list=["--take-over"], action="store_true", arg_group=MEMBERS,
            help="Also simulate devices that are connected, or that nobody has marked with the tag simulated: "
                 "true.")  # fmt: skip
    c.extra("ramp", options_list=["--ramp"], arg_group=MEMBERS,
            help="How many connections begin in a second, such as 50/s or 600/m: at the start, when the hub comes "
                 "back, and for new tokens. Default: 200/s.")  # fmt: skip
    c.extra("shard", options_list=["--shard"], arg_group=MEMBERS,
            help="The part of the fleet that this machine simulates: 2/5 is the second of five. A device's id alone "
                 "decides in which part it is.")  # fmt: skip


def sign_in(c: Context) -> None:
    """How the devices sign in, where it is not by key."""
    c.extra("ca_path", options_list=["--issue-from-ca"], arg_group=MEMBERS,
            help="PEM file of a test CA: devices that sign in by certificate get one from it for this run. With "
                 "--create, devices are registered so.")  # fmt: skip
    c.extra("ca_key_path", options_list=["--ca-key"], arg_group=MEMBERS,
            help="PEM file of that CA's private key. Default: the CA's file holds it too.")  # fmt: skip


def sight(c: Context) -> None:
    """When the run ends, what is expected of it, and what is seen of it."""
    c.extra("until", options_list=["--until"], action="append", arg_group=SIGHT,
            help="When to end: 60s, 5m, '1000 messages' (acknowledged ones), '1000 methods' (answered calls), 'all "
                 "methods' (each device has answered one), a claim as for --expect such as 'method reboot on all', or "
                 "forever. Repeatable: the first that holds ends the run. Default: forever, or, with --expect, until "
                 "all is decided.")  # fmt: skip
    c.extra("expected", options_list=["--expect"], action="append", arg_group=SIGHT,
            help="What has to come true, else the exit code is 4: CLAIM on all|NUMBER|PERCENT% [within DURATION]. "
                 "CLAIM: `connected`, `method NAME` (answered; * is any), `message` (received), `telemetry` "
                 "(acknowledged), `twin desired.PATH = VALUE`, `twin reported.PATH = VALUE`. Durations count from the "
                 "start of the run. Repeatable.")  # fmt: skip
    c.extra("events_path", options_list=["--events"], arg_group=SIGHT,
            help="File for what each device sees and does, as JSON lines, as it happens.")  # fmt: skip
    c.extra("overwrites_events", options_list=["--overwrite"], action="store_true", arg_group=SIGHT,
            help="With --events: replace a file that is there.")  # fmt: skip
    c.extra("metrics_port", options_list=["--metrics-port"], type=int, arg_group=SIGHT,
            help="Serve metrics for Prometheus at http://127.0.0.1:PORT/metrics; 0 is any free port, which is said on "
                 "stderr.")  # fmt: skip
    c.extra("metrics_address", options_list=["--metrics-bind"], arg_group=SIGHT,
            help="With --metrics-port: listen on this address of the machine instead of 127.0.0.1. Who can reach it "
                 "reads the metrics.")  # fmt: skip
