"""Options that say how simulated devices behave.

They are extra arguments: az gives them to the handler as keywords; `options.py` beside this file has their names.
"""

from azext_iotjobs.cli.input.shared_params import Context

GROUP = "Behaviour"


def behaviour(c: Context) -> None:
    """How devices answer, fail, lag and vanish."""
    c.extra("ready_mades", options_list=["--behaviour"], action="append", arg_group=GROUP,
            help="Ready-made behaviour: reboot, lock-door or firmware-update. Repeatable.")  # fmt: skip
    c.extra("rules_path", options_list=["--behaviour-file", "--bf"], arg_group=GROUP,
            help="YAML file with rules for methods, the twin, telemetry and presence, and with groups of devices: "
                 "docs/simulator.md describes it. - is standard input.")  # fmt: skip
    c.extra("method_rules", options_list=["--method"], action="append", arg_group=GROUP,
            help="How a method is answered: NAME=STATUS or NAME=STATUS:JSON; * is every method that has no rule. The "
                 "JSON may hold ${device}, ${request.member}, ${random.int(1, 6)} and the like. "
                 "Repeatable.")  # fmt: skip
    c.extra("method_delay", options_list=["--method-delay"], arg_group=GROUP,
            help="How long each method takes: seconds such as 0.5, 500ms, or a range such as 0.1-2.")  # fmt: skip
    c.extra("failure_share", options_list=["--failure-rate"], arg_group=GROUP,
            help="Share of method calls that fail, with status 500 if their rule says nothing else: 0.1 or "
                 "10%.")  # fmt: skip
    c.extra("offline_share", options_list=["--offline-rate"], arg_group=GROUP,
            help="Share of a fleet's devices that never connect: 0.05 or 5%. Each device throws for "
                 "itself.")  # fmt: skip
    c.extra("chance_seed", options_list=["--seed"], arg_group=GROUP,
            help="Any text: the same one gives the same groups, delays, failures and values again. Default: another "
                 "one each time; a fleet's result has it.")  # fmt: skip
