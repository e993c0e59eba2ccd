"""What the environment says on the way to a hub: what of it counts, and what does not.

Strategy: proxies and bundles of authorities count, as people rely on them; whatever would put something else into our
requests does not. docs/errors.md has the list.
"""

import os
import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import NamedTuple

import requests
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # the first that is set counts, as for requests
KEY_LOG = "SSLKEYLOGFILE"
PROXY_HINT = "Check HTTPS_PROXY, ALL_PROXY and NO_PROXY."
PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class Bundle(NamedTuple):
    """Authorities to trust."""

    variable: str  # that names it; "" for one that was given otherwise
    path: str  # of a PEM file, or of a folder that OpenSSL's rehash has prepared

    def load_into(self, context: ssl.SSLContext) -> None:
        """Let a context trust them too. Raises OSError (ssl.SSLError is one)."""
        is_folder = os.path.isdir(self.path)
        context.load_verify_locations(None if is_folder else self.path, self.path if is_folder else None)

    def unusable(self, why: object) -> str:
        """Say that it cannot be used."""
        named = f"{self.variable}={self.path}" if self.variable else self.path
        return f"The CA file {named} cannot be used ({why})."

    def problem(self) -> str | None:
        """Why it cannot be used; None: it can."""
        try:
            self.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        except OSError as err:
            return self.unusable(getattr(err, "reason", None) or err.strerror or err)
        return None


def ca_bundle() -> Bundle | None:
    """The authorities that the environment names."""
    return next((Bundle(name, os.environ[name]) for name in BUNDLE_VARIABLES if os.environ.get(name)), None)


def key_log_problem() -> str | None:
    """Why the log of TLS secrets that the environment names cannot be written; None: it can, or none is named."""
    path = os.environ.get(KEY_LOG)
    if not path:
        return None
    try:
        with open(os.path.expandvars(path), "ab"):
            return None
    except OSError as err:
        return (
            f"{KEY_LOG}={path}: no TLS secrets can be written there ({err.strerror}). Unset it, or name another file."
        )


def proxy_scheme(url: str) -> str | None:
    """How the proxy that the environment names for `url` is spoken to, such as http; None: there is none.

    Raises ValueError for one that is no URL; its text does not show the proxy's password.
    """
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    try:
        parts = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationParseError:
        parts = None
    if parts is None or not parts.host:
        raise ValueError("the proxy that is set is no URL such as http://proxy:3128")
    if parts.scheme not in PROXY_SCHEMES:
        raise ValueError(f"the proxy that is set begins with none of {', '.join(PROXY_SCHEMES)}")
    return parts.scheme


def new_session() -> requests.Session:
    """A session whose requests hold what we put into them, and no cookie that a hub or a proxy has set."""
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def keep_our_header(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Given as `auth`: without one requests looks into ~/.netrc, and sends a password from there instead of ours."""
    return request
