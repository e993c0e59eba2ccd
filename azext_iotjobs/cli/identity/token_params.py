"""Options of the commands that show or make what opens a hub."""

from azure.cli.core.commands.parameters import get_three_state_flag

from azext_iotjobs.cli.input.shared_params import Context, Options, auth_type, device, host_kind, hub, module, which_key


def _policy(c: Context) -> None:
    c.argument("policy", options_list=["--policy-name", "--pn"],
               help="Name of the shared access policy. With --login it is that string's own.")  # fmt: skip


def _hub_string(c: Context) -> None:
    c.argument("every_policy", options_list=["--show-all", "--all"], action="store_true",
               help="Those of all policies, as a list.")  # fmt: skip
    c.argument("for_event_hubs", options_list=["--default-eventhub", "--eh"], arg_type=get_three_state_flag(),
               help="That of the hub's Event Hubs endpoint, where devices' messages are read. A local hub has none: "
                    "see `az iot local-hub events`.")  # fmt: skip


def _token(c: Context) -> None:
    c.argument("token_life_s", options_list=["--duration", "--du"], type=int,
               help="Seconds that the token is valid, 1 or more.")  # fmt: skip
    c.argument("own_login", options_list=["--connection-string", "--cs"],
               help="Connection string of a hub, device or module to make the token with; no hub is asked. "
                    "`--cs @file` reads it from a file and keeps it out of the process list.")  # fmt: skip


OPTIONS: Options = {
    "iot hub connection-string show": (hub, _policy, which_key, _hub_string, host_kind),
    "iot hub generate-sas-token": (hub, auth_type, device, module, _policy, which_key, _token, host_kind),
}  # fmt: skip
