"""Etags in headers."""


def if_match(etag: str) -> dict[str, str]:
    """The If-Match header: the hub wants an etag in quotes, and * without.

    etag: as a document shows it, or * for any.
    """
    return {"If-Match": "*" if etag == "*" else '"{}"'.format(etag.strip('"'))}
