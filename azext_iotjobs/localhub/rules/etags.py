"""Counters -> etags, as the service writes them. Pure."""

import base64


def identity_etag(counter: int) -> str:
    """An identity's etag: base64 of a decimal number."""
    return base64.b64encode(str(counter).encode()).decode()


def twin_etag(counter: int) -> str:
    """A twin's etag: base64 of an eight-byte counter."""
    return base64.b64encode(counter.to_bytes(8, "big")).decode()
