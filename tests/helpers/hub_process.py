"""The local hub as a real process, without az in front, and raw requests to it.

The process is what users' tests get (`localhub.isolated`). The requests and their tokens are written out here, so that
a test says what is on the wire: they share no code with the client, nor with the hub.
"""

import base64
import hashlib
import hmac
import json as jsonlib
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from azext_iotjobs.localhub.testing.process import LocalHub

API_VERSION = "2021-04-12"
REQUEST_LIMIT_S = 60.0


def sas(key: str, resource: str, *, policy: str | None = None, life_s: float = 600) -> str:
    """A shared access signature, made by hand; `resource` is not yet percent-encoded."""
    encoded, expiry = quote(resource, safe=""), str(int(time.time() + life_s))
    mac = hmac.new(base64.b64decode(key), f"{encoded}\n{expiry}".encode(), hashlib.sha256).digest()
    token = f"SharedAccessSignature sr={encoded}&sig={quote(base64.b64encode(mac), safe='')}&se={expiry}"
    return token if policy is None else f"{token}&skn={policy}"


class HubProcess:
    """A hub that was started and is ready; `info` is the line that it said so with."""

    def __init__(self, data_dir: Path, *options: str, ports: tuple[int, int] = (0, 0)) -> None:
        self.data_dir = data_dir
        words = ("--https-port", str(ports[0]), "--mqtt-port", str(ports[1]), *options)
        self.local = LocalHub(*words, data_dir=data_dir).__enter__()
        self.info = self.local.info
        self.ca = self.local.ca_certificate_path
        self._host = self.local.device_host_name

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        return self.local.process

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        return self.local.errors

    @property
    def ports(self) -> tuple[int, int]:
        """HTTPS and MQTT: a hub that comes after this one can take them."""
        return self.local.https_port, self.local.mqtt_port

    @property
    def policies(self) -> dict[str, str]:
        """The policies' keys, from the data folder."""
        return dict(jsonlib.loads((self.data_dir / "policies.json").read_bytes()))

    def key(self, policy: str = "iothubowner") -> str:
        return self.policies[policy]

    def token(self, policy: str = "iothubowner", **more: Any) -> str:
        """A token for the whole hub."""
        return sas(self.key(policy), self._host, policy=policy, **more)

    def request(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        policy: str = "iothubowner",
        token: str | None = None,
        api_version: str | None = API_VERSION,
        session: requests.Session | None = None,
    ) -> requests.Response:
        """One request, whatever its answer.

        path: percent-encoded.  json: a document, absent when None; body replaces it.
        token: replaces a policy's; an empty one is no Authorization header.
        session: keeps its connection from one request to the next; None: this one has its own.
        """
        signed = self.token(policy) if token is None else token
        document = None if json is None else jsonlib.dumps(json).encode()
        return (session or requests).request(
            method,
            f"https://{self._host}:{self.ports[0]}{path}",
            headers={
                **({"Authorization": signed} if signed else {}),
                "Content-Type": "application/json",
                **(headers or {}),
            },
            params={**({} if api_version is None else {"api-version": api_version}), **(query or {})},
            data=document if body is None else body,
            verify=self.ca,
            proxies={"https": ""},
            timeout=REQUEST_LIMIT_S,
        )

    def ok(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        """One request that must succeed; gives its document."""
        response = self.request(method, path, json, **more)
        assert 200 <= response.status_code < 300, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def refused(self, method: str, path: str, json: Any = None, **more: Any) -> tuple[int, str | None]:
        """One request that must be refused; gives its status and the hub's word for it."""
        response = self.request(method, path, json, **more)
        assert not response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.status_code, response.headers.get("iothub-errorcode")

    def new_device(self, device_id: str, **members: Any) -> dict[str, Any]:
        """Register a device; gives its identity."""
        path = f"/devices/{quote(device_id, safe='')}"
        return dict(self.ok("PUT", path, {"deviceId": device_id, **members}))

    def events(self) -> list[dict[str, Any]]:
        """All that devices sent and the hub still keeps, page by page, oldest first."""
        found: list[dict[str, Any]] = []
        while page := self.ok("GET", f"/_local/events?after={(last := found[-1]['number'] if found else 0)}"):
            assert page[0]["number"] > last, "a page that was there already"
            found += page
        return found

    def events_of(self, device: str) -> list[dict[str, Any]]:
        """What one device sent, oldest first."""
        return [each for each in self.events() if each["deviceId"] == device]

    def wait_for_job(self, job: str) -> dict[str, Any]:
        deadline = time.monotonic() + REQUEST_LIMIT_S
        while True:
            found: dict[str, Any] = self.ok("GET", f"/jobs/v2/{job}")
            if found["status"] in ("completed", "failed", "cancelled"):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def stop(self) -> int:
        """End it with a termination signal; gives the exit code."""
        code = self.local.stop()
        self.local.close()
        return code

    def kill(self) -> None:
        """End it as a power cut would."""
        self.local.kill()
        self.local.close()

    def __enter__(self) -> "HubProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
