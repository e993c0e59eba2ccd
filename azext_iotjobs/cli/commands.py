"""The command table: az words -> "module#handler".

Strings only: az imports a handler's module when its command is run. Commands that change something have a client
factory of their own, which names the hub on stderr when nobody typed it.
"""

from collections.abc import Callable
from typing import Any

from azure.cli.core.commands import CliCommandType

from azext_iotjobs.cli.errors import to_az_error
from azext_iotjobs.cli.output.hints import note, typed_in


def reading_client(cli_ctx: Any, command_args: dict[str, Any]) -> Any:
    """The HubClient of a command that only looks; takes the hub arguments out of `command_args`."""
    from azext_iotjobs.cli.hub_access.resolve import open_client

    note(typed_in(command_args, cli_ctx.data["command"]))
    return open_client(cli_ctx, command_args, changes=False)


def changing_client(cli_ctx: Any, command_args: dict[str, Any]) -> Any:
    """The HubClient of a command that changes something; takes the hub arguments out of `command_args`."""
    from azext_iotjobs.cli.hub_access.resolve import open_client

    note(typed_in(command_args, cli_ctx.data["command"]))
    return open_client(cli_ctx, command_args, changes=True)


def simulating_client(cli_ctx: Any, command_args: dict[str, Any]) -> Any:
    """The HubClient of a simulation: of one device, or of a fleet, which is looked for, made, and signed in."""
    from azext_iotjobs.cli.hub_access.required_rights import ALL
    from azext_iotjobs.cli.hub_access.resolve import open_client

    note(typed_in(command_args, cli_ctx.data["command"]))
    needed = None if command_args.get("device") is not None else ALL
    return open_client(cli_ctx, command_args, changes=True, needed=needed)


def typed_hub(cli_ctx: Any, command_args: dict[str, Any]) -> Any:
    """The TypedHub of a command that may not need one; takes the hub arguments out of `command_args`."""
    from azext_iotjobs.cli.hub_access.policies import typed_hub

    note(typed_in(command_args, cli_ctx.data["command"]))
    return typed_hub(cli_ctx, command_args)


def fleet_place(cli_ctx: Any, command_args: dict[str, Any]) -> Any:
    """Where fleet jobs are kept, and the hub arguments: handlers decide when a hub is needed."""
    from azext_iotjobs.cli.fleet_job.context import Access, fleet_place

    note(typed_in(command_args, cli_ctx.data["command"]))
    return fleet_place(cli_ctx, command_args, Access.CHANGE)


def new_fleet_place(cli_ctx: Any, command_args: dict[str, Any]) -> Any:
    """The same, made if it is not there."""
    from azext_iotjobs.cli.fleet_job.context import Access, fleet_place

    note(typed_in(command_args, cli_ctx.data["command"]))
    return fleet_place(cli_ctx, command_args, Access.MAKE)


def read_fleet_place(cli_ctx: Any, command_args: dict[str, Any]) -> Any:
    """The same for a command that only looks: it makes nothing, and needs no right to write."""
    from azext_iotjobs.cli.fleet_job.context import Access, fleet_place

    note(typed_in(command_args, cli_ctx.data["command"]))
    return fleet_place(cli_ctx, command_args, Access.READ)


def _table_of(command: str) -> Callable[[Any], Any]:
    """What az asks for the rows of `-o table`."""

    def rows(result: Any) -> Any:
        from azext_iotjobs.cli.output.tables import table_of

        return table_of(command, result)

    return rows


def _room(name: str, client_factory: Any = None) -> CliCommandType:
    return CliCommandType(
        operations_tmpl=f"azext_iotjobs.cli.{name}#{{}}", client_factory=client_factory, exception_handler=to_az_error
    )


def load_command_table(loader: Any) -> None:
    """Enter every command of ours into az's table."""
    with loader.command_group("iot hub job", _room("job.read", reading_client)) as group:
        group.command("wait", "wait")
        group.show_command("show", "show")
        group.command("list", "list_jobs")
        group.command("cancel", "cancel", client_factory=changing_client)

    with loader.command_group("iot hub job", _room("job.create", changing_client)) as group:
        group.command("create", "create")

    with loader.command_group("iot hub job", _room("job.rerun", changing_client)) as group:
        group.command("rerun", "rerun")
        group.command("copy", "copy")

    with loader.command_group("iot hub job", _room("job.results", reading_client)) as group:
        group.command("results", "show_results")

    _load_fleet_jobs(loader)

    with loader.command_group("iot hub", _room("method.invoke", changing_client)) as group:
        group.command("invoke-device-method", "invoke")
        group.command("invoke-module-method", "invoke_module")

    with loader.command_group("iot hub", _room("identity.tokens", typed_hub)) as group:
        group.show_command("connection-string show", "show_connection_string")
        group.command("generate-sas-token", "generate_sas_token")

    with loader.command_group("iot hub", _room("query.run", reading_client)) as group:
        group.command("query", "query")

    with loader.command_group("iot hub device-identity", _room("identity.devices", reading_client)) as group:
        group.command("create", "create", client_factory=changing_client)
        group.show_command("show", "show")
        group.command("list", "list_identities")
        group.command("update", "update", client_factory=changing_client)
        group.command("delete", "delete", client_factory=changing_client)
        group.show_command("connection-string show", "show_connection_string")

    with loader.command_group("iot hub device-identity", _room("identity.renew_keys", changing_client)) as group:
        group.command("renew-key", "renew_devices")

    with loader.command_group("iot hub device-identity", _room("identity.parents", reading_client)) as group:
        group.show_command("parent show", "show_parent")
        group.command("parent set", "set_parent", client_factory=changing_client)
        group.command("children add", "add_children", client_factory=changing_client)
        group.command("children list", "list_children")
        group.command("children remove", "remove_children", client_factory=changing_client)

    with loader.command_group("iot hub module-identity", _room("identity.modules", reading_client)) as group:
        group.command("create", "create", client_factory=changing_client)
        group.show_command("show", "show")
        group.command("list", "list_modules")
        group.command("update", "update", client_factory=changing_client)
        group.command("delete", "delete", client_factory=changing_client)
        group.show_command("connection-string show", "show_connection_string")

    with loader.command_group("iot hub module-identity", _room("identity.renew_keys", changing_client)) as group:
        group.command("renew-key", "renew_modules")

    with loader.command_group("iot hub module-twin", _room("twin.write_module", reading_client)) as group:
        group.show_command("show", "show")
        group.command("update", "update", client_factory=changing_client)
        group.command("replace", "replace", client_factory=changing_client)

    with loader.command_group("iot hub device-twin", _room("twin.read", reading_client)) as group:
        group.show_command("show", "show")
        group.command("list", "list_twins")

    with loader.command_group("iot hub device-twin", _room("twin.write_device", changing_client)) as group:
        group.command("update", "update")
        group.command("replace", "replace")

    with loader.command_group("iot device", _room("simulate.command", simulating_client)) as group:
        group.command("simulate", "simulate")

    with loader.command_group("iot device", _room("message.send", changing_client)) as group:
        group.command("send-d2c-message", "send")

    with loader.command_group("iot device c2d-message", _room("message.receive", changing_client)) as group:
        group.command("receive", "receive")
        group.command("complete", "complete")
        group.command("abandon", "abandon")
        group.command("reject", "reject")
        group.command("purge", "purge")

    with loader.command_group("iot local-hub", _room("local_hub.command")) as group:
        group.command("start", "start")
        group.command("stop", "stop")
        group.show_command("show", "show")
        group.command("reset", "reset")
        group.command("certificate create", "create_certificate")
        group.command("certificate list", "list_certificates")
        group.command("certificate delete", "delete_certificate")

    with loader.command_group("iot local-hub", _room("local_hub.messages")) as group:
        group.command("events", "events")
        group.command("send", "send")

    for name, command in loader.command_table.items():
        command.table_transformer = _table_of(name)


def _load_fleet_jobs(loader: Any) -> None:
    def room(name: str) -> CliCommandType:
        return _room(name, fleet_place)

    with loader.command_group("iot hub fleet-job", room("fleet_job.save")) as group:
        group.command("create", "create", client_factory=new_fleet_place)
        group.command("copy", "copy")
        group.command("update", "update")

    with loader.command_group("iot hub fleet-job", room("fleet_job.read")) as group:
        group.show_command("show", "show", client_factory=read_fleet_place)
        group.command("list", "list_fleet_jobs", client_factory=read_fleet_place)
        group.command("list-runs", "list_runs", client_factory=read_fleet_place)
        group.command("delete", "delete")

    with loader.command_group("iot hub fleet-job", room("fleet_job.run")) as group:
        group.command("run", "run")
        group.command("resume", "resume")
        group.command("rerun", "rerun")
        group.command("stop", "stop")
        group.command("cancel", "cancel")

    with loader.command_group("iot hub fleet-job", room("fleet_job.results")) as group:
        group.command("results", "show_results", client_factory=read_fleet_place)

    with loader.command_group("iot hub fleet-job group", room("fleet_job.groups")) as group:
        group.command("create", "create", client_factory=new_fleet_place)
        group.show_command("show", "show", client_factory=read_fleet_place)
        group.command("list", "list_groups", client_factory=read_fleet_place)
        group.command("update", "update")
        group.command("delete", "delete")
