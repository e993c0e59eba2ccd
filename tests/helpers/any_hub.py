"""Raw requests to a hub, whichever it is: a local one (`HubProcess`) or one that runs apart (`RealHub`).

The requests and their tokens are written out here, so that a test says what is on the wire: they share no code with the
client, nor with the local hub.
"""

import base64
import hashlib
import hmac
import json as jsonlib
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

import requests

API_VERSION = "2021-04-12"
REQUEST_LIMIT_S = 60.0
THROTTLED_LIMIT_S = 300.0  # how long a request of a real hub is repeated that is throttled
THROTTLED_PAUSE_S = 10.0  # what the service's own refusal says
PREFIX = "iotjobs-test-"  # of every device and job that tests make in a hub that runs apart


def sas(key: str, resource: str, *, policy: str | None = None, life_s: float = 600) -> str:
    """A shared access signature, made by hand; `resource` is not yet percent-encoded."""
    encoded, expiry = quote(resource, safe=""), str(int(time.time() + life_s))
    mac = hmac.new(base64.b64decode(key), f"{encoded}\n{expiry}".encode(), hashlib.sha256).digest()
    token = f"SharedAccessSignature sr={encoded}&sig={quote(base64.b64encode(mac), safe='')}&se={expiry}"
    return token if policy is None else f"{token}&skn={policy}"


class AnyHub:
    """What every hub can be asked.

    host: its name, without a port.  ca: a file that its certificate is checked with; None: what the system trusts.
    policy: of whose key requests are signed, unless they name another.
    prefix: of the names that tests give to devices and jobs.
    """

    host: str
    https_port: int = 443
    mqtt_port: int = 8883
    amqp_port: int = 5671
    ca: str | None = None
    policy: str = "iothubowner"
    prefix: str = ""
    proxies: Mapping[str, str] | None = None  # None: as the environment says

    def key(self, policy: str | None = None) -> str:
        """The key of a policy, base64."""
        raise NotImplementedError

    def token(self, policy: str | None = None, *, life_s: float = 600) -> str:
        """A token for the whole hub."""
        return sas(self.key(policy), self.host, policy=policy or self.policy, life_s=life_s)

    def request(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        policy: str | None = None,
        token: str | None = None,
        api_version: str | None = API_VERSION,
        session: requests.Session | None = None,
    ) -> requests.Response:
        """One request, whatever its answer.

        path: percent-encoded.  json: a document, absent when None; body replaces it.
        token: replaces a policy's; an empty one is no Authorization header.
        session: whose connection it takes; None: that of this thread's requests to this hub.
        """
        signed = self.token(policy) if token is None else token
        document = None if json is None else jsonlib.dumps(json).encode()
        return (session or self._session()).request(
            method,
            f"https://{self.host}:{self.https_port}{path}",
            headers={
                **({"Authorization": signed} if signed else {}),
                "Content-Type": "application/json",
                **(headers or {}),
            },
            params={**({} if api_version is None else {"api-version": api_version}), **(query or {})},
            data=document if body is None else body,
            verify=True if self.ca is None else self.ca,
            proxies=None if self.proxies is None else dict(self.proxies),
            timeout=REQUEST_LIMIT_S,
        )

    def _session(self) -> requests.Session:
        """Keeps a connection: to make one takes most of a request's time."""
        sessions: threading.local = self.__dict__.setdefault("_sessions", threading.local())
        if not hasattr(sessions, "kept"):
            sessions.kept = requests.Session()
        kept: requests.Session = sessions.kept
        return kept

    def ok(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        """One request that must succeed; gives its document."""
        response = self.request(method, path, json, **more)
        assert 200 <= response.status_code < 300, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def refused(self, method: str, path: str, json: Any = None, **more: Any) -> tuple[int, str | None]:
        """One request that must be refused; gives its status and the hub's error code."""
        response = self.request(method, path, json, **more)
        assert not response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.status_code, response.headers.get("iothub-errorcode")

    def new_device(self, device_id: str, **members: Any) -> dict[str, Any]:
        """Register a device; gives its identity."""
        path = f"/devices/{quote(device_id, safe='')}"
        return dict(self.ok("PUT", path, {"deviceId": device_id, **members}))

    def wait_for_job(self, job: str) -> dict[str, Any]:
        deadline = time.monotonic() + REQUEST_LIMIT_S
        while True:
            found: dict[str, Any] = self.ok("GET", f"/jobs/v2/{job}")
            if found["status"] in ("completed", "failed", "cancelled"):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.02 if self.is_local else 1.0)

    @property
    def is_local(self) -> bool:
        """Whether a test may do with the hub what it likes."""
        return False


class RealHub(AnyHub):
    """A hub that runs apart, and that others may use too: what tests make in it is removed at the end.

    query_lag_s: how long the hub's queries may be behind its writes; a query or job that follows a write waits for it.
    """

    def __init__(self, connection_string: str, environment: Mapping[str, str] = os.environ) -> None:
        parts = dict(part.partition("=")[::2] for part in connection_string.split(";"))
        self.host, _, port = parts["HostName"].partition(":")
        self.https_port = int(port or 443)
        self.mqtt_port = int(environment.get("IOTJOBS_TEST_HUB_MQTT_PORT", "8883"))
        self.amqp_port = int(environment.get("IOTJOBS_TEST_HUB_AMQP_PORT", "5671"))
        self.ca = environment.get("REQUESTS_CA_BUNDLE") or None
        self.policy = parts["SharedAccessKeyName"]
        self.prefix = f"{PREFIX}{secrets.token_hex(3)}-"
        self.query_lag_s = float(environment.get("IOTJOBS_TEST_HUB_QUERY_LAG_S", "10"))
        self._key = parts["SharedAccessKey"]
        self._written_s = -self.query_lag_s
        self._devices: set[str] = set()
        self._jobs: set[str] = set()

    def key(self, policy: str | None = None) -> str:
        assert policy in (None, self.policy), f"the connection string has no key of {policy}"
        return self._key

    def request(self, method: str, path: str, json: Any = None, **more: Any) -> requests.Response:
        """As of every hub; repeated while it is throttled, and not ahead of what queries know."""
        if path == "/devices/query" or (method == "PUT" and path.startswith("/jobs/v2/")):
            time.sleep(max(0.0, self._written_s + self.query_lag_s - time.monotonic()))
        elif method != "GET":
            self._written_s = time.monotonic()
        deadline = time.monotonic() + THROTTLED_LIMIT_S
        while True:
            response = super().request(method, path, json, **more)
            if response.status_code != 429 or time.monotonic() > deadline:
                break
            time.sleep(THROTTLED_PAUSE_S)
        if response.ok:
            self._remember(method, path, json)
        return response

    def remove_all(self) -> None:
        """Remove the devices that were made, and cancel jobs that wait for their time."""
        with requests.Session() as session:
            for job in sorted(self._jobs):
                self.request("POST", f"/jobs/v2/{job}/cancel", session=session)
            devices = sorted(self._devices | set(self._queried()))
            for first in range(0, len(devices), 100):
                items = [{"id": each, "importMode": "delete"} for each in devices[first : first + 100]]
                self.request("POST", "/devices", items, session=session)
            paths = [f"/devices/{quote(each, safe='')}" for each in devices]
            left = [path for path in paths if self.request("GET", path, session=session).ok]
        assert left == [], f"these devices could not be removed: {left}"

    def _remember(self, method: str, path: str, json: Any) -> None:
        parts = path.partition("?")[0].strip("/").split("/")
        if method == "PUT" and parts[0] == "devices" and len(parts) == 2:
            self._devices.add(unquote(parts[1]))
        elif method == "PUT" and parts[:2] == ["jobs", "v2"]:
            self._jobs.add(parts[2])
        elif method == "POST" and parts == ["devices"] and isinstance(json, list):
            self._devices.update(each["id"] for each in json if isinstance(each, dict) and "id" in each)

    def _queried(self) -> Iterator[str]:
        """The devices with our prefix that a query knows of."""
        query = {"query": f"SELECT * FROM devices WHERE STARTSWITH(deviceId, '{self.prefix}')"}
        continuation: str | None = None
        while True:
            headers = {} if continuation is None else {"x-ms-continuation": continuation}
            response = self.request("POST", "/devices/query", query, headers=headers)
            yield from (each["deviceId"] for each in response.json())
            continuation = response.headers.get("x-ms-continuation")
            if not continuation:
                return
