"""A twin as the hub shows it. Apart from what may be written to one: looking at a twin starts quickly."""

from typing import Any, NamedTuple


class Twin(NamedTuple):
    """A device's or module's twin; `document` is the hub's own."""

    device_id: str
    etag: str | None
    document: dict[str, Any]
    is_enabled: bool = True
    is_connected: bool = False
    last_active_at: str | None = None  # the hub's own text; None: never, or not said
