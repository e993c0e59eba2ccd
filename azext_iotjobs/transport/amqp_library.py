"""The parts of azure-eventhub that speak AMQP: the one place that imports it.

Its client for event hubs is public; sending to `/messages/devicebound`, feedback and redirects need what it is made of,
which is private and may change with any version. What is used of that is taken here, by name, and looked at before it
is used, so that another version is an error that says so.
"""

from typing import Any, NamedTuple

from azext_iotjobs.model.errors import OldDependency
from azext_iotjobs.transport.own_import import import_own_part

PACKAGE = "azure.eventhub"
LEAST = (5, 14)  # older ones reach no port but 5671 with TLS
KNOWN = "5.14.0 to 5.15.1"  # tests run with these
BESIDE = ("azure.core", "certifi", "typing_extensions")


class AmqpLibrary(NamedTuple):
    """What is used of azure-eventhub."""

    connection: Any  # class
    authenticator: Any  # class: `$cbs`
    auth: Any  # class: what it signs in with
    token: Any  # class
    management: Any  # class: requests and answers on a pair of links
    message: Any  # class
    properties: Any  # class
    source: Any  # class
    accepted: Any  # class
    transport_types: Any  # enum
    error: type[Exception]
    link_redirect: type[Exception]
    token_refused: type[Exception]


WHERE = {
    "connection": ("_connection", "Connection"),
    "authenticator": ("cbs", "CBSAuthenticator"),
    "auth": ("authentication", "_CBSAuth"),
    "token": ("authentication", "AccessToken"),
    "management": ("management_operation", "ManagementOperation"),
    "message": ("message", "Message"),
    "properties": ("message", "Properties"),
    "source": ("endpoints", "Source"),
    "accepted": ("outcomes", "Accepted"),
    "transport_types": ("constants", "TransportType"),
    "error": ("error", "AMQPException"),
    "link_redirect": ("error", "AMQPLinkRedirect"),
    "token_refused": ("error", "TokenAuthFailure"),
}
METHODS = {
    "connection": ("open", "close", "listen", "create_session"),
    "authenticator": ("open", "handle_token"),
    "management": ("open", "ready", "execute"),
}


def amqp_library() -> AmqpLibrary:
    """azure-eventhub's AMQP. Raises OldDependency when it is missing, too old, or no longer what it was."""
    package = import_own_part(f"{PACKAGE}._pyamqp", version_of=PACKAGE, at_least=LEAST, beside=BESIDE)
    return parts_of(package)


def parts_of(package: Any) -> AmqpLibrary:
    """What is used of its package `_pyamqp`. Raises OldDependency when that is not all there."""
    found: dict[str, Any] = {}
    for name, (module, member) in WHERE.items():
        found[name] = getattr(getattr(package, module, None), member, None)
        for each in METHODS.get(name, ("__class__",)):
            if not hasattr(found[name], each) or found[name] is None:
                raise _changed(member if found[name] is None else f"{member}.{each}")
    return AmqpLibrary(**found)


def _changed(what: str) -> OldDependency:
    return OldDependency(
        f"azure-eventhub has changed: {what} is not where it was.",
        hint=f"Its versions {KNOWN} are known to work: install one of them, or a newer version of this extension.",
    )
