"""Options of the gates between the batches of a fleet job: extras, as the fields of GateOptions are called."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.input.options import Group, extra

ON_GATES = "Gates"  # the heading in the help

GATES: Group = (
    extra(
        "gate_success",
        "--gate-success",
        "Percent of a batch's devices that must have completed, such as 95%, before the next batch begins; if fewer "
        "have, the run is stopped. A number is percent, too. `none` removes it.",
        group=ON_GATES,
    ),
    extra(
        "bake",
        "--bake",
        "Time to wait after a batch, such as 30m, at most 30d; its other gates come after it. With --verify, devices "
        "that do not meet the condition any more by then have failed. Alone it needs --verify. `none` removes it.",
        group=ON_GATES,
    ),
    extra(
        "gate",
        "--gate",
        "With manual, each batch but the last waits until somebody approves it: `fleet-job approve`, or `reject`.",
        group=ON_GATES,
        arg_type=get_enum_type(["manual", "none"]),
    ),
    extra(
        "gate_query",
        "--gate-query",
        'The WHERE part of a twin query, for example "properties.reported.errors > 0": how many devices of the hub '
        "it matches after a batch must be within the bounds given. `none` removes it.",
        group=ON_GATES,
    ),
    extra(
        "gate_query_max",
        "--gate-query-max",
        "How many it may match at most: a number, or a percentage of the hub's devices such as 1%. `none` removes it.",
        group=ON_GATES,
    ),
    extra(
        "gate_query_min",
        "--gate-query-min",
        "How many it must match at least, in the same way. `none` removes it.",
        group=ON_GATES,
    ),
    extra(
        "gate_command",
        "--gate-command",
        "A program with its arguments that is run after a batch, without a shell. Exit code 0: the next batch begins, "
        "1: the run is stopped, any other: the run is stopped as inconclusive. Its last line of output is the reason. "
        "Give a whole path where a schedule starts the runs. `none` removes it.",
        group=ON_GATES,
    ),
    extra(
        "gate_command_timeout",
        "--gate-command-timeout",
        "How long it may take, 1s to 24h; then it is ended, which is inconclusive. Default: 5m.",
        group=ON_GATES,
    ),
    extra(
        "gate_command_shell",
        "--gate-command-shell",
        "Have a shell run --gate-command, with pipes and variables.",
        group=ON_GATES,
        arg_type=get_three_state_flag(),
    ),
)
