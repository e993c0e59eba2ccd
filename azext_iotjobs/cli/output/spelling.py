"""How the command line spells fields: as options.

The rule is two dashes and the field's words without its unit; what differs stands in a table.
"""

UNITS = ("_s", "_bytes", "_percent")
OPTIONS = {
    "connect_timeout_s": "--method-connect-timeout",
    "copy_from": "--from",
    "copy_to": "--to",
    "hub": "-n",
    "limit": "--top",
    "max_execution_s": "--ttl",
    "patch": "--twin-patch",
    "payload": "--method-payload",
    "response_timeout_s": "--method-response-timeout",
    "start_at": "--start-time",
    "timeout_s": "--poll-duration",
}
OF_CALLS = {"connect_timeout_s": "--connect-timeout", "response_timeout_s": "--timeout"}
# Where some commands spell a field otherwise, by how these begin.
OPTIONS_OF: dict[str, dict[str, str]] = {
    "iot hub invoke-": OF_CALLS,
    "iot hub fleet-job store copy": {
        "store_auth": "IOTJOBS_STORE_AUTH",  # how to sign in is configured there
        "store_password_file": "IOTJOBS_STORE_PASSWORD_FILE",
    },
    "iot hub fleet-job": {"limit": "--limit"},
}
# In commands to paste, as short as people type it.
SHORT = {
    "device_id": "-d",
    "fleet_job_id": "-j",
    "login": "-l",
    "module_id": "-m",
    "parent_device_id": "--pd",
    "query_command": "-q",
}
SHORT_OF: dict[str, dict[str, str]] = {"extension": {"name": "-n"}}


def option_of(field: str, command: str = "") -> str:
    """The option for a field, such as --poll-interval for poll_interval_s.

    command: whose option it is, its words without az; "": any one's.
    """
    return _in(OPTIONS_OF, command, field) or OPTIONS.get(field) or _by_rule(field)


def short_option_of(field: str, command: str) -> str:
    """The option for a field in a command to paste."""
    return _in(SHORT_OF, command, field) or SHORT.get(field) or option_of(field, command)


def _in(tables: dict[str, dict[str, str]], command: str, field: str) -> str | None:
    return next((table[field] for start, table in tables.items() if command.startswith(start) and field in table), None)


def _by_rule(field: str) -> str:
    for unit in UNITS:
        field = field.removesuffix(unit)
    return f"--{field.replace('_', '-')}"
