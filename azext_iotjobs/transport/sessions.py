"""The sessions of `requests` as we use them: with the proxy that the environment names, and nothing else out of it.

docs/reference/errors.md lists what of the environment counts.
"""

import os
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from azext_iotjobs.transport.trust import BUNDLE_VARIABLES

PROXY_HINT = "Check HTTPS_PROXY, ALL_PROXY and NO_PROXY."
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class NamedAdapter(HTTPAdapter):
    """Connections to the URL's host that go by another name in TLS.

    host: the name that the server's certificate must have.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, server_hostname=self._host, **kwargs)


def new_session() -> requests.Session:
    """A session whose requests hold what we put into them, and no cookie that a hub or a proxy has set."""
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def environment(*, of_trust: bool, of_proxies: bool) -> tuple[str | None, ...]:
    """What the environment says now of authorities and proxies, to be compared with what it said before."""
    names = (*(BUNDLE_VARIABLES if of_trust else ()), *(PROXY_VARIABLES if of_proxies else ()))
    return tuple([os.environ.get(name) for name in names])


def keep_our_header(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Given as `auth`: without one requests looks into ~/.netrc, and sends a password from there instead of ours."""
    return request


def proxy_scheme(url: str) -> str | None:
    """The scheme of the proxy that the environment names for `url`, such as http; None: there is no proxy.

    Raises ValueError for one that is no URL; its text does not show the proxy's password.
    """
    proxy = proxy_of(url)
    return None if proxy is None else proxy.scheme


def proxy_of(url: str) -> Url | None:
    """The proxy that the environment names for `url`; errors as for `proxy_scheme`."""
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationParseError:
        parts = None
    if parts is None or not parts.host:
        raise ValueError("the proxy that is set is not a URL such as http://proxy:3128")
    if parts.scheme not in PROXY_SCHEMES:
        raise ValueError(f"the proxy that is set begins with none of {', '.join(PROXY_SCHEMES)}")
    return parts
