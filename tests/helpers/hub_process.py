"""The local hub as a real process, without az in front, and a raw REST client for it.

The client shares no code with the extension: what it sends and reads is written out here, so that a test says what is
on the wire.
"""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

REPOSITORY = Path(__file__).resolve().parents[2]
READY_LIMIT_S = 30
API_VERSION = "2021-04-12"


def sas(key: str, resource: str, *, policy: str | None = None, life_s: float = 600) -> str:
    """A shared access signature, made by hand."""
    encoded, expiry = quote(resource, safe=""), str(int(time.time() + life_s))
    mac = hmac.new(base64.b64decode(key), f"{encoded}\n{expiry}".encode(), hashlib.sha256).digest()
    token = f"SharedAccessSignature sr={encoded}&sig={quote(base64.b64encode(mac), safe='')}&se={expiry}"
    return token if policy is None else f"{token}&skn={policy}"


@dataclass
class HubProcess:
    """A running hub."""

    process: "subprocess.Popen[bytes]"
    info: dict[str, Any]  # what it printed when it was ready

    @classmethod
    def start(cls, data_dir: Path, *options: str) -> "HubProcess":
        """Start a hub on free ports and wait until it is ready."""
        process = subprocess.Popen(
            [
                sys.executable, "-m", "azext_iotjobs.localhub", "--https-port", "0", "--mqtt-port", "0",
                "--data-dir", str(data_dir), *options,
            ],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        with process.stdout:
            line = process.stdout.readline()
        assert line, f"the hub ended with {process.wait(READY_LIMIT_S)}"
        return cls(process, json.loads(line))

    @property
    def policies(self) -> dict[str, str]:
        """The policies' keys, from the hub's own folder."""
        keys: dict[str, str] = json.loads((Path(self.info["dataDirectory"]) / "policies.json").read_text())
        return keys

    def token(self, policy: str = "iothubowner", **more: Any) -> str:
        return sas(self.policies[policy], "localhost", policy=policy, **more)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        token: str | None = None,
        api_version: str | None = API_VERSION,
        data: bytes | None = None,
    ) -> requests.Response:
        """One REST call, whatever its answer; an empty token is no Authorization header."""
        url = f"https://localhost:{self.info['httpsPort']}{path}"
        if api_version is not None:
            url += f"{'&' if '?' in path else '?'}api-version={api_version}"
        return requests.request(
            method,
            url,
            headers={
                **({} if token == "" else {"Authorization": token or self.token()}),
                "Content-Type": "application/json",
                **(headers or {}),
            },
            data=data if data is not None else None if body is None else json.dumps(body),
            verify=self.info["caCertificatePath"],
            proxies={"https": ""},
            timeout=60,
        )

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """One REST call that must succeed; gives its document."""
        response = self.request(method, path, body, **more)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str | None]:
        """One REST call that must be refused; gives its status and the hub's word for it."""
        response = self.request(method, path, body, **more)
        assert not response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response.status_code, response.headers.get("iothub-errorcode")

    def new_device(self, device: str) -> dict[str, Any]:
        created: dict[str, Any] = self.ok("PUT", f"/devices/{device}", {"deviceId": device})
        return created

    def wait_for_job(self, job: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while True:
            found: dict[str, Any] = self.ok("GET", f"/jobs/v2/{job}")
            if found["status"] in ("completed", "failed", "cancelled"):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def stop(self) -> int:
        """End it cleanly; gives the exit code."""
        self.process.terminate()
        return self.process.wait(30)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(30)
