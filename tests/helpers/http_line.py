"""One HTTPS connection to a hub, on which a test says every byte of a request's path: no library changes it."""

import http.client
import json
import ssl
from typing import Any

from tests.helpers.hub_process import API_VERSION, HubProcess

LIMIT_S = 30
VERSION = f"api-version={API_VERSION}"


class Answered:
    """One answer, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()
        self.error_code = response.headers.get("iothub-errorcode")

    def json(self) -> Any:
        return json.loads(self.text)


def tls(hub: HubProcess) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=hub.ca)


class Line:
    """One connection, on which one request comes after the other."""

    def __init__(self, hub: HubProcess) -> None:
        self.connection = http.client.HTTPSConnection("localhost", hub.ports[0], timeout=LIMIT_S, context=tls(hub))
        self._token = hub.token()

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Answered:
        """`target` is sent as it is, with the api-version behind it; a header's name has _ for -."""
        sent = {"Authorization": self._token, **{name.replace("_", "-"): value for name, value in headers.items()}}
        given = json.dumps(body) if isinstance(body, dict | list) else body
        self.connection.request(method, f"{target}{'&' if '?' in target else '?'}{VERSION}", given, sent)
        return Answered(self.connection.getresponse())
