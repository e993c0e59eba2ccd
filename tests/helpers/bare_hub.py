"""A local hub as a real process, and raw HTTPS requests to it; it makes its own tokens, without the client."""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

REPOSITORY = Path(__file__).resolve().parents[2]
READY_LIMIT_S = 60.0  # it is ready in under 2 s; a loaded machine may need more
API_VERSION = "2021-04-12"
REQUEST_LIMIT_S = 60.0


def token(resource: str, key: str, *, policy: str | None = None, expires_at: int | None = None) -> str:
    """A shared access signature for `resource`, not yet percent-encoded; it lasts an hour if not said otherwise."""
    encoded = quote(resource, safe="")
    expires_at = int(time.time()) + 3600 if expires_at is None else expires_at
    signature = hmac.new(base64.b64decode(key), f"{encoded}\n{expires_at}".encode(), hashlib.sha256).digest()
    text = f"SharedAccessSignature sr={encoded}&sig={quote(base64.b64encode(signature), safe='')}&se={expires_at}"
    return text if policy is None else f"{text}&skn={policy}"


def spawn(*words: str) -> "subprocess.Popen[str]":
    """Start `python -m azext_iotjobs.localhub` with these arguments, away from the checkout."""
    return subprocess.Popen(
        [sys.executable, "-m", "azext_iotjobs.localhub", *words],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class HubProcess:
    """A hub that was started and is ready; `info` is the line that it said so with."""

    def __init__(self, data_dir: Path, *options: str, ports: tuple[int, int] = (0, 0)) -> None:
        self.data_dir = data_dir
        words = ("--https-port", str(ports[0]), "--mqtt-port", str(ports[1]), "--data-dir", str(data_dir), *options)
        self.process = spawn(*words)
        assert self.process.stdout is not None
        late = threading.Timer(READY_LIMIT_S, self.process.kill)
        late.start()
        line = self.process.stdout.readline()
        late.cancel()
        if not line:
            raise AssertionError(f"the hub did not start: {self.process.communicate()[1]}")
        self.info: dict[str, Any] = json.loads(line)
        self.base = f"https://localhost:{self.info['httpsPort']}"
        self.ca = str(self.info["caCertificatePath"])

    @property
    def ports(self) -> tuple[int, int]:
        """HTTPS and MQTT: a hub that comes after this one can take them."""
        return int(self.info["httpsPort"]), int(self.info["mqttPort"])

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        policy: str = "iothubowner",
        authorization: str | None = None,
        api_version: str | None = API_VERSION,
    ) -> requests.Response:
        """One request on a connection of its own. `path` is percent-encoded; `authorization` replaces our own token."""
        signed = token("localhost", self.key(policy), policy=policy) if authorization is None else authorization
        return requests.request(
            method,
            self.base + path,
            json=json,
            data=body,
            headers={**({"Authorization": signed} if signed else {}), **(headers or {})},
            params={**({} if api_version is None else {"api-version": api_version}), **(query or {})},
            verify=self.ca,
            proxies={"https": ""},
            timeout=REQUEST_LIMIT_S,
        )

    def ok(self, method: str, path: str, **options: Any) -> Any:
        """The document of a request that must succeed."""
        answer = self.request(method, path, **options)
        assert 200 <= answer.status_code < 300, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def new_device(self, device_id: str, **members: Any) -> dict[str, Any]:
        """Register a device; gives its identity."""
        document = {"deviceId": device_id, **members}
        return dict(self.ok("PUT", f"/devices/{quote(device_id, safe='')}", json=document))

    def key(self, policy: str = "iothubowner") -> str:
        """A policy's key, from the data folder."""
        return str(json.loads((self.data_dir / "policies.json").read_bytes())[policy])

    def stop(self) -> int:
        """End it with a termination signal; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self._wait()

    def _wait(self) -> int:
        try:
            self.errors = self.process.communicate(timeout=READY_LIMIT_S)[1]
        except ValueError:  # both pipes are read and closed already
            pass
        return int(self.process.returncode)

    def __enter__(self) -> "HubProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
