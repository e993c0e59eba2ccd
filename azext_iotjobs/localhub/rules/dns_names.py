"""Names of a hub beside those of its own machine: which ones its certificate may have. Pure.

Whoever trusts a hub's CA trusts it for every name that it may certify, and its key is a file on a developer's disk. So
no name may be among them that somebody can have on the Internet, not even by a typing error. Allowed are names without
a dot, such as a service's in Compose, and names below the ends that nobody can have there.
Source: RFC 6761 (localhost, test, example), RFC 6762 (local), RFC 8375 (home.arpa), ICANN's resolution of 2024-07-29
(internal).
"""

import re
from collections.abc import Iterable

MAX_NAMES = 10
MAX_CHARS = 253
LOCALHOST = "localhost"
RESERVED_ENDS = (LOCALHOST, "local", "internal", "test", "example", "home.arpa")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Domains of the Internet that somebody may call a service too. All others than these, of the names without a dot, are
# kept from harm by the CA itself, which certifies nothing below such a name; not every client heeds that.
_TOP_LEVEL = frozenset(
    "academy agency app arpa art audio auto aws azure bar bio biz blog box broker build builders business cab cafe "
    "cam camera care center channel chat city cloud codes com company computer cool data dev digital directory docs "
    "dot edu email energy engineering events exchange express farm foo foundation fun fund fyi gallery game games "
    "global google gov group guide hangout health help host hosting house how info ing int international java jobs "
    "life lighting limited link live ltd management map market media men microsoft mil mobi mobile money monster moto "
    "name net network new news next nexus now one online open oracle org page parts phone photo place play plus press "
    "pro prod productions properties pub radio rent repair report run sale save school science search secure security "
    "select services shop show site sky social software solar solutions space storage store stream studio style "
    "supply support surf systems team tech technology tips today tools top total toys trade training trust tube tv "
    "vision watch weather website wiki windows work works world xyz zip zone".split()
)


class BadDnsName(Exception):
    """A name that a hub may not have; the text says which, why, and what is allowed."""


def read_dns_name(text: str) -> str:
    """A name that a hub may have, in lower case. Raises BadDnsName."""
    name = text.lower()
    labels = name.split(".")
    is_host = text.isascii() and len(name) <= MAX_CHARS and all(map(_LABEL.fullmatch, labels))
    if not is_host or labels[-1].isdecimal():
        raise BadDnsName(
            f"{text[:MAX_CHARS]!a}: this is not the name of a host, which is made of letters, digits and dashes, with "
            "dots between its parts: iothub, hub.test. Addresses and * are none."
        )
    if len(labels) == 1 and name not in RESERVED_ENDS and is_top_level(name):
        raise BadDnsName(
            f"{name}: this is a domain of the Internet, or may become one. Whoever trusts the hub's CA must not trust "
            f"it there: give another name, such as iothub."
        )
    if len(labels) > 1 and not any(name.endswith(f".{end}") for end in RESERVED_ENDS):
        *others, last = (f".{end}" for end in RESERVED_ENDS)
        raise BadDnsName(
            f"{name}: somebody may have this name on the Internet, and whoever trusts the hub's CA would trust it for "
            "that one too. Have the hub called by another name in your network, one without a dot (iothub) or one that "
            f"ends in {', '.join(others)} or {last}, and give that."
        )
    return name


def is_top_level(label: str) -> bool:
    """Whether names on the Internet end so, or may: all of two letters are countries'."""
    return len(label) <= 2 or label.startswith("xn--") or label in _TOP_LEVEL


def beyond_localhost(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that are not below `localhost`: what a CA has to be allowed, beside this machine."""
    return tuple(sorted({each for each in names if each != LOCALHOST and not each.endswith(f".{LOCALHOST}")}))
