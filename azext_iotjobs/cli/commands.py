"""The command table: one row for each command says what carries it out, with which options, rights and table.

Strings only: az imports what a command needs when it is run. To add a command: a row here, and in its room a handler,
its options in `params.py`, its help in `help.py` and, if it has a table of its own, a view in `tables.py`.
"""

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from azure.cli.core.commands import CliCommandType

from azext_iotjobs.cli.errors import to_az_error
from azext_iotjobs.cli.hub_access.policy_rights import (
    ALL_RIGHTS,
    DEVICE_CONNECT,
    NO_RIGHTS,
    REGISTRY_READ,
    REGISTRY_READ_AND_SERVICE,
    REGISTRY_WRITE,
    REGISTRY_WRITE_AND_SERVICE,
    SERVICE_CONNECT,
    Rights,
)
from azext_iotjobs.cli.output.hints import note, typed_in

if TYPE_CHECKING:
    from azext_iotjobs.cli.input.options import Options
    from azext_iotjobs.cli.output.tables import View

# az's context, what was typed, rights -> the handler's client
ClientFactory = Callable[[Any, dict[str, Any], Rights], Any]


def reading(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The HubClient of a command that only looks; takes the hub arguments out of `command_args`."""
    from azext_iotjobs.cli.hub_access.resolve import open_client

    return open_client(cli_ctx, command_args, changes=False, needed=rights)


def changing(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The HubClient of a command that changes something: a hub that nobody typed is named on stderr."""
    from azext_iotjobs.cli.hub_access.resolve import open_client

    return open_client(cli_ctx, command_args, changes=True, needed=rights)


def simulating(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The HubClient of a simulation: many devices are looked for, made and signed in, which needs all rights."""
    needed = rights if command_args.get("our_device_id") is not None else ALL_RIGHTS
    return changing(cli_ctx, command_args, needed)


def exporting(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The HubClient of an export: keys are read from the registry."""
    return reading(cli_ctx, command_args, REGISTRY_READ_AND_SERVICE if command_args["our_include_keys"] else rights)


def messaging(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The AmqpAccess of a command that a service's messages are sent by, or come back to."""
    from azext_iotjobs.cli.hub_access.amqp_access import amqp_access

    return amqp_access(cli_ctx, command_args)


def watching_events(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The EventsAccess of a command that reads a hub's built-in endpoint."""
    from azext_iotjobs.cli.hub_access.amqp_access import events_access

    return events_access(cli_ctx, command_args)


def unresolved(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The UnresolvedHub of a command that may not need a hub; takes the hub arguments out of `command_args`."""
    from azext_iotjobs.cli.hub_access.policies import unresolved_hub

    return unresolved_hub(cli_ctx, command_args)


def changing_store(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The store of fleet jobs, and the hub arguments: handlers decide when a hub is needed."""
    from azext_iotjobs.cli.fleet_job.context import fleet_job_context
    from azext_iotjobs.fleet_job.store.contract import Access

    return fleet_job_context(cli_ctx, command_args, Access.CHANGE, rights)


def making_store(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The same; a store that is not there is made."""
    from azext_iotjobs.cli.fleet_job.context import fleet_job_context
    from azext_iotjobs.fleet_job.store.contract import Access

    return fleet_job_context(cli_ctx, command_args, Access.MAKE, rights)


def reading_store(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The same for a command that only looks: it makes nothing, and needs no right to write."""
    from azext_iotjobs.cli.fleet_job.context import fleet_job_context
    from azext_iotjobs.fleet_job.store.contract import Access

    return fleet_job_context(cli_ctx, command_args, Access.READ, rights)


class Command(NamedTuple):
    """A row of the table; `handler`, `options` and `view` are looked up in the command's room."""

    verb: str  # the words after those of its group
    handler: str  # module:function
    options: str  # name in params.py
    client: ClientFactory | None = None
    rights: Rights = NO_RIGHTS  # that a policy must have, where its key is chosen
    view: str | None = None  # name in tables.py, or of SHARED_VIEWS: what `-o table` shows; None: the general one


class CommandGroup(NamedTuple):
    """Commands that begin with the same words and live in the same room, a folder beside this file."""

    words: str
    room: str
    commands: tuple[Command, ...]


def _group(words: str, room: str, *commands: Command) -> CommandGroup:
    return CommandGroup(words, room, commands)


SHARED_VIEWS = ("device_rows", "twins", "whole")  # of several rooms: in output/tables.py

JOB = REGISTRY_WRITE_AND_SERVICE  # jobs are nowhere listed: see policy_rights

GROUPS = (
    _group(
        "iot hub job",
        "job",
        Command("create", "create:create", "CREATE", changing, JOB, "jobs"),
        Command("wait", "wait:wait", "WAIT", reading, JOB, "jobs"),
        Command("show", "read:show", "SHOW", reading, JOB, "jobs"),
        Command("list", "read:list_jobs", "LIST", reading, JOB, "jobs"),
        Command("cancel", "read:cancel", "CANCEL", changing, JOB, "jobs"),
        Command("results", "results:show_results", "RESULTS", reading, JOB, "device_rows"),
        Command("report", "report:report", "REPORT", reading, JOB),
        Command("rerun", "rerun:rerun", "RERUN", changing, JOB, "reruns"),
        Command("copy", "rerun:copy", "COPY", changing, JOB, "jobs"),
    ),
    _group(
        "iot hub fleet-job",
        "fleet_job",
        Command("create", "save:create", "CREATE", making_store, JOB, "created"),
        Command("apply", "apply:apply", "APPLY", making_store, JOB, "applied"),
        Command("copy", "save:copy", "COPY", changing_store, JOB, "fleet_jobs"),
        Command("update", "save:update", "UPDATE", changing_store, JOB, "fleet_jobs"),
        Command("show", "read:show", "SHOW", reading_store, JOB, "one"),
        Command("list", "read:list_fleet_jobs", "LIST", reading_store, JOB, "fleet_jobs"),
        Command("list-runs", "read:list_runs", "LIST_RUNS", reading_store, JOB, "runs"),
        Command("delete", "read:delete", "DELETE", changing_store, JOB),
        Command("run", "run:run", "RUN", changing_store, JOB, "runs"),
        Command("watch", "watch:watch", "WATCH", reading_store, JOB, "runs"),
        Command("resume", "run:resume", "RESUME", changing_store, JOB, "runs"),
        Command("rerun", "run:rerun", "RERUN", changing_store, JOB, "runs"),
        Command("approve", "answer:approve", "APPROVE", changing_store, JOB, "runs"),
        Command("reject", "answer:reject", "REJECT", changing_store, JOB, "runs"),
        Command("stop", "stop:stop", "STOP", changing_store, JOB, "runs"),
        Command("cancel", "stop:cancel", "CANCEL", changing_store, JOB, "runs"),
        Command("results", "results:show_results", "RESULTS", reading_store, JOB, "device_rows"),
        Command("report", "report:report", "REPORT", reading_store, JOB),
    ),
    _group(
        "iot hub fleet-job",
        "fleet_job.central",
        Command("import", "import_documents:import_documents", "IMPORT", making_store, JOB, "imported"),
    ),
    _group(
        "iot hub fleet-job group",
        "fleet_job",
        Command("create", "groups:create", "CREATE_GROUP", making_store, JOB),
        Command("show", "groups:show", "SHOW_GROUP", reading_store, JOB),
        Command("list", "groups:list_groups", "LIST_GROUP", reading_store, JOB),
        Command("update", "groups:update", "UPDATE_GROUP", changing_store, JOB),
        Command("delete", "groups:delete", "DELETE_GROUP", changing_store, JOB),
    ),
    _group(
        "iot hub fleet-job schedule",
        "fleet_job.schedule",
        Command("set", "save:set_schedule", "SET", changing_store, JOB, "one"),
        Command("show", "read:show", "SHOW", reading_store, JOB, "one"),
        Command("list", "read:list_schedules", "LIST", reading_store, JOB, "schedules"),
        Command("remove", "save:remove", "REMOVE", changing_store, JOB),
        Command("history", "read:history", "HISTORY", reading_store, JOB, "occurrences"),
        Command("run-due", "run:run_due", "RUN_DUE", changing_store, JOB, "happened"),
        Command("export", "export:export", "EXPORT", reading_store, JOB),
        Command("backfill", "run:run_past", "BACKFILL", changing_store, JOB, "happened"),
    ),
    _group(
        "iot hub",
        "method",
        Command("invoke-device-method", "invoke:invoke", "INVOKE_DEVICE", changing, SERVICE_CONNECT, "method_answers"),
        Command(
            "invoke-module-method", "invoke:invoke_module", "INVOKE_MODULE", changing, SERVICE_CONNECT, "method_answers"
        ),
    ),
    _group(
        "iot hub",
        "events",
        Command("monitor-events", "monitor:monitor_events", "MONITOR", watching_events, SERVICE_CONNECT),
    ),
    _group(
        "iot hub",
        "message",
        Command("monitor-feedback", "feedback:monitor_feedback", "FEEDBACK", messaging, SERVICE_CONNECT),
    ),
    _group("iot hub", "query", Command("query", "run:query", "RUN", reading, SERVICE_CONNECT, "query_rows")),
    _group(
        "iot hub",
        "identity",
        Command(
            "connection-string show",
            "tokens:show_connection_string",
            "SHOW_HUB_STRING",
            unresolved,
            ALL_RIGHTS,
            "whole",
        ),
        # A device's or module's own key is read from the registry.
        Command(
            "generate-sas-token", "tokens:generate_sas_token", "GENERATE_TOKEN", unresolved, REGISTRY_READ, "whole"
        ),
    ),
    _group(
        "iot hub device-identity",
        "identity",
        Command("create", "devices:create", "CREATE", changing, REGISTRY_WRITE, "identities"),
        Command("show", "devices:show", "SHOW", reading, REGISTRY_READ, "identities"),
        Command("list", "devices:list_identities", "LIST", reading, SERVICE_CONNECT, "identities"),
        Command("update", "devices:update", "UPDATE", changing, REGISTRY_WRITE, "identities"),
        Command("delete", "devices:delete", "DELETE", changing, REGISTRY_WRITE),
        Command("renew-key", "renew_keys:renew_devices", "RENEW_KEYS", changing, REGISTRY_WRITE_AND_SERVICE),
        Command(
            "connection-string show", "devices:show_connection_string", "SHOW_STRING", reading, REGISTRY_READ, "whole"
        ),
        Command("parent show", "parents:show_parent", "SHOW_PARENT", reading, REGISTRY_READ),
        Command("parent set", "parents:set_parent", "SET_PARENT", changing, REGISTRY_WRITE),
        Command("children add", "parents:add_children", "ADD_CHILDREN", changing, REGISTRY_WRITE),
        Command("export", "transfer:export_devices", "EXPORT", reading, REGISTRY_WRITE, "transfers"),
        Command("import", "transfer:import_devices", "IMPORT", changing, REGISTRY_WRITE, "transfers"),
        Command("import-csv", "import_csv:import_csv", "IMPORT_CSV", changing, REGISTRY_WRITE, "imports"),
        Command("export-csv", "export_csv:export_csv", "EXPORT_CSV", exporting, SERVICE_CONNECT),
        # The registry, and a query.
        Command("children list", "parents:list_children", "LIST_CHILDREN", reading, REGISTRY_READ_AND_SERVICE),
        Command("children remove", "parents:remove_children", "REMOVE_CHILDREN", changing, REGISTRY_WRITE_AND_SERVICE),
    ),
    _group(
        "iot hub module-identity",
        "identity",
        Command("create", "modules:create", "CREATE_MODULE", changing, REGISTRY_WRITE, "identities"),
        Command("show", "modules:show", "SHOW_MODULE", reading, REGISTRY_READ, "identities"),
        Command("list", "modules:list_modules", "LIST_MODULES", reading, REGISTRY_READ, "identities"),
        Command("update", "modules:update", "UPDATE_MODULE", changing, REGISTRY_WRITE, "identities"),
        Command("delete", "modules:delete", "DELETE_MODULE", changing, REGISTRY_WRITE),
        Command("renew-key", "renew_keys:renew_modules", "RENEW_MODULE_KEYS", changing, REGISTRY_WRITE),
        Command(
            "connection-string show",
            "modules:show_connection_string",
            "SHOW_MODULE_STRING",
            reading,
            REGISTRY_READ,
            "whole",
        ),
    ),
    _group(
        "iot edge",
        "edge",
        Command("set-modules", "modules:set_modules", "SET_MODULES", changing, REGISTRY_WRITE, "modules"),
        Command("export-modules", "modules:export_modules", "EXPORT_MODULES", reading, REGISTRY_READ_AND_SERVICE),
    ),
    _group(
        "iot hub device-twin",
        "twin",
        Command("show", "read:show", "SHOW", reading, SERVICE_CONNECT, "twins"),
        Command("list", "read:list_twins", "LIST", reading, SERVICE_CONNECT, "twins"),
        Command("update", "write:update", "UPDATE", changing, SERVICE_CONNECT, "twins"),
        Command("replace", "write:replace", "REPLACE", changing, SERVICE_CONNECT, "twins"),
    ),
    _group(
        "iot hub module-twin",
        "twin",
        Command("show", "read:show_module", "SHOW_MODULE", reading, SERVICE_CONNECT, "twins"),
        Command("update", "write:update_module", "UPDATE_MODULE", changing, SERVICE_CONNECT, "twins"),
        Command("replace", "write:replace_module", "REPLACE_MODULE", changing, SERVICE_CONNECT, "twins"),
    ),
    _group(
        "iot device",
        "simulate",
        Command("simulate", "command:simulate", "SIMULATE_DEVICES", simulating, REGISTRY_READ, "simulations"),
    ),
    # The device's own key is read from the registry.
    _group("iot device", "message", Command("send-d2c-message", "send:send", "SEND", changing, REGISTRY_READ)),
    _group(
        "iot device c2d-message",
        "message",
        Command("send", "send_c2d:send_c2d", "SEND_C2D", messaging, SERVICE_CONNECT),
        Command("receive", "receive:receive", "RECEIVE_MESSAGE", changing, DEVICE_CONNECT, "messages"),
        Command("complete", "receive:complete", "SETTLE", changing, DEVICE_CONNECT),
        Command("abandon", "receive:abandon", "SETTLE", changing, DEVICE_CONNECT),
        Command("reject", "receive:reject", "SETTLE", changing, DEVICE_CONNECT),
        Command("purge", "receive:purge", "PURGE", changing, SERVICE_CONNECT),
    ),
    _group(
        "iot local-hub",
        "local_hub",
        Command("start", "command:start", "START", view="local_hubs"),
        Command("stop", "command:stop", "STOP"),
        Command("show", "command:show", "SHOW", view="local_hubs"),
        Command("reset", "command:reset", "RESET"),
        Command("seed", "seed:seed", "SEED"),
        Command("export", "seed:export", "EXPORT"),
        Command("events", "messages:events", "EVENTS"),
        Command("send", "messages:send", "SEND"),
        Command("fault add", "faults:add", "ADD_FAULT", view="faults"),
        Command("fault list", "faults:list_faults", "LIST_FAULTS", view="faults"),
        Command("fault clear", "faults:clear", "CLEAR_FAULTS"),
        Command("certificate create", "command:create_certificate", "CREATE_CERTIFICATE"),
        Command("certificate list", "command:list_certificates", "LIST_CERTIFICATE"),
        Command("certificate delete", "command:delete_certificate", "DELETE_CERTIFICATE"),
    ),
)


def all_commands() -> Iterator[tuple[str, str, Command]]:
    """Every command: its words after az, its room, its row."""
    for group in GROUPS:
        for command in group.commands:
            yield f"{group.words} {command.verb}", group.room, command


def options_of(words: str) -> "Options":
    """The options of a command, such as "iot hub job create"; () when it is none of ours."""
    for each, room, command in all_commands():
        if each == words:
            options: Options = getattr(import_module(f"azext_iotjobs.cli.{room}.params"), command.options)
            return options
    return ()


def view_of(words: str) -> "View | None":
    """What makes the rows of a command's table; None: the general view."""
    for each, room, command in all_commands():
        if each == words and command.view is not None:
            where = "output" if command.view in SHARED_VIEWS else room
            view: View = getattr(import_module(f"azext_iotjobs.cli.{where}.tables"), command.view)
            return view
    return None


def table_of(words: str, result: Any) -> Any:
    """The rows that `-o table` shows of a command's result."""
    from azext_iotjobs.cli.output.tables import table_rows

    return table_rows(words, view_of(words), result)


def load_command_table(loader: Any) -> None:
    """Enter every command of ours into az's table."""
    for group in GROUPS:
        with loader.command_group(group.words, CliCommandType(exception_handler=to_az_error)) as entered:
            for command in group.commands:
                # What only shows ends with exit code 3 where there is nothing to show.
                enter = entered.show_command if command.verb.endswith("show") else entered.command
                module, handler = command.handler.split(":")
                enter(
                    command.verb,
                    handler,
                    operations_tmpl=f"azext_iotjobs.cli.{group.room}.{module}#{{}}",
                    client_factory=None if command.client is None else _client_factory(command.client, command.rights),
                    table_transformer=partial(table_of, f"{group.words} {command.verb}"),
                )


def _client_factory(client: ClientFactory, rights: Rights) -> Callable[[Any, dict[str, Any]], Any]:
    """What az calls before the handler."""

    def make(cli_ctx: Any, command_args: dict[str, Any]) -> Any:
        note(typed_in(command_args, cli_ctx.data["command"]))
        return client(cli_ctx, command_args, rights)

    return make
