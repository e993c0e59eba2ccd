"""Where a team's store is: a URL of PostgreSQL, with what we add to it. Pure.

`postgresql://user@host:5432/database?schema=iotjobs&sslmode=…`: as libpq reads it, but for `schema`, which is ours, and
for passwords, which may not stand there: other users see arguments of processes, and shells keep them.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.text import Text

SCHEMES = ("postgresql", "postgres")
SCHEMA = "iotjobs"
SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
OF_DATABASE = ("host", "hostaddr", "port", "dbname", "service")
SECRETS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")


class Place(NamedTuple):
    """A database, and the schema of it in which the tables are."""

    url: str  # for libpq, without `schema`
    schema: str
    shown: str  # for people
    is_near: bool  # by this machine's loopback or a socket of it
    has_user: bool
    is_verified: bool  # the server's certificate is, where it has to show one
    has_host: bool
    has_address: bool
    has_mode: bool  # of TLS


def is_place(text: str) -> bool:
    """Whether a text means a store in PostgreSQL."""
    return urlsplit(text.strip()).scheme in SCHEMES


def parse_place(text: str) -> Place:
    """Read a URL. Raises BadValue, which never repeats a password."""
    try:
        url = urlsplit(text.strip())
        typed = parse_qsl(url.query, keep_blank_values=True)
    except ValueError as err:
        raise BadValue(f"The store is no URL: {err}.", hint=_AS_AN_EXAMPLE) from err
    if url.scheme not in SCHEMES:
        raise BadValue("The store is no URL that begins with postgresql://.", hint=_AS_AN_EXAMPLE)
    if url.password is not None or any(name.strip().lower() in SECRETS for name, _ in typed):
        raise BadValue(
            "The store's URL holds a password: other users of this machine could see it, and the shell keeps it.",
            hint=Text.of(
                "Leave it out there, and give it in the environment (PGPASSWORD), in a file ({store_password_file}, or "
                "~/.pgpass), or sign in with az's login ({store_auth} login)."
            ),
        )
    # So it is, too, where a / ? or # of a password ends what is read as the host: nothing of it is repeated.
    has_odd_port = any(port and not port.isdecimal() for _, port in _hosts(url.netloc))
    if has_odd_port or "@" in url.path or url.fragment or any("@" in name for name, _ in typed):
        raise BadValue(
            "The store's URL cannot be read: it is postgresql://ROLE@HOST:PORT/DATABASE, with a port in digits, and "
            "other characters than letters, digits and -._~ written as %XX.",
            hint="A password does not belong there.",
        )
    schemas = [value for name, value in typed if name == "schema"]
    schema = schemas[-1] if schemas else SCHEMA
    if not SCHEMA_NAME.fullmatch(schema):
        raise BadValue(
            f"The store's schema is {schema[:64]!r}: it may have a-z, 0-9 and _, at most 63, and begins with no digit.",
        )
    rest = urlencode([(name, value) for name, value in typed if name != "schema"])
    named = [name for name, _ in _hosts(url.netloc)]
    names = {name for name, _ in typed}
    hosts = [*map(unquote, named), *(value for name, value in typed if name in ("host", "hostaddr"))]
    near = "service" not in names and all(map(_are_near, hosts))
    place = f"{url.scheme}://{url.netloc}{url.path}" + (f"?{rest}" if rest else "")
    shown = f"{url.scheme}://{url.netloc}{url.path}" + (f"?schema={schema}" if schemas else "")
    has_user = bool(url.username) or any(name == "user" for name, _ in typed)
    modes = [value for name, value in typed if name == "sslmode"]
    is_verified = not modes or modes[-1].startswith("verify")
    has_host = "host" in names or any(named)
    return Place(place, schema, shown, near, has_user, is_verified, has_host, "hostaddr" in names, bool(modes))


def database_name(place: Place) -> str:
    """A URL that tells a database and its schema from others; who signs in, and how, is left out."""
    url = urlsplit(place.url)
    of_database = [(name, value) for name, value in parse_qsl(url.query) if name in OF_DATABASE]
    query = urlencode([*of_database, ("schema", place.schema)])
    return f"{SCHEMES[0]}://{url.netloc.rpartition('@')[2]}{url.path}?{query}"


_AS_AN_EXAMPLE = "For example: postgresql://ann@db.example.com/fleet"


def _hosts(netloc: str) -> list[tuple[str, str]]:
    """The hosts of a URL, of which libpq takes several, and their ports."""
    of_hosts = netloc.rpartition("@")[2]
    found = []
    for each in of_hosts.split(","):
        name, _, port = each.rpartition(":") if re.search(r":[^:\]]*$", each) else (each, "", "")
        found.append((name.strip("[]"), port))
    return found


def is_near(place: Place, environ: Mapping[str, str]) -> bool:
    """Whether nobody can listen on the way to it: what a URL leaves out, libpq takes from the environment."""
    host = "" if place.has_host else environ.get("PGHOST", "")
    address = "" if place.has_address else environ.get("PGHOSTADDR", "")
    return place.is_near and "PGSERVICE" not in environ and _are_near(host) and _are_near(address)


def is_verified(place: Place, environ: Mapping[str, str]) -> bool:
    """Whether a server that is not near has to show a certificate, which is verified."""
    return place.is_verified and (place.has_mode or environ.get("PGSSLMODE", "verify").startswith("verify"))


def _are_near(hosts: str) -> bool:
    """Whether nobody can listen on the way to hosts, as libpq lists them."""
    return all(map(_is_near, hosts.split(",")))


def _is_near(name: str) -> bool:
    if not name or name.startswith(("/", "@")) or name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
