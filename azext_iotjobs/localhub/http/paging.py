"""Pages: how many items at most, and where to go on.

A continuation token names the place of the last item that was given (a row's number, a group's word), so it stays good
while rows and groups come and go. It is signed together with the question, by a key of the hub's own: one of another
question or another hub, or one that somebody made up, is refused.
"""

import base64
import binascii
import hmac

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.request import HubRequest, whole_number
from azext_iotjobs.localhub.rules.json_values import dump_json

MAX_ITEMS = 100  # in one page, whatever is asked for
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
        """secret: what this hub alone knows, and knows after a restart too."""
        # Of its own kind: nothing else that is signed with the same secret is a token of this kind.
        self._key = hmac.digest(secret.encode(), b"continuation tokens", "sha256")

    def start_after(self, request: HubRequest, question: str) -> tuple[int, int]:
        """Behind which row the page begins, and how many items were given before. Raises HubError 400."""
        place, given = self.start_behind(request, question)
        return int(place or 0), given

    def start_behind(self, request: HubRequest, question: str) -> tuple[str, int]:
        """Behind which place the page begins ('' for the first), and how many items were given. Raises HubError 400."""
        token = request.headers.get(CONTINUATION, "")
        if not token:
            return "", 0
        try:
            place, given, signature = base64.b64decode(token, validate=True).decode("ascii").split(".")
            if hmac.compare_digest(signature, self._signature(place, given, question)):
                return place, int(given)
        except (ValueError, binascii.Error):
            pass
        raise HubError(ARGUMENT_INVALID, "The continuation token is not one of this query's.")

    def token(self, place: int | str, given: int, question: str) -> str:
        """The token for going on behind a place, which is a row or a word of ASCII, when `given` items were given."""
        text = f"{place}.{given}.{self._signature(str(place), str(given), question)}"
        return base64.b64encode(text.encode()).decode()

    def _signature(self, place: str, given: str, question: str) -> str:
        return hmac.digest(self._key, dump_json([place, given, question]).encode(), "sha256").hex()
