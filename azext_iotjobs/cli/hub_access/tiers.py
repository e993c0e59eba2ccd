"""Which tier a hub has, as far as that is known, and so how often it may be queried."""

from azext_iotjobs.cli.hub_access import running_hubs
from azext_iotjobs.clients.hub import HubClient, KnownTier
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.query_pace import QueryPace, query_pace
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.tier import TierFacts


def tier_of(target: HubTarget, known: KnownTier | None) -> TierFacts | None:
    """The tier of a hub; None: not known.

    known: what Azure said of it; a local hub says it in its state file.
    """
    if target.is_local:
        hub = running_hubs.local_login(target.host, target.https_port)
        document = {} if hub is None else hub.document
        known = (str(document.get("sku")), document.get("units") or 1)
    try:
        return None if known is None else TierFacts(*known)
    except BadValue:  # a local hub without one, or a tier that is newer than we are
        return None


def pace_of(client: HubClient) -> QueryPace:
    """How often a hub may be queried, for what queries it again and again."""
    return query_pace(tier_of(client.target, client.known_tier))
