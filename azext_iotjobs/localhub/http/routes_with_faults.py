"""Whose requests can go wrong on request: the table of routes but for the hub's own, the storage account, WebSocket."""

from azext_iotjobs.localhub.http.routes import ROUTES
from azext_iotjobs.localhub.http.websocket import SUBPROTOCOLS
from azext_iotjobs.localhub.rules.blob_sas import ACCOUNT
from azext_iotjobs.localhub.rules.file_upload import CONTAINER as UPLOADS

CONTAINERS = (f"/{UPLOADS}", f"/{ACCOUNT}/{{container}}")
BLOB_VERBS = ("PUT", "GET", "HEAD", "DELETE")


def routes_with_faults() -> list[tuple[str, str]]:
    """Verb and path of each, as `rules.fault.may_concern` takes them."""
    return [
        *((each.verb, each.path) for each in ROUTES if not each.is_own),
        *(("GET", path) for path in SUBPROTOCOLS),
        *((verb, path) for verb in ("GET", "HEAD") for path in CONTAINERS),
        *((verb, f"{path}/**") for verb in BLOB_VERBS for path in CONTAINERS),
    ]
