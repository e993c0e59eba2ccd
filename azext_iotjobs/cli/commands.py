"""The command table: one row for each command says what carries it out, with which options, rights and table.

Strings only: az imports what a command needs when it is run. To add a command: a row here, and in its room a handler,
its options in `params.py`, its help in `help.py` and, if it has a table of its own, a view in `tables.py`.
"""

from collections.abc import Callable, Iterator, Sequence
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
from azext_iotjobs.cli.typed import needed

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
    """The HubClient of a simulation: many devices are looked for, made and signed in, which needs all rights.

    HubArguments, as they were typed, where nothing is asked of a hub.
    """
    if command_args.get("merge") is not None or command_args.get("export") is not None:
        from azext_iotjobs.cli.hub_access.resolve import hub_arguments

        return hub_arguments(command_args)
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


def opening_console(cli_ctx: Any, command_args: dict[str, Any], rights: Rights) -> Any:
    """The ConsoleContext of the console: the hub, the store of fleet jobs, and this door's documents and commands."""
    from azext_iotjobs.cli.fleet_job.console_context import console_context

    return console_context(cli_ctx, command_args, rights)


class Command(NamedTuple):
    """A row of the table; `handler`, `options` and `view` are looked up in the command's room."""

    handler: str  # module:function. Not the verb first: azdev's linter breaks off at Command("show", ...)
    verb: str  # the words after those of its group
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
        Command("create:create", "create", "CREATE", changing, JOB, "jobs"),
        Command("wait:wait", "wait", "WAIT", reading, JOB, "jobs"),
        Command("read:show", "show", "SHOW", reading, JOB, "jobs"),
        Command("read:list_jobs", "list", "LIST", reading, JOB, "jobs"),
        Command("read:cancel", "cancel", "CANCEL", changing, JOB, "jobs"),
        Command("results:show_results", "results", "RESULTS", reading, JOB, "device_rows"),
        Command("report:report", "report", "REPORT", reading, JOB),
        Command("rerun:rerun", "rerun", "RERUN", changing, JOB, "reruns"),
        Command("rerun:copy", "copy", "COPY", changing, JOB, "jobs"),
    ),
    _group(
        "iot hub fleet-job",
        "fleet_job",
        Command("save:create", "create", "CREATE", making_store, JOB, "created"),
        Command("apply:apply", "apply", "APPLY", making_store, JOB, "applied"),
        Command("save:copy", "copy", "COPY", changing_store, JOB, "fleet_jobs"),
        Command("save:update", "update", "UPDATE", changing_store, JOB, "fleet_jobs"),
        Command("read:show", "show", "SHOW", reading_store, JOB, "one"),
        Command("read:list_fleet_jobs", "list", "LIST", reading_store, JOB, "fleet_jobs"),
        Command("read:list_runs", "list-runs", "LIST_RUNS", reading_store, JOB, "runs"),
        Command("read:delete", "delete", "DELETE", changing_store, JOB),
        Command("run:run", "run", "RUN", changing_store, JOB, "runs"),
        Command("watch:watch", "watch", "WATCH", reading_store, JOB, "runs"),
        Command("run:resume", "resume", "RESUME", changing_store, JOB, "runs"),
        Command("run:rerun", "rerun", "RERUN", changing_store, JOB, "runs"),
        Command("answer:approve", "approve", "APPROVE", changing_store, JOB, "runs"),
        Command("answer:reject", "reject", "REJECT", changing_store, JOB, "runs"),
        Command("stop:stop", "stop", "STOP", changing_store, JOB, "runs"),
        Command("stop:cancel", "cancel", "CANCEL", changing_store, JOB, "runs"),
        Command("results:show_results", "results", "RESULTS", reading_store, JOB, "device_rows"),
        Command("report:report", "report", "REPORT", reading_store, JOB),
    ),
    _group(
        "iot hub fleet-job",
        "fleet_job.central",
        Command("import_documents:import_documents", "import", "IMPORT", making_store, JOB, "imported"),
    ),
    _group(
        "iot hub fleet-job group",
        "fleet_job",
        Command("groups:create", "create", "CREATE_GROUP", making_store, JOB),
        Command("groups:show", "show", "SHOW_GROUP", reading_store, JOB),
        Command("groups:list_groups", "list", "LIST_GROUP", reading_store, JOB),
        Command("groups:update", "update", "UPDATE_GROUP", changing_store, JOB),
        Command("groups:delete", "delete", "DELETE_GROUP", changing_store, JOB),
    ),
    _group(
        "iot hub fleet-job store",
        "fleet_job",
        Command("copy_store:copy", "copy", "COPY_STORE", reading_store, JOB),
    ),
    _group(
        "iot hub fleet-job schedule",
        "fleet_job.schedule",
        Command("save:set_schedule", "set", "SET", changing_store, JOB, "one"),
        Command("read:show", "show", "SHOW", reading_store, JOB, "one"),
        Command("read:list_schedules", "list", "LIST", reading_store, JOB, "schedules"),
        Command("save:remove", "remove", "REMOVE", changing_store, JOB),
        Command("read:history", "history", "HISTORY", reading_store, JOB, "occurrences"),
        Command("run:run_due", "run-due", "RUN_DUE", changing_store, JOB, "happened"),
        Command("export:export", "export", "EXPORT", reading_store, JOB),
        Command("run:run_past", "backfill", "BACKFILL", changing_store, JOB, "happened"),
    ),
    _group(
        "iot hub",
        "method",
        Command("invoke:invoke", "invoke-device-method", "INVOKE_DEVICE", changing, SERVICE_CONNECT, "method_answers"),
        Command(
            "invoke:invoke_module", "invoke-module-method", "INVOKE_MODULE", changing, SERVICE_CONNECT, "method_answers"
        ),
    ),
    _group(
        "iot hub",
        "events",
        Command("monitor:monitor_events", "monitor-events", "MONITOR", watching_events, SERVICE_CONNECT),
    ),
    _group(
        "iot hub",
        "message",
        Command("feedback:monitor_feedback", "monitor-feedback", "FEEDBACK", messaging, SERVICE_CONNECT),
    ),
    _group("iot hub", "console", Command("command:console", "console", "CONSOLE", opening_console, JOB)),
    _group("iot hub", "query", Command("run:query", "query", "RUN", reading, SERVICE_CONNECT, "query_rows")),
    _group(
        "iot hub",
        "identity",
        Command(
            "tokens:show_connection_string",
            "connection-string show",
            "SHOW_HUB_STRING",
            unresolved,
            ALL_RIGHTS,
            "whole",
        ),
        # A device's or module's own key is read from the registry.
        Command(
            "tokens:generate_sas_token", "generate-sas-token", "GENERATE_TOKEN", unresolved, REGISTRY_READ, "whole"
        ),
    ),
    _group(
        "iot hub device-identity",
        "identity",
        Command("devices:create", "create", "CREATE", changing, REGISTRY_WRITE, "identities"),
        Command("devices:show", "show", "SHOW", reading, REGISTRY_READ, "identities"),
        Command("devices:list_identities", "list", "LIST", reading, SERVICE_CONNECT, "identities"),
        Command("devices:update", "update", "UPDATE", changing, REGISTRY_WRITE, "identities"),
        Command("devices:delete", "delete", "DELETE", changing, REGISTRY_WRITE),
        Command("renew_keys:renew_devices", "renew-key", "RENEW_KEYS", changing, REGISTRY_WRITE_AND_SERVICE),
        Command(
            "devices:show_connection_string", "connection-string show", "SHOW_STRING", reading, REGISTRY_READ, "whole"
        ),
        Command("parents:show_parent", "parent show", "SHOW_PARENT", reading, REGISTRY_READ),
        Command("parents:set_parent", "parent set", "SET_PARENT", changing, REGISTRY_WRITE),
        Command("parents:add_children", "children add", "ADD_CHILDREN", changing, REGISTRY_WRITE),
        Command("transfer:export_devices", "export", "EXPORT", reading, REGISTRY_WRITE, "transfers"),
        Command("transfer:import_devices", "import", "IMPORT", changing, REGISTRY_WRITE, "transfers"),
        Command("import_csv:import_csv", "import-csv", "IMPORT_CSV", changing, REGISTRY_WRITE, "imports"),
        Command("export_csv:export_csv", "export-csv", "EXPORT_CSV", exporting, SERVICE_CONNECT),
        # The registry, and a query.
        Command("parents:list_children", "children list", "LIST_CHILDREN", reading, REGISTRY_READ_AND_SERVICE),
        Command("parents:remove_children", "children remove", "REMOVE_CHILDREN", changing, REGISTRY_WRITE_AND_SERVICE),
    ),
    _group(
        "iot hub module-identity",
        "identity",
        Command("modules:create", "create", "CREATE_MODULE", changing, REGISTRY_WRITE, "identities"),
        Command("modules:show", "show", "SHOW_MODULE", reading, REGISTRY_READ, "identities"),
        Command("modules:list_modules", "list", "LIST_MODULES", reading, REGISTRY_READ, "identities"),
        Command("modules:update", "update", "UPDATE_MODULE", changing, REGISTRY_WRITE, "identities"),
        Command("modules:delete", "delete", "DELETE_MODULE", changing, REGISTRY_WRITE),
        Command("renew_keys:renew_modules", "renew-key", "RENEW_MODULE_KEYS", changing, REGISTRY_WRITE),
        Command(
            "modules:show_connection_string",
            "connection-string show",
            "SHOW_MODULE_STRING",
            reading,
            REGISTRY_READ,
            "whole",
        ),
    ),
    _group(
        "iot edge",
        "edge",
        Command("modules:set_modules", "set-modules", "SET_MODULES", changing, REGISTRY_WRITE, "modules"),
        Command("modules:export_modules", "export-modules", "EXPORT_MODULES", reading, REGISTRY_READ_AND_SERVICE),
    ),
    _group(
        "iot hub device-twin",
        "twin",
        Command("read:show", "show", "SHOW", reading, SERVICE_CONNECT, "twins"),
        Command("read:list_twins", "list", "LIST", reading, SERVICE_CONNECT, "twins"),
        Command("write:update", "update", "UPDATE", changing, SERVICE_CONNECT, "twins"),
        Command("write:replace", "replace", "REPLACE", changing, SERVICE_CONNECT, "twins"),
    ),
    _group(
        "iot hub module-twin",
        "twin",
        Command("read:show_module", "show", "SHOW_MODULE", reading, SERVICE_CONNECT, "twins"),
        Command("write:update_module", "update", "UPDATE_MODULE", changing, SERVICE_CONNECT, "twins"),
        Command("write:replace_module", "replace", "REPLACE_MODULE", changing, SERVICE_CONNECT, "twins"),
    ),
    _group(
        "iot device",
        "simulate",
        Command("command:simulate", "simulate", "SIMULATE_DEVICES", simulating, REGISTRY_READ, "simulations"),
    ),
    _group(
        "iot device simulation",
        "simulate",
        Command("running:list_simulations", "list", "LIST_SIMULATIONS", view="running"),
        Command("running:show", "show", "SIMULATION", view="running"),
        Command("running:stop", "stop", "SIMULATION", view="running"),
    ),
    # The device's own key is read from the registry.
    _group("iot device", "message", Command("send:send", "send-d2c-message", "SEND", changing, REGISTRY_READ)),
    _group(
        "iot device c2d-message",
        "message",
        Command("send_c2d:send_c2d", "send", "SEND_C2D", messaging, SERVICE_CONNECT),
        Command("receive:receive", "receive", "RECEIVE_MESSAGE", changing, DEVICE_CONNECT, "messages"),
        Command("receive:complete", "complete", "SETTLE", changing, DEVICE_CONNECT),
        Command("receive:abandon", "abandon", "SETTLE", changing, DEVICE_CONNECT),
        Command("receive:reject", "reject", "SETTLE", changing, DEVICE_CONNECT),
        Command("receive:purge", "purge", "PURGE", changing, SERVICE_CONNECT),
    ),
    _group(
        "iot local-hub",
        "local_hub",
        Command("command:start", "start", "START", view="local_hubs"),
        Command("command:stop", "stop", "STOP"),
        Command("command:show", "show", "SHOW", view="local_hubs"),
        Command("command:reset", "reset", "RESET"),
        Command("seed:seed", "seed", "SEED"),
        Command("seed:export", "export", "EXPORT"),
        Command("exec_command:run", "exec", "EXEC"),
        Command("snapshots:create", "snapshot create", "CREATE_SNAPSHOT"),
        Command("snapshots:restore", "snapshot restore", "RESTORE_SNAPSHOT"),
        Command("messages:events", "events", "EVENTS"),
        Command("messages:send", "send", "SEND"),
        Command("clock:show", "clock show", "SHOW_CLOCK"),
        Command("clock:advance", "clock advance", "ADVANCE_CLOCK"),
        Command("faults:add", "fault add", "ADD_FAULT", view="faults"),
        Command("faults:list_faults", "fault list", "LIST_FAULTS", view="faults"),
        Command("faults:clear", "fault clear", "CLEAR_FAULTS"),
        Command("command:create_certificate", "certificate create", "CREATE_CERTIFICATE"),
        Command("command:list_certificates", "certificate list", "LIST_CERTIFICATE"),
        Command("command:delete_certificate", "certificate delete", "DELETE_CERTIFICATE"),
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


def load_command_table(loader: Any, typed: Sequence[str]) -> None:
    """Enter those commands into az's table that it needs for what was typed; all when that is nothing."""
    wanted = needed([words for words, _, _ in all_commands()], typed)
    for group in GROUPS:
        rows = [each for each in group.commands if f"{group.words} {each.verb}" in wanted]
        if not rows:
            continue
        with loader.command_group(group.words, CliCommandType(exception_handler=to_az_error)) as entered:
            for command in rows:
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
                # Every command has its help. Without it az would have the handler's docstring, and imports all of them
                # for that, for a list too.
                loader.command_table[f"{group.words} {command.verb}"].description = ""


def _client_factory(client: ClientFactory, rights: Rights) -> Callable[[Any, dict[str, Any]], Any]:
    """What az calls before the handler."""

    def make(cli_ctx: Any, command_args: dict[str, Any]) -> Any:
        note(typed_in(command_args, cli_ctx.data["command"]))
        return client(cli_ctx, command_args, rights)

    return make
