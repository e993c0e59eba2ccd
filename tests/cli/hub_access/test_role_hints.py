"""A refusal of Microsoft Entra's says which line assigns the role: who is signed in, to what, on which hub."""

import json
import re
import shlex
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from azext_iotjobs.cli.commands import all_commands, changing
from azext_iotjobs.cli.hub_access.assignee import assignee_of
from azext_iotjobs.cli.hub_access.policy_rights import REGISTRY_WRITE
from azext_iotjobs.cli.hub_access.resolve import HubArguments, ResolveContext, choose_hub
from azext_iotjobs.cli.output.hints import Typed, note, spelled
from azext_iotjobs.clients.errors import error_of
from azext_iotjobs.model.entra import AadLogin
from azext_iotjobs.model.errors import Forbidden
from azext_iotjobs.transport.http import SentRequest
from tests.helpers.azure_double import LIST, AzureDouble, hub_item, hub_path, refusal, with_hubs
from tests.helpers.clock_double import START
from tests.helpers.transport_double import response

OID = "0f0e0d0c-1111-2222-3333-444455556666"
APP = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
HOST = "my-hub.azure-devices.net"
COMMANDS = {words: row for words, _, row in all_commands()}
USER = {"name": "ann@contoso.com", "type": "user"}
PRINCIPAL = {"name": APP, "type": "servicePrincipal"}


def identity(name: str, info: str) -> dict[str, Any]:
    return {"name": name, "type": "servicePrincipal", "assignedIdentityInfo": info}


def token(claims: Any) -> str:
    return f"e30.{urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


@pytest.mark.parametrize(
    ("user", "claims", "arguments", "name"),
    [
        (USER, {"oid": OID}, f"--assignee-object-id {OID} --assignee-principal-type User", "ann@contoso.com"),
        (USER, None, "--assignee ann@contoso.com", "ann@contoso.com"),
        (USER, {"sub": "x"}, "--assignee ann@contoso.com", "ann@contoso.com"),
        (USER, {"oid": "; rm"}, "--assignee ann@contoso.com", "ann@contoso.com"),
        (
            PRINCIPAL,
            {"oid": OID},
            f"--assignee-object-id {OID} --assignee-principal-type ServicePrincipal",
            f"service principal {APP}",
        ),
        (PRINCIPAL, None, f"--assignee {APP}", f"service principal {APP}"),
        (
            identity("systemAssignedIdentity", "MSI"),
            {"oid": OID},
            f"--assignee-object-id {OID} --assignee-principal-type ServicePrincipal",
            "managed identity MSI",
        ),
        (
            identity("systemAssignedIdentity", "MSI"),
            None,
            "--assignee-object-id PRINCIPAL-ID --assignee-principal-type ServicePrincipal",
            "managed identity MSI",
        ),
        (
            identity("userAssignedIdentity", f"MSIClient-{APP}"),
            None,
            f"--assignee {APP}",
            f"managed identity MSIClient-{APP}",
        ),
        (
            identity("userAssignedIdentity", f"MSIObject-{OID}"),
            None,
            f"--assignee-object-id {OID} --assignee-principal-type ServicePrincipal",
            f"managed identity MSIObject-{OID}",
        ),
        (
            identity("userAssignedIdentity", "MSIResource-/subscriptions/x"),
            None,
            "--assignee-object-id PRINCIPAL-ID --assignee-principal-type ServicePrincipal",
            "managed identity MSIResource-/subscriptions/x",
        ),
        (
            {},
            None,
            "--assignee-object-id PRINCIPAL-ID --assignee-principal-type User",
            "the user who is signed in",
        ),
    ],
)
def test_whoever_is_signed_in_can_be_assigned_a_role(
    user: dict[str, Any], claims: Any, arguments: str, name: str
) -> None:
    found = assignee_of(user, None if claims is None else token(claims))
    assert (" ".join(found.arguments), found.name) == (arguments, name)


@pytest.mark.parametrize(
    "text", ["", ".", "a.b.c", "a.%%%.c", "a.W10.c", "a.bnVsbA.c", "ey.azure.token", "a.////.c", "ä.ö.ü"]
)
def test_a_token_that_shows_nothing_is_no_trouble(text: str) -> None:
    assert assignee_of(USER, text).arguments == ("--assignee", "ann@contoso.com")


def hint_of(
    line: str,
    *,
    hub: str = HOST,
    command: str = "iot hub device-twin show",
    user: dict[str, Any] = USER,
    status: int = 401,
    claims: Any = None,
) -> str:
    """What the command line says when a hub refuses a request of somebody who is signed in with Microsoft Entra."""
    row = COMMANDS[command]
    note(Typed(command=command, hub=hub, auth="login"))
    double = with_hubs([hub_item("my-hub", HOST)], "key")
    double.user, double.token = user, "ey.a.b" if claims is None else token(claims)
    double.login().tell_who()  # as when az's login is opened
    context = ResolveContext(None, None, double.login, needed=row.rights)
    chosen = choose_hub(HubArguments(hub=hub, login=None, group=None, auth="login"), context)
    needed = row.rights if row.client is changing else row.rights - REGISTRY_WRITE
    assert isinstance(chosen.credential, AadLogin)
    chosen.credential.fetch()
    method, path = line.split()
    sent = SentRequest(method, path, chosen.credential, START, chosen.target.authority, needed)
    error = error_of(response({"Message": "no"}, status=status)._replace(request=sent))
    shown = spelled(error.hint or "")
    note(Typed())
    assert double.token not in f"{error} {shown}", "no secret is shown"
    return shown


def assignment_in(hint: str) -> list[str]:
    (line,) = re.findall("az role assignment create .*", hint)
    return shlex.split(line)


def test_of_a_hub_that_was_looked_up_the_line_is_complete() -> None:
    hint = hint_of("GET /twins/d", hub="my-hub", claims={"oid": OID})
    assert assignment_in(hint)[4:] == [
        *("--role", "IoT Hub Data Reader", "--assignee-object-id", OID, "--assignee-principal-type", "User"),
        *("--scope", hub_path("my-hub")),
    ]
    assert "can assign one to ann@contoso.com:" in hint
    assert "Microsoft.Devices/IotHubs/twins/read" in hint


def test_of_a_host_name_the_hub_is_looked_up_by_whoever_types_the_line() -> None:
    hint = hint_of("GET /twins/d")
    assert '--scope "$(az iot hub show -n my-hub --query id -o tsv)"' in hint
    assert '--role "IoT Hub Data Reader" --assignee ann@contoso.com' in hint


def test_a_forbidden_request_may_lack_a_role_or_come_from_outside() -> None:
    hint = hint_of("PATCH /twins/d", status=403)
    assert assignment_in(hint)[5] == "IoT Hub Twin Contributor"
    assert "network rule" in hint


@pytest.mark.parametrize(
    ("command", "line", "role"),
    [
        ("iot hub device-identity show", "GET /devices/d", "IoT Hub Data Reader"),
        ("iot hub device-identity update", "GET /devices/d", "IoT Hub Registry Contributor"),
        ("iot hub device-identity create", "PUT /devices/d", "IoT Hub Registry Contributor"),
        ("iot hub device-identity renew-key", "POST /devices/query", "IoT Hub Data Contributor"),
        ("iot hub device-identity list", "POST /devices/query", "IoT Hub Data Reader"),
        ("iot hub device-identity import", "POST /jobs/create", "IoT Hub Data Contributor"),
        ("iot hub module-identity delete", "DELETE /devices/d/modules/m", "IoT Hub Registry Contributor"),
        ("iot hub device-twin update", "PATCH /twins/d", "IoT Hub Twin Contributor"),
        ("iot hub query", "POST /devices/query", "IoT Hub Data Reader"),
        ("iot hub invoke-device-method", "POST /twins/d/methods", "IoT Hub Data Contributor"),
        ("iot hub job create", "GET /jobs/v2/j", "IoT Hub Data Contributor"),
        ("iot hub job list", "GET /jobs/v2/query", "IoT Hub Data Reader"),
        ("iot edge set-modules", "POST /devices/d/applyConfigurationContent", "IoT Hub Data Contributor"),
        ("iot device c2d-message receive", "GET /devices/d", "IoT Hub Data Reader"),
        ("iot device c2d-message send", "AMQP /messages/devicebound", "IoT Hub Data Contributor"),
        ("iot device c2d-message purge", "DELETE /devices/d/commands", "IoT Hub Data Contributor"),
        ("iot hub monitor-feedback", "AMQP /messages/servicebound/feedback", "IoT Hub Data Contributor"),
    ],
)
def test_the_role_is_the_least_that_the_whole_command_needs(command: str, line: str, role: str) -> None:
    assert assignment_in(hint_of(line, command=command))[5] == role


@pytest.mark.parametrize("command", sorted(words for words, row in COMMANDS.items() if row.rights))
def test_every_command_that_needs_rights_has_a_line_that_can_be_pasted(command: str) -> None:
    words = assignment_in(hint_of("GET /twins/d", command=command, hub="my-hub", claims={"oid": OID}))
    assert words[:4] == ["az", "role", "assignment", "create"]
    assert not [each for each in words if each in ("WHO", "HUB-ID", "PRINCIPAL-ID")]


def test_who_may_not_look_a_hub_up_is_told_which_role_does_without() -> None:
    double = AzureDouble({LIST: (403, refusal("AuthorizationFailed", "The client has no right."))})
    note(Typed(command="iot hub query", hub="my-hub"))
    double.login().tell_who()
    with pytest.raises(Forbidden) as raised:
        choose_hub(HubArguments("my-hub", None, None, None), ResolveContext(None, None, double.login))
    hint = spelled(raised.value.hint or "")
    note(Typed())
    assert "--auth-type login" in hint and "IoT Hub Data Contributor" in hint
    assert '--scope "$(az iot hub show -n my-hub --query id -o tsv)"' in hint
