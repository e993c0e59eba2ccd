"""A local hub that runs, wherever that is: its names, its connection strings, requests to it. Standard library only."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from azext_iotjobs.localhub.testing.errors import LocalHubFailed, LocalHubNotStarted, LocalHubRefused
from azext_iotjobs.localhub.testing.faults import Fault
from azext_iotjobs.localhub.testing.simulation import HubSimulations
from azext_iotjobs.localhub.testing.snapshots import SNAPSHOT_PATH, SNAPSHOT_TYPE, Snapshot

API_VERSION = "2021-04-12"
REQUEST_LIMIT_S = 330.0  # a direct method may take 300 s
SEED_LIMIT_S = 1800.0  # a million devices, on a slow machine
NO_PROXY = ("NO_PROXY", "no_proxy")  # most programs read the second before the first
TOKEN_LIFE_S = 600
DEVICE_TOKEN_LIFE_S = 3600


class RunningHub(HubSimulations):
    """What tests do with a local hub. A subclass starts and ends one, and says where it is."""

    _info: dict[str, Any]  # empty before its start
    _folder: "tempfile.TemporaryDirectory[str] | None"  # on this machine, this hub's alone

    @property
    def info(self) -> dict[str, Any]:
        """What the hub reported when it was ready: names, ports and paths, as they are on this side."""
        if not self._info:
            raise LocalHubNotStarted
        return self._info

    @property
    def errors(self) -> str:
        """What the hub wrote to stderr since its start."""
        raise NotImplementedError

    def _of_plain_amqp(self, name: str) -> Any:
        if (value := self.info.get(name)) is None:
            raise RuntimeError("This hub has no port for AMQP without TLS: start it as LocalHub(amqp_plain=True).")
        return value

    def _exit_code(self) -> int | None:
        """The exit code of the hub's process; None while it runs."""
        raise NotImplementedError

    def _own_folder(self) -> Path:
        if self._folder is None:
            raise LocalHubNotStarted
        return Path(self._folder.name)

    @property
    def host_name(self) -> str:
        """Its name in service connection strings: with its port, unless that is 443."""
        return str(self.info["hostName"])

    @property
    def device_host_name(self) -> str:
        """Its name in device connection strings: without a port."""
        return self.host_name.partition(":")[0]

    @property
    def connection_string(self) -> str:
        """The connection string of iothubowner."""
        return str(self.info["connectionString"])

    @property
    def https_port(self) -> int:
        """The port of HTTPS, and of MQTT and AMQP over WebSocket."""
        return int(self.info["httpsPort"])

    @property
    def mqtt_port(self) -> int:
        """The port of MQTT over TLS."""
        return int(self.info["mqttPort"])

    @property
    def amqp_port(self) -> int:
        """The port of AMQP over TLS, of Event Hubs clients too."""
        return int(self.info["amqpPort"])

    @property
    def amqp_plain_port(self) -> int:
        """The port for AMQP without TLS, of a hub that was started with one."""
        return int(self._of_plain_amqp("amqpPlainPort"))

    @property
    def event_hubs_connection_string(self) -> str:
        """The connection string of its events for Event Hubs clients, over TLS."""
        return str(self.info["eventHubsConnectionString"])

    @property
    def event_hubs_emulator_connection_string(self) -> str:
        """The same for clients that take it as an emulator, without TLS; of a hub that was started with such a port."""
        return str(self._of_plain_amqp("eventHubsEmulatorConnectionString"))

    @property
    def ca_certificate_path(self) -> str:
        """The hub's CA, PEM."""
        return str(self.info["caCertificatePath"])

    @property
    def ca_bundle_path(self) -> str:
        """This machine's roots and the hub's CA, PEM."""
        return str(self.info["caBundlePath"])

    def environment(self) -> dict[str, str]:
        """Environment variables for az, Python, Node.js and curl, to reach this hub, trust it, and see no other one."""
        users_az = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
        return {
            **client_environment(self.info),
            "AZURE_CONFIG_DIR": str(self._own_folder() / "azure"),
            "AZURE_EXTENSION_DIR": os.environ.get("AZURE_EXTENSION_DIR") or str(users_az / "cliextensions"),
        }

    def request(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """One REST call with iothubowner's key; gives the document of the response, None when that is empty.

        method: such as "GET".  path: percent-encoded, such as "/twins/pump-1"; the api-version is added.
        body: a JSON value; None: there is none.  headers: beside those for the key and the type of the body.
        Raises LocalHubRefused for an error, LocalHubFailed when there is no response.
        """
        content = None if body is None else json.dumps(body).encode()
        text = self._exchange(method, path, content, {"Content-Type": "application/json", **(headers or {})})
        return json.loads(text) if text else None

    def _exchange(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        limit_s: float = REQUEST_LIMIT_S,
    ) -> bytes:
        """One REST call; gives the body of the response. Raises LocalHubRefused, LocalHubFailed."""
        target = f"{path}{'&' if '?' in path else '?'}api-version={API_VERSION}"
        context = ssl.create_default_context(cafile=self.ca_certificate_path)
        connection = http.client.HTTPSConnection(
            self.device_host_name, self.https_port, timeout=limit_s, context=context
        )
        try:
            connection.request(method, target, content, {"Authorization": self._token(), **headers})
            answer = connection.getresponse()
            received = answer.read()
        except (OSError, http.client.HTTPException) as err:
            raise LocalHubFailed(
                f"{method} {path}: no answer ({err!r})", exit_code=self._exit_code(), errors=self.errors
            ) from err
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            code, text = answer.headers.get("iothub-errorcode"), received.decode("utf-8", "replace")
            request = f"{method} {path}"
            raise LocalHubRefused(request, status=answer.status, error_code=code, text=text, errors=self.errors)
        return received

    def seed(self, document: Mapping[str, Any] | Path | str) -> dict[str, dict[str, int]]:
        """Create what a seed has and the hub has not: how many of each kind were `created`, and were `existing`.

        Nothing that is there is changed.

        document: such as {"devices": [{"deviceId": "pump-1"}]}, or the path of a file with it, YAML or JSON.
        Raises LocalHubRefused; then nothing was created.
        """
        is_file = isinstance(document, (str, Path))
        content = Path(document).read_bytes() if isinstance(document, (str, Path)) else json.dumps(document).encode()
        headers = {"Content-Type": "application/yaml" if is_file else "application/json"}
        return dict(json.loads(self._exchange("POST", "/_local/seed", content, headers, limit_s=SEED_LIMIT_S)))

    def export(self, *, keys: bool = False) -> dict[str, Any]:
        """What the hub holds, as a seed.

        keys: with the keys of devices and modules.
        """
        return dict(self.request("GET", f"/_local/seed?keys={str(keys).lower()}"))

    def snapshot(self) -> Snapshot:
        """All that the hub holds now, to go back to; in a `with` statement that happens at the end."""
        return Snapshot(self, self._exchange("GET", SNAPSHOT_PATH, None, {}))

    def restore(self, snapshot: Snapshot | Path | str) -> None:
        """Bring the hub to a snapshot. Devices are disconnected, and connect again.

        snapshot: of this hub or of another one, or the file of one.
        Raises LocalHubRefused for a file that is not a snapshot, is damaged or was made by a newer version; then
        nothing has changed.
        """
        content = snapshot.content if isinstance(snapshot, Snapshot) else Path(snapshot).read_bytes()
        self._exchange("PUT", SNAPSHOT_PATH, content, {"Content-Type": SNAPSHOT_TYPE})

    def fault(self, kind: str, **how: Any) -> Fault:
        """Request a fault of the hub; it happens until it is cleared, unless `how` limits it.

        kind: "latency" with delay_s, 0.001 to 3,600 s; "status" with status, 429, 500, 502, 503 or 504, and
        retry_after_s, 0 to 3,600 s; "drop"; "connack" with code, 3, which is the default, or 5; "no-ack"; "no-answer";
        "clock-skew" with skew_s, up to a year in s, below 0 for a clock behind.
        how: operation, "request", "connect", "telemetry", "twin", "method" or "token"; device, an id, or pump-* for
        all that begin so; route, such as "GET /twins/{id}"; method; times, 1 to 1,000,000; percent, 0.001 to 100, with
        seed, 0 or more; for_s, 0.001 s to a year.
        Raises LocalHubRefused for what the hub does not know.
        """
        return Fault(self, kind, **how)

    def faults(self) -> list[dict[str, Any]]:
        """The faults that were requested and not cleared, the oldest first; those that are over too."""
        return list(self.request("GET", "/_local/faults"))

    def clear_faults(self) -> None:
        """Clear all of them."""
        self.request("DELETE", "/_local/faults")

    def create_device(self, device_id: str, **members: Any) -> dict[str, Any]:
        """Register a device; gives its identity.

        members: of the identity, by the service's names, such as status or authentication.
        """
        path = f"/devices/{quote(device_id, safe='')}"
        return dict(self.request("PUT", path, {"deviceId": device_id, **members}))

    def device_connection_string(self, device_id: str, module_id: str | None = None) -> str:
        """The connection string of a registered device, or of a module on it.

        It has no port: SDKs always use 8883 and 443.
        """
        who = f"DeviceId={device_id}" if module_id is None else f"DeviceId={device_id};ModuleId={module_id}"
        authentication = self.request("GET", _identity_path(device_id, module_id))["authentication"]
        how = f"SharedAccessKey={authentication['symmetricKey']['primaryKey']}"
        if authentication["type"] != "sas":
            how = "x509=true"
        return f"HostName={self.device_host_name};{who};{how}"

    def device_token(self, device_id: str, module_id: str | None = None, *, life_s: int = DEVICE_TOKEN_LIFE_S) -> str:
        """A token by the own key of a registered device, or of a module on it, such as the password of an MQTT client.

        life_s: 1 second or more; below 1 it has ended already.
        """
        path = _identity_path(device_id, module_id)
        key = self.request("GET", path)["authentication"]["symmetricKey"]["primaryKey"]
        return sas_token(f"{self.device_host_name}{path}", key, life_s)

    def _simulation_settings(self) -> dict[str, Any]:
        parts = self._connection_parts()
        return {
            "host": self.device_host_name,
            "httpsPort": self.https_port,
            "mqttPort": self.mqtt_port,
            "caFile": self.ca_certificate_path,
            "policy": parts["SharedAccessKeyName"],
            "key": parts["SharedAccessKey"],
        }

    def _token(self) -> str:
        parts = self._connection_parts()
        token = sas_token(self.device_host_name, parts["SharedAccessKey"], TOKEN_LIFE_S)
        return f"{token}&skn={parts['SharedAccessKeyName']}"

    def _connection_parts(self) -> dict[str, str]:
        return dict(part.partition("=")[::2] for part in self.connection_string.split(";"))


def _identity_path(device_id: str, module_id: str | None) -> str:
    path = f"/devices/{quote(device_id, safe='')}"
    return path if module_id is None else f"{path}/modules/{quote(module_id, safe='')}"


def sas_token(resource: str, key: str, life_s: int) -> str:
    """A token that allows what its key does. resource: as it is signed, without a port.  key: base64."""
    resource, expiry = quote(resource, safe=""), int(time.time()) + life_s
    mac = hmac.new(base64.b64decode(key), f"{resource}\n{expiry}".encode(), hashlib.sha256)
    signature = quote(base64.b64encode(mac.digest()), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}"


def client_environment(info: Mapping[str, Any]) -> dict[str, str]:
    """Environment variables for az, Python, Node.js and curl, to reach a hub and to trust it.

    info: what the hub reported when it was ready.
    """
    earlier = dict.fromkeys(filter(None, map(os.environ.get, NO_PROXY)))
    past_proxies = ",".join([*earlier, "localhost,127.0.0.1"])
    return {
        "IOTJOBS_CONNECTION_STRING": str(info["connectionString"]),
        "REQUESTS_CA_BUNDLE": str(info["caBundlePath"]),
        "CURL_CA_BUNDLE": str(info["caBundlePath"]),
        "SSL_CERT_FILE": str(info["caBundlePath"]),
        "NODE_EXTRA_CA_CERTS": str(info["caCertificatePath"]),
        **dict.fromkeys(NO_PROXY, past_proxies),
        "IOTJOBS_LOCAL_HUB_HOST_NAME": str(info["hostName"]),
        "IOTJOBS_LOCAL_HUB_HTTPS_PORT": str(info["httpsPort"]),
        "IOTJOBS_LOCAL_HUB_MQTT_PORT": str(info["mqttPort"]),
        "IOTJOBS_LOCAL_HUB_AMQP_PORT": str(info["amqpPort"]),
        "IOTJOBS_LOCAL_HUB_EVENTS": str(info["eventHubsConnectionString"]),
        "IOTJOBS_LOCAL_HUB_CA": str(info["caCertificatePath"]),
    }
