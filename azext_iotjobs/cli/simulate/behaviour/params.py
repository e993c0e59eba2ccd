"""Options that say how simulated devices behave.

They are extra arguments: az gives them to the handler as keywords; `options.py` beside this file has their names.
"""

from azext_iotjobs.cli.input.options import Group, extra

GROUP = "Behaviour"


BEHAVIOUR: Group = (
    extra(
        "ready_mades",
        "--behaviour",
        "Ready-made behaviour: reboot, lock-door or firmware-update. Repeatable.",
        group=GROUP,
        action="append",
    ),
    extra(
        "rules_path",
        "--behaviour-file --bf",
        "YAML file with rules for methods, the twin, telemetry and presence, and with groups of devices: "
        "docs/simulator.md describes it. - is standard input.",
        group=GROUP,
    ),
    extra(
        "method_rules",
        "--method",
        "How a method is answered: NAME=STATUS or NAME=STATUS:JSON; * is every method that has no rule. The "
        "JSON may hold ${device}, ${request.member}, ${random.int(1, 6)} and the like. "
        "Repeatable.",
        group=GROUP,
        action="append",
    ),
    extra(
        "method_delay",
        "--method-delay",
        "How long each method takes: seconds such as 0.5, 500ms, or a range such as 0.1-2.",
        group=GROUP,
    ),
    extra(
        "failure_share",
        "--failure-rate",
        "Share of method calls that fail, with status 500 if their rule says nothing else: 0.1 or 10%.",
        group=GROUP,
    ),
    extra(
        "offline_share",
        "--offline-rate",
        "Share of a fleet's devices that never connect: 0.05 or 5%. Each device throws for itself.",
        group=GROUP,
    ),
    extra(
        "chance_seed",
        "--seed",
        "Any text: the same one gives the same groups, delays, failures and values again. Default: another "
        "one each time; a fleet's result has it.",
        group=GROUP,
    ),
)
