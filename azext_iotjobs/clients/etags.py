"""Etags in headers."""

from azext_iotjobs.model.ids import check_etag


def if_match(etag: str) -> dict[str, str]:
    """The If-Match header: the hub wants an etag in quotes, and * without.

    etag: as a document shows it, or * for any.  Raises BadValue for what no header carries.
    """
    check_etag(etag)
    return {"If-Match": "*" if etag == "*" else '"{}"'.format(etag.strip('"'))}
