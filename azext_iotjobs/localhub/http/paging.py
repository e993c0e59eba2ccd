"""Pages of lists: their size, and continuation tokens.

A continuation token holds the key of the last item that was sent (a row's number, a group's sort key), so it stays
valid while rows and groups are added and removed. It is signed together with the query, by a key of this hub: a token
of another query or another hub, or a forged one, is refused.
"""

import base64
import binascii
import hmac

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.request import HubRequest, whole_number
from azext_iotjobs.localhub.rules.json_values import dump_json

MAX_ITEMS = 100  # in one page, whatever the request says
CONTINUATION = "x-ms-continuation"
PAGE_SIZE = "x-ms-max-item-count"
ITEM_TYPE = "x-ms-item-type"


def page_size(request: HubRequest) -> int:
    """How many items the next page may have. Raises HubError 400."""
    text = request.headers.get(PAGE_SIZE, "").strip()
    if not text:
        return MAX_ITEMS
    count = whole_number(text.removeprefix("-"))
    if count is None:
        raise HubError(ARGUMENT_INVALID, f"{PAGE_SIZE} is not a number.")
    return min(count, MAX_ITEMS) if count > 0 and not text.startswith("-") else MAX_ITEMS


class ContinuationTokens:
    """Makes and reads continuation tokens."""

    def __init__(self, secret: str) -> None:
        """secret: known to this hub only, and the same after a restart."""
        # A derived key: nothing else that is signed with the same secret is a valid token.
        self._key = hmac.digest(secret.encode(), b"continuation tokens", "sha256")

    def start_after(self, request: HubRequest, query: str) -> tuple[int, int]:
        """The number of the row before the page, and how many items were sent before. Raises HubError 400."""
        key, sent = self.start_after_key(request, query)
        return int(key or 0), sent

    def start_after_key(self, request: HubRequest, query: str) -> tuple[str, int]:
        """The key of the item before the page ('' for the first), and how many were sent. Raises HubError 400."""
        token = request.headers.get(CONTINUATION, "")
        if not token:
            return "", 0
        try:
            key, sent, signature = base64.b64decode(token, validate=True).decode("ascii").split(".")
            if hmac.compare_digest(signature, self._signature(key, sent, query)):
                return key, int(sent)
        except (ValueError, binascii.Error):
            pass
        raise HubError(ARGUMENT_INVALID, "The continuation token is not one of this query's.")

    def token(self, key: int | str, sent: int, query: str) -> str:
        """The token for the page after an item.

        key: of the item, a row's number or ASCII text.  sent: how many items were sent so far.
        query: what the list depends on; a token is valid for the same query only.
        """
        text = f"{key}.{sent}.{self._signature(str(key), str(sent), query)}"
        return base64.b64encode(text.encode()).decode()

    def _signature(self, key: str, sent: str, query: str) -> str:
        return hmac.digest(self._key, dump_json([key, sent, query]).encode(), "sha256").hex()
