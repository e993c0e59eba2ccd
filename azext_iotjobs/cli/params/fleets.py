"""Options of `az iot device simulate` for more devices than one.

They are extra arguments: az gives them to the handler as keywords, where `cli/fleet_options.py` has their names.
"""

from azext_iotjobs.cli.params.shared import Context

MEMBERS = "Fleet"


def members(c: Context) -> None:
    """Which devices."""
    c.extra("condition", options_list=["--query-condition", "-q"], arg_group=MEMBERS,
            help="The devices that a condition matches now, such as \"tags.site = 'north'\"; '*' is all.")  # fmt: skip
    c.extra("named_devices", options_list=["--device-ids"], arg_group=MEMBERS,
            help="Ids with commas between them.")  # fmt: skip
    c.extra("devices_path", options_list=["--devices-file"], arg_group=MEMBERS,
            help="File of devices: an id or a device's connection string in each line, CSV with a deviceId or "
                 "connectionString column, JSON or JSON lines. - is standard input.")  # fmt: skip
    c.extra("left_out", options_list=["--exclude"], arg_group=MEMBERS,
            help="Ids to leave out, with commas between them.")  # fmt: skip
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
    c.extra("deletes_after", options_list=["--delete-after"], action="store_true", arg_group=MEMBERS,
            help="At the end, remove the devices that --create has registered in this run, and no others.")  # fmt: skip
    c.extra("cleans_up", options_list=["--clean-up"], nargs="?", const="", arg_group=MEMBERS,
            help="Simulate nothing; remove what runs with --delete-after have left on this hub because they were "
                 "killed. With a run's name, as a result has it: what that run made in any case.")  # fmt: skip
    c.extra("takes_over", options_list=["--take-over"], action="store_true", arg_group=MEMBERS,
            help="Also simulate devices that are connected, or that nobody has marked with the tag simulated: "
                 "true.")  # fmt: skip
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
