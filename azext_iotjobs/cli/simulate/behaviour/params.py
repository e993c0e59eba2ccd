"""Options that say how simulated devices behave.

They are extras: the fields of BehaviourOptions in `options.py` have their names.
"""

from azext_iotjobs.cli.input.options import Group, extra

GROUP = "Behaviour"


BEHAVIOUR: Group = (
    extra(
        "behaviour",
        "--behaviour",
        "Ready-made behaviour: reboot, lock-door or firmware-update. Repeatable.",
        group=GROUP,
        action="append",
    ),
    extra(
        "behaviour_file",
        "--behaviour-file --bf",
        "YAML file with rules for methods, the twin, telemetry and presence, and with groups of devices: "
        "docs/reference/behaviour-file.md describes it. - is standard input.",
        group=GROUP,
    ),
    extra(
        "method",
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
        "failure_rate",
        "--failure-rate",
        "Share of method calls that fail, with status 500 unless their rule has another: 0.1 or 10%.",
        group=GROUP,
    ),
    extra(
        "offline_rate",
        "--offline-rate",
        "Share of many devices that never connect: 0.05 or 5%. Chance decides for each device.",
        group=GROUP,
    ),
    extra(
        "seed",
        "--seed",
        "Any text: the same one gives the same groups, delays, failures and values again. Default: a new "
        "one each time, which the result of many devices shows.",
        group=GROUP,
    ),
)
