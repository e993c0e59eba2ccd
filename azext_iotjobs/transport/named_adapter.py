"""For requests: connections that are made to the URL's host, and go by another name in TLS."""

from typing import Any

from requests.adapters import HTTPAdapter


class NamedAdapter(HTTPAdapter):
    """host: whom the other side has to prove to be."""

    def __init__(self, host: str) -> None:
        self._host = host
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, server_hostname=self._host, **kwargs)
