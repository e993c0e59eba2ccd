"""The real az, signed in to a cloud that is one server on this machine: Resource Manager and hub in one.

az's own sign-in is real too, as a managed identity whose token endpoint is here.
"""

import http.server
import json
import re
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.helpers.az import Az, Ran
from tests.helpers.azure_double import LIST, SUBSCRIPTION, hub_item, hub_path, keys
from tests.helpers.tls_server import Seen, TlsServer, answer_with, serving

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OID = "0f0e0d0c-1111-2222-3333-444455556666"
CLAIMS = urlsafe_b64encode(json.dumps({"oid": OID, "tid": SUBSCRIPTION}).encode()).decode().rstrip("=")
TOKEN = f"ey.{CLAIMS}.azure"
ROLE = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/b447c946"
DEVICE = {"deviceId": "d1", "authentication": {"type": "sas", "symmetricKey": {"primaryKey": KEY}}}
SHOW = ("iot", "hub", "device-identity", "show", "-d", "d1")


@dataclass
class Cloud:
    """az in its cloud; `asked_for` is what tokens were asked for."""

    az: Az
    server: TlsServer
    asked_for: list[str] = field(default_factory=list)
    refuses_login: bool = False  # whether the hub lets nobody in who has a token, as for want of a role
    passwords: list[str | None] = field(default_factory=list)  # Authorization headers that the sign-in got

    def show(self, *more: str) -> Ran:
        """Show a device of the hub that is named `my.hub`; a port may go with it as there is a dot in it."""
        return self.az.run(*SHOW, "-n", f"my.hub:{self.server.port}", *more)

    def at_hub(self) -> list[Seen]:
        return [seen for seen in self.server.seen if seen.path.startswith("/devices/")]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    answers = {
        LIST: {"value": [hub_item("my.hub", "localhost")]},
        f"{hub_path('my.hub')}/listkeys?api-version=2021-07-02": keys(KEY),
    }

    cloud: Cloud

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        status, document = 200, answers.get(request.path, DEVICE)
        if "/roleDefinitions" in request.path:
            document = {"value": [{"id": ROLE, "name": "b447c946", "properties": {"roleName": "IoT Hub Data Reader"}}]}
        elif request.path.startswith("/devices/") and cloud.refuses_login:
            status, document = 401, {"Message": "ErrorCode:IotHubUnauthorized;Unauthorized"}
        answer_with(status, json.dumps(document).encode(), Content_Type="application/json")(request)

    with ExitStack() as stack:
        cloud = Cloud(Az(tmp_path), stack.enter_context(serving(tmp_path, answer)))
        port = stack.enter_context(_TokenEndpoint(cloud.asked_for, cloud.passwords)).port
        cloud.az.environment.update(
            IDENTITY_ENDPOINT=f"http://127.0.0.1:{port}/token",
            IDENTITY_HEADER="x",
            APPSETTING_WEBSITE_SITE_NAME="x",  # this and the two below: how older az finds it
            MSI_ENDPOINT=f"http://127.0.0.1:{port}/token",
            MSI_SECRET="x",
            REQUESTS_CA_BUNDLE=str(cloud.server.ca_file),
            NO_PROXY="localhost,127.0.0.1",
        )
        _sign_in(tmp_path, cloud.server.port)
        yield cloud


def _sign_in(config: Path, port: int) -> None:
    (config / "config").write_text("[cloud]\nname = TestCloud\n")
    (config / "clouds.config").write_text(
        f"[TestCloud]\nendpoint_resource_manager = https://localhost:{port}/\n"
        f"endpoint_active_directory_resource_id = https://localhost:{port}/\n"
        "endpoint_active_directory = https://login.invalid\n"
    )
    account = {
        "id": SUBSCRIPTION,
        "name": "sub",
        "state": "Enabled",
        "tenantId": SUBSCRIPTION,
        "isDefault": True,
        "environmentName": "TestCloud",
        "user": {"name": "systemAssignedIdentity", "type": "servicePrincipal", "assignedIdentityInfo": "MSI"},
    }
    (config / "azureProfile.json").write_text(json.dumps({"subscriptions": [account]}))


class _TokenEndpoint:
    """Where a managed identity gets its tokens."""

    def __init__(self, asked_for: list[str], passwords: list[str | None]) -> None:
        class Answering(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                (resource,) = parse_qs(urlsplit(self.path).query)["resource"]
                asked_for.append(resource)
                passwords.append(self.headers.get("Authorization"))
                document = {
                    "access_token": TOKEN,
                    "expires_on": "4102444800",
                    "resource": resource,
                    "token_type": "Bearer",
                }
                answer_with(200, json.dumps(document).encode(), Content_Type="application/json")(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.port = self._server.server_address[1]

    def __enter__(self) -> "_TokenEndpoint":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_a_name_is_looked_up_and_the_debug_log_holds_no_key(cloud: Cloud) -> None:
    ran = cloud.show("--debug")
    assert (ran.code, ran.json) == (0, DEVICE), ran.stderr
    (seen,) = cloud.at_hub()
    assert seen.headers["authorization"].startswith("SharedAccessSignature sr=localhost&sig=")
    assert seen.headers["authorization"].endswith("&skn=iothubowner")
    assert "listkeys" in ran.stderr, "az logs its requests"
    assert KEY not in ran.stderr, "neither az nor we log it"


def test_entra_signs_in_without_a_key(cloud: Cloud) -> None:
    ran = cloud.show("--auth-type", "login", "--debug")
    assert (ran.code, ran.json) == (0, DEVICE), ran.stderr
    (seen,) = cloud.at_hub()
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert cloud.asked_for[-1].rstrip("/") == "https://iothubs.azure.net"
    assert not [seen for seen in cloud.server.seen if "listkeys" in seen.path]
    assert TOKEN not in ran.stderr


def test_entra_acts_as_a_device_with_its_own_key(cloud: Cloud) -> None:
    send = ("iot", "device", "c2d-message", "complete", "-d", "d1", "--etag", "lock", "--auth-type", "login")
    ran = cloud.az.run(*send, "-n", f"my.hub:{cloud.server.port}")
    assert ran.code == 0, ran.stderr
    looked, settled = cloud.at_hub()
    assert (looked.path.split("?")[0], looked.headers["authorization"]) == ("/devices/d1", f"Bearer {TOKEN}")
    assert settled.path.startswith("/devices/d1/messages/deviceBound/lock?")
    assert settled.headers["authorization"].startswith("SharedAccessSignature sr=localhost%2Fdevices%2Fd1&")


@pytest.mark.parametrize("auth", ["key", "login"])
def test_passwords_of_a_netrc_reach_neither_azure_nor_the_hub(cloud: Cloud, tmp_path: Path, auth: str) -> None:
    netrc = tmp_path / "passwords"
    netrc.write_text("default login someone password not-for-azure\n")
    cloud.az.environment["NETRC"] = str(netrc)
    ran = cloud.show("--auth-type", auth)
    assert (ran.code, ran.json) == (0, DEVICE), ran.stderr
    assert {seen.headers["authorization"].split()[0] for seen in cloud.server.seen} <= {
        "Bearer",
        "SharedAccessSignature",
    }
    assert set(cloud.passwords) == {None}, "the sign-in has no use for it either"


def test_the_way_to_sign_in_may_be_configured(cloud: Cloud) -> None:
    assert cloud.az.run("configure", "--defaults", "iothub-data-auth-type=login").code == 0
    assert cloud.show().code == 0
    assert cloud.show("--auth-type", "key").code == 0
    assert [seen.headers["authorization"].split()[0] for seen in cloud.at_hub()] == ["Bearer", "SharedAccessSignature"]


def test_a_hub_that_is_not_there_is_a_clear_error(cloud: Cloud) -> None:
    ran = cloud.az.run(*SHOW, "-n", "yourhub")
    assert (ran.code, ran.stdout) == (3, "")
    assert SUBSCRIPTION in ran.stderr and "my.hub" in ran.stderr and "az account set" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_who_lacks_a_role_is_given_the_line_that_assigns_it_and_az_takes_that_line(cloud: Cloud) -> None:
    cloud.refuses_login = True
    ran = cloud.show("--auth-type", "login")
    assert (ran.code, ran.stdout) == (1, "") and TOKEN not in ran.stderr
    assert "managed identity MSI" in ran.stderr
    (pasted,) = re.findall("az (role assignment create .*)", ran.stderr)
    assigned = cloud.az.run(pasted)
    assert assigned.code == 0, assigned.stderr
    (put,) = (each for each in cloud.server.seen if each.method == "PUT")
    assert put.path.startswith(f"{hub_path('my.hub')}/providers/Microsoft.Authorization/roleAssignments/")
    properties = json.loads(put.body)["properties"]
    assert (properties["principalId"], properties["principalType"]) == (OID, "ServicePrincipal")
    assert properties["roleDefinitionId"] == ROLE
