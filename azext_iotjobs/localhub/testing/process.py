"""A local hub as a process of its own, for tests and other programs. Standard library only.

Strategy: it is the ordinary hub, isolated by its options: free ports, a data folder that is removed when it is closed,
and a folder for az that names no other hub. It ends with this process, even when that is killed: its standard input is
a pipe from this process.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

API_VERSION = "2021-04-12"
PACKAGE_PARENT = Path(__file__).resolve().parents[3]
READY_LIMIT_S = 60.0  # half a second is usual; a loaded machine may need more
END_LIMIT_S = 30.0
REQUEST_LIMIT_S = 330.0  # a direct method may take 300 s
TOKEN_LIFE_S = 600
LOG = "hub.log"
ALL_PORTS = (  # an option, and where the hub reports its value
    ("--https-port", "httpsPort"),
    ("--mqtt-port", "mqttPort"),
    ("--amqp-port", "amqpPort"),
)
AMQP_PLAIN_PORT = (("--amqp-plain-port", "amqpPlainPort"),)


class LocalHubFailed(Exception):
    """The hub's process did not start, or does not answer; the text includes what it wrote to stderr."""

    def __init__(self, what: str, *, exit_code: int | None, errors: str) -> None:
        super().__init__(f"{what} (exit code {exit_code}). It wrote:\n{errors or '(nothing)'}")
        self.exit_code = exit_code  # None: it runs
        self.errors = errors


class LocalHubRefused(Exception):
    """The hub answered with an error."""

    def __init__(self, request: str, *, status: int, error_code: str | None, text: str, errors: str) -> None:
        log = f"\nThe hub wrote:\n{errors}" if status >= 500 and errors else ""
        super().__init__(f"{request}: {status} {error_code}: {text}{log}")
        self.status = status
        self.error_code = error_code  # the symbolic name, such as DeviceNotFound
        self.text = text


class LocalHub:
    """A local hub: `with LocalHub() as hub`, or start() and close()."""

    def __init__(
        self,
        *options: str,
        data_dir: Path | str | None = None,
        sku: str | None = None,
        units: int = 1,
        amqp_plain: bool = False,
        seed: Path | str | Mapping[str, Any] | None = None,
    ) -> None:
        """Describe a hub; it is not started yet.

        options: as in `python -m azext_iotjobs.localhub --help`; without ports among them, free ones are used.
        data_dir: where devices, twins and jobs are stored; None: in memory.
        sku, units: the tier whose quotas apply, "F1", "S1", "S2" or "S3"; None: nothing is limited.
        amqp_plain: whether it has a port for AMQP without TLS too, for Event Hubs clients.
        seed: what it begins with, a file of YAML or JSON or such a document; None: nothing.
        """
        self._ports = (*ALL_PORTS, *(AMQP_PLAIN_PORT if amqp_plain else ()))
        self._options = (*(("--sku", sku, "--units", str(units)) if sku else ()), *options)
        self._data_dir = Path(data_dir).absolute() if data_dir is not None else None
        self._seed = Path(seed).absolute() if isinstance(seed, (str, Path)) else seed
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._last_errors = ""  # once the log file is removed
        self._info: dict[str, Any] = {}

    def start(self) -> None:
        """Start it and wait until it is ready. A stopped one is started again, on the same ports.

        Raises LocalHubFailed; then it is closed.
        """
        assert self._process is None or self._process.poll() is not None, "this hub runs already"
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="iotjobs-", ignore_cleanup_errors=os.name == "nt")
        self._process = self._spawn(
            tuple(word for option, member in self._ports for word in (option, str(self._info.get(member, 0))))
        )
        line = _first_line(self._process)
        if not line:
            code = self._end()
            self.close()
            raise LocalHubFailed("The local hub did not start", exit_code=code, errors=self.errors)
        self._info = json.loads(line)

    def stop(self) -> int:
        """End it cleanly; gives the exit code. Its data stay until close()."""
        if self.process.poll() is None:
            if sys.platform == "win32" and self.process.stdin is not None:
                self.process.stdin.close()  # it ends with its standard input; there, terminate() would kill it
            else:
                self.process.terminate()
        return self._end()

    def kill(self) -> int:
        """End it as a crash would; gives the exit code."""
        if self.process.poll() is None:
            self.process.kill()
        return self._end()

    def close(self) -> None:
        """End it, and remove its folder."""
        if self._process is not None:
            self.stop()
        if self._folder is not None:
            self._last_errors = self.errors
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> "LocalHub":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The hub's process, also when it has ended."""
        assert self._process is not None, "this hub was not started"
        return self._process

    @property
    def info(self) -> dict[str, Any]:
        """What it reported when it was ready: names, ports and paths."""
        return self._info

    @property
    def errors(self) -> str:
        """What it wrote to stderr since its start."""
        if self._folder is None:
            return self._last_errors
        return (Path(self._folder.name) / LOG).read_text(encoding="utf-8", errors="replace")

    @property
    def host_name(self) -> str:
        """Its name in service connection strings: with its port, unless that is 443."""
        return str(self._info["hostName"])

    @property
    def device_host_name(self) -> str:
        """Its name in device connection strings: without a port."""
        return self.host_name.partition(":")[0]

    @property
    def connection_string(self) -> str:
        """The connection string of iothubowner."""
        return str(self._info["connectionString"])

    @property
    def https_port(self) -> int:
        return int(self._info["httpsPort"])

    @property
    def mqtt_port(self) -> int:
        return int(self._info["mqttPort"])

    @property
    def amqp_port(self) -> int:
        return int(self._info["amqpPort"])

    @property
    def amqp_plain_port(self) -> int:
        """The port for AMQP without TLS, of a hub that was started with one."""
        return int(self._info["amqpPlainPort"])

    @property
    def event_hubs_connection_string(self) -> str:
        """The connection string of its events for Event Hubs clients, over TLS."""
        return str(self._info["eventHubsConnectionString"])

    @property
    def event_hubs_emulator_connection_string(self) -> str:
        """The same for clients that take it as an emulator, without TLS; of a hub that was started with such a port."""
        return str(self._info["eventHubsEmulatorConnectionString"])

    @property
    def ca_certificate_path(self) -> str:
        """The hub's CA, PEM."""
        return str(self._info["caCertificatePath"])

    @property
    def ca_bundle_path(self) -> str:
        """This machine's roots and the hub's CA, PEM."""
        return str(self._info["caBundlePath"])

    def environment(self) -> dict[str, str]:
        """Environment variables for az, Python, Node.js and curl, to reach this hub, trust it, and see no other one."""
        assert self._folder is not None, "this hub was not started"
        users_az = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
        past_proxies = [
            *filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy")]),
            "localhost,127.0.0.1",
        ]
        return {
            "IOTJOBS_CONNECTION_STRING": self.connection_string,
            "AZURE_CONFIG_DIR": str(Path(self._folder.name) / "azure"),
            "AZURE_EXTENSION_DIR": os.environ.get("AZURE_EXTENSION_DIR") or str(users_az / "cliextensions"),
            "REQUESTS_CA_BUNDLE": self.ca_bundle_path,
            "CURL_CA_BUNDLE": self.ca_bundle_path,
            "SSL_CERT_FILE": self.ca_bundle_path,
            "NODE_EXTRA_CA_CERTS": self.ca_certificate_path,
            "NO_PROXY": ",".join(past_proxies),
        }

    def request(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """One REST call with iothubowner's key; gives the document of the response, None when that is empty.

        path: percent-encoded, such as "/twins/pump-1"; the api-version is added.  body: a JSON value.
        Raises LocalHubRefused for an error, LocalHubFailed when there is no response.
        """
        target = f"{path}{'&' if '?' in path else '?'}api-version={API_VERSION}"
        context = ssl.create_default_context(cafile=self.ca_certificate_path)
        connection = http.client.HTTPSConnection(
            self.device_host_name, self.https_port, timeout=REQUEST_LIMIT_S, context=context
        )
        sent = {"Authorization": self._token(), "Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, target, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as err:
            raise LocalHubFailed(
                f"{method} {path}: no answer ({err!r})", exit_code=self.process.poll(), errors=self.errors
            ) from err
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            code = answer.headers.get("iothub-errorcode")
            request = f"{method} {path}"
            raise LocalHubRefused(request, status=answer.status, error_code=code, text=text, errors=self.errors)
        return json.loads(text) if text else None

    def seed(self, document: Mapping[str, Any]) -> dict[str, dict[str, int]]:
        """Create what a seed has and the hub has not: how many of each kind were `created`, and were `existing`.

        Nothing that is there is changed. Raises LocalHubRefused; then nothing was created.
        """
        return dict(self.request("POST", "/_local/seed", document))

    def export(self, *, keys: bool = False) -> dict[str, Any]:
        """What the hub holds, as a seed. keys: with the keys of devices and modules."""
        return dict(self.request("GET", f"/_local/seed?keys={str(keys).lower()}"))

    def create_device(self, device_id: str, **members: Any) -> dict[str, Any]:
        """Register a device; gives its identity. members: of the identity, such as status or authentication."""
        path = f"/devices/{quote(device_id, safe='')}"
        return dict(self.request("PUT", path, {"deviceId": device_id, **members}))

    def device_connection_string(self, device_id: str, module_id: str | None = None) -> str:
        """The connection string of a registered device, or of a module on it.

        It has no port: SDKs always use 8883 and 443.
        """
        path, who = f"/devices/{quote(device_id, safe='')}", f"DeviceId={device_id}"
        if module_id is not None:
            path, who = f"{path}/modules/{quote(module_id, safe='')}", f"{who};ModuleId={module_id}"
        authentication = self.request("GET", path)["authentication"]
        how = f"SharedAccessKey={authentication['symmetricKey']['primaryKey']}"
        if authentication["type"] != "sas":
            how = "x509=true"
        return f"HostName={self.device_host_name};{who};{how}"

    def _spawn(self, ports: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        assert self._folder is not None
        own = Path(self._folder.name)
        with open(own / LOG, "wb") as log:
            return self._start_process(self._words(own, ports), own, log)

    def _words(self, own: Path, ports: tuple[str, ...]) -> list[str]:
        return [
            "--end-with-stdin",
            *ports,
            *(
                ("--data-dir", str(self._data_dir))
                if self._data_dir
                else ("--data-dir", str(own / "hub"), "--in-memory")
            ),
            *("--state-dir", str(own / "azure" / "iotjobs" / "hubs")),
            *self._seed_option(own),
            *self._options,  # the last one counts of an option that is given twice
        ]

    def _seed_option(self, own: Path) -> tuple[str, ...]:
        if self._seed is None:
            return ()
        if isinstance(self._seed, Path):
            return ("--seed", str(self._seed))
        file = own / "seed.json"
        file.write_text(json.dumps(self._seed), encoding="utf-8")
        return ("--seed", str(file))

    def _start_process(self, words: list[str], folder: Path, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start the hub with these arguments. folder: where it runs; -m searches it first: it is empty."""
        paths = [str(PACKAGE_PARENT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(
            [sys.executable, "-m", "azext_iotjobs.localhub", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )

    def _end(self) -> int:
        try:
            code = self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code

    def _token(self) -> str:
        parts = dict(part.partition("=")[::2] for part in self.connection_string.split(";"))
        resource, expiry = quote(self.device_host_name, safe=""), int(time.time()) + TOKEN_LIFE_S
        mac = hmac.new(base64.b64decode(parts["SharedAccessKey"]), f"{resource}\n{expiry}".encode(), hashlib.sha256)
        signature = quote(base64.b64encode(mac.digest()), safe="")
        return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={parts['SharedAccessKeyName']}"


def _first_line(process: "subprocess.Popen[bytes]") -> bytes:
    """The line that a hub prints when it is ready; b"" when it ended instead, or was killed because it was late."""
    assert process.stdout is not None
    late = threading.Timer(READY_LIMIT_S, process.kill)
    late.start()
    try:
        with process.stdout:
            return process.stdout.readline()
    finally:
        late.cancel()
