"""LocalHubClient: what a local hub offers beyond IoT Hub's own API."""

from typing import Any

from azext_iotjobs.clients import message_codec
from azext_iotjobs.clients.request_parts import identity_path, path_part
from azext_iotjobs.clients.response import content, document
from azext_iotjobs.model.ids import CERTIFICATE, FAULT
from azext_iotjobs.model.message import HubEvents, NewC2dMessage
from azext_iotjobs.transport.http import Request, Transport

SEED_TIMEOUT_S = 1800.0  # a million devices, on a slow machine


class LocalHubClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def quotas(self) -> Any:
        """What the hub's tier grants, and what was used of it.

        Raises HubAnswer when something else listens there, LinkError.
        """
        return document(self._transport.send(Request(method="GET", path="/_local/quotas", may_repeat=True)))

    def state(self) -> Any:
        """How many devices and active jobs it has. Raises HubAnswer, LinkError."""
        return document(self._transport.send(Request(method="GET", path="/_local/state", may_repeat=True)))

    def log(self, kind: str, *, after: int, limit: int) -> Any:
        """Entries of a log, the oldest first.

        kind: requests, connections or calls.  after: the number of an entry; 0: from the oldest that is kept.
        limit: 1 to 1,000 entries.
        """
        query = {"after": str(after), "limit": str(limit)}
        get = Request(method="GET", path=f"/_local/{kind}", query=query, may_repeat=True)
        return document(self._transport.send(get))

    def troubles(self) -> Any:
        """What does not work at the hub now.

        Raises HubAnswer when something else listens there, LinkError.
        """
        return document(self._transport.send(Request(method="GET", path="/_local/troubles", may_repeat=True)))

    def reset(self) -> None:
        """Remove all devices, twins and jobs."""
        document(self._transport.send(Request(method="POST", path="/_local/reset")))

    def stop(self) -> None:
        """Tell the hub to end."""
        document(self._transport.send(Request(method="POST", path="/_local/stop")))

    def seed(self, text: bytes) -> Any:
        """Create what a seed has and the hub has not. Raises BadRequest, which names what is wrong in it."""
        post = Request(method="POST", path=_SEED, headers={"Content-Type": "application/yaml"}, content=text)
        return document(self._transport.send(post._replace(timeout_s=SEED_TIMEOUT_S)))

    def export(self, *, with_keys: bool) -> Any:
        """What the hub holds, as a seed."""
        query = {"keys": "true" if with_keys else "false"}
        get = Request(method="GET", path=_SEED, query=query, may_repeat=True, timeout_s=SEED_TIMEOUT_S)
        return document(self._transport.send(get))

    def snapshot(self) -> bytes:
        """All that the hub holds, as a file."""
        get = Request(method="GET", path=_SNAPSHOT, may_repeat=True, keeps_encoding=True, timeout_s=SEED_TIMEOUT_S)
        return content(self._transport.send(get))

    def restore(self, snapshot: bytes) -> None:
        """Bring the hub to what such a file holds. Raises BadRequest for one that is damaged, or is none."""
        put = Request(method="PUT", path=_SNAPSHOT, headers={"Content-Type": "application/zip"}, content=snapshot)
        document(self._transport.send(put._replace(may_repeat=True, timeout_s=SEED_TIMEOUT_S)))

    def send(self, device_id: str, message: NewC2dMessage) -> Any:
        """Send a message to a device; gives its id and number. Raises NotFound, Forbidden when its queue is full."""
        path = f"/_local{identity_path(device_id)}/messages"
        body = message_codec.render_c2d_message(message)
        return document(self._transport.send(Request(method="POST", path=path, body=body, has_body=True)))

    def events(self, device_id: str | None, *, after: int, wait_s: int) -> HubEvents:
        """What devices sent after event number `after`, oldest first; waits up to `wait_s` for the first.

        device_id: of which device, and its modules; None: of all.
        """
        query = {"after": str(after), "wait": str(wait_s), **({} if device_id is None else {"device": device_id})}
        get = Request(method="GET", path="/_local/events", query=query, may_repeat=True)
        return message_codec.parse_events(document(self._transport.send(get)))

    def faults(self) -> Any:
        """What is to go wrong, and how often it has."""
        return document(self._transport.send(Request(method="GET", path=_FAULTS, may_repeat=True)))

    def add_fault(self, fault: Any) -> Any:
        """Let something go wrong. Raises BadRequest, which names what is wrong with the document."""
        return document(self._transport.send(Request(method="POST", path=_FAULTS, body=fault, has_body=True)))

    def clear_faults(self, fault_id: str | None = None) -> None:
        """Let one fault not happen any more, or all of them. Raises NotFound."""
        path = _FAULTS if fault_id is None else f"{_FAULTS}/{path_part(FAULT, fault_id)}"
        document(self._transport.send(Request(method="DELETE", path=path)))

    def clock(self) -> Any:
        """The hub's time, and how far it is ahead of the machine's."""
        return document(self._transport.send(Request(method="GET", path=_CLOCK, may_repeat=True)))

    def advance_clock(self, by_s: float) -> Any:
        """Move the hub's clock ahead, by more than 0 seconds; gives what it shows then. Raises BadRequest."""
        body = {"advance": f"{by_s:.6f}s"}
        return document(self._transport.send(Request(method="POST", path=_CLOCK, body=body, has_body=True)))

    def certificates(self) -> Any:
        """The CA certificates that may vouch for devices."""
        return document(self._transport.send(Request(method="GET", path=_CERTIFICATES, may_repeat=True)))

    def put_certificate(self, name: str, pem: str) -> Any:
        """Let a CA vouch for devices. Raises BadRequest when the certificate is none of a CA."""
        body = {"certificate": pem}
        put = Request(method="PUT", path=_certificate(name), body=body, has_body=True, may_repeat=True)
        return document(self._transport.send(put))

    def delete_certificate(self, name: str) -> None:
        """A CA vouches no more. Raises NotFound."""
        document(self._transport.send(Request(method="DELETE", path=_certificate(name))))


_CERTIFICATES = "/_local/certificates"
_SEED = "/_local/seed"
_FAULTS = "/_local/faults"
_CLOCK = "/_local/clock"
_SNAPSHOT = "/_local/snapshot"


def _certificate(name: str) -> str:
    return f"{_CERTIFICATES}/{path_part(CERTIFICATE, name)}"
