"""Pages: how many items at most, and where to go on.

A continuation token names the place of the last item that was given (a row's number, a group's word), so it stays good
while rows and groups come and go; a checksum over it and the question tells a token of another question from ours.
"""

import base64
import binascii
import hashlib
import hmac

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.asked import Asked, whole_number

MAX_ITEMS = 100  # in one page, whatever is asked for
CONTINUATION = "x-ms-continuation"
PAGE_SIZE = "x-ms-max-item-count"
ITEM_TYPE = "x-ms-item-type"


def page_size(asked: Asked) -> int:
    """How many items the next page may have. Raises HubError 400."""
    text = asked.headers.get(PAGE_SIZE, "").strip()
    if not text:
        return MAX_ITEMS
    count = whole_number(text.removeprefix("-"))
    if count is None:
        raise HubError(ARGUMENT_INVALID, f"{PAGE_SIZE} is not a number.")
    return min(count, MAX_ITEMS) if count > 0 and not text.startswith("-") else MAX_ITEMS


def start_after(asked: Asked, question: str) -> tuple[int, int]:
    """Behind which row the page begins, and how many items were given before. Raises HubError 400."""
    place, given = start_behind(asked, question)
    return int(place or 0), given


def start_behind(asked: Asked, question: str) -> tuple[str, int]:
    """Behind which place the page begins ('' for the first), and how many items were given. Raises HubError 400."""
    token = asked.headers.get(CONTINUATION, "")
    if not token:
        return "", 0
    try:
        place, given, checksum = base64.b64decode(token, validate=True).decode("ascii").split(".")
        if hmac.compare_digest(checksum, _checksum(place, given, question)):
            return place, int(given)
    except (ValueError, binascii.Error):
        pass
    raise HubError(ARGUMENT_INVALID, "The continuation token is not one of this query's.")


def continuation(place: int | str, given: int, question: str) -> str:
    """The token for going on behind a place, which is a row or a word of ASCII, when `given` items have been given."""
    text = f"{place}.{given}.{_checksum(str(place), str(given), question)}"
    return base64.b64encode(text.encode()).decode()


def _checksum(place: str, given: str, question: str) -> str:
    return hashlib.sha256(f"{place}.{given}.{question}".encode()).hexdigest()[:16]
