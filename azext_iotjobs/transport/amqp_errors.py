"""What goes wrong with AMQP -> our errors: the conditions of a refusal, and what azure-eventhub raises.

Source: AMQP 1.0 part 2.8.15 to 2.8.18; IoT Hub and Event Hubs SDKs, which map the same conditions.
"""

import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from azext_iotjobs.model.amqp import AmqpEndpoint, Redirect
from azext_iotjobs.model.errors import (
    AnswerTooLate,
    BadRequest,
    CannotConnect,
    Conflict,
    Forbidden,
    HubAnswer,
    HubFault,
    LinkLost,
    NotFound,
    OldDependency,
    Throttled,
    Unauthorized,
)
from azext_iotjobs.model.text import Text, printable
from azext_iotjobs.transport.amqp_library import AmqpLibrary
from azext_iotjobs.transport.amqp_messages import plain
from azext_iotjobs.transport.sessions import PROXY_HINT
from azext_iotjobs.transport.trust import untrusted

# What azure-eventhub raises on bytes that are not AMQP.
NOT_AMQP = (ValueError, TypeError, IndexError, KeyError, AttributeError, struct.error, NotImplementedError)
PORT_HINT = (
    "Is the host name right? Port {port} must be open in the firewall; {transport} amqp_ws goes through port 443."
)

# Condition -> error class, and the HTTP status that stands for the same.
CONDITIONS: Mapping[str, tuple[type[HubAnswer], int]] = {
    "amqp:not-found": (NotFound, 404),
    "amqp:resource-deleted": (NotFound, 404),
    "com.microsoft:iot-hub-not-found-error": (NotFound, 404),
    "com.microsoft:messaging-entity-not-found": (NotFound, 404),
    "amqp:unauthorized-access": (Unauthorized, 401),
    "com.microsoft:auth-failed": (Unauthorized, 401),
    "amqp:not-allowed": (Forbidden, 403),
    "com.microsoft:iot-hub-suspended": (Forbidden, 403),
    "com.microsoft:quota-exceeded": (Forbidden, 403),
    "amqp:link:stolen": (Conflict, 409),
    "amqp:resource-locked": (Conflict, 409),
    "amqp:precondition-failed": (Conflict, 412),
    "com.microsoft:precondition-failed": (Conflict, 412),
    "com.microsoft:message-lock-lost": (Conflict, 412),
    "amqp:resource-limit-exceeded": (Throttled, 429),
    "com.microsoft:server-busy": (Throttled, 429),
    "com.microsoft:device-container-throttled": (Throttled, 429),
    "amqp:link:message-size-exceeded": (BadRequest, 413),
    "com.microsoft:argument-error": (BadRequest, 400),
    "com.microsoft:argument-out-of-range": (BadRequest, 400),
    "amqp:invalid-field": (BadRequest, 400),
    "amqp:internal-error": (HubFault, 500),
    "com.microsoft:timeout": (HubFault, 504),
}
# The way to the hub has ended, not what was asked of it: a new connection helps.
LOST = (
    "amqp:connection:forced",
    "amqp:link:detach-forced",
    "amqp:socket-error",
    "amqp:unknown-error",
    "amqp:session:errant-link",
)
TRACKING_ID = "com.microsoft:tracking-id"
HINTS = {
    "amqp:link:stolen": "Another reader has taken this partition for itself alone: end it, or read with another "
    "consumer group.",
    "amqp:resource-limit-exceeded": "Five readers of a partition in one consumer group are the most: end one, or use "
    "another consumer group.",
}


def refusal(condition: str, description: str, info: Mapping[str, Any], where: str) -> HubAnswer | LinkLost:
    """Our error for what the other side said.

    condition: such as amqp:not-found.  description: in its own words.  info: what came with it, by name.
    where: the server, for the message.
    """
    words = printable(description) or "no reason was given"
    tracking_id = str(info[TRACKING_ID]) if info.get(TRACKING_ID) else None
    if condition in LOST:
        return LinkLost(f"The connection to {where} ended: {words}.")
    kind, status = CONDITIONS.get(condition, (BadRequest, 400))
    tracking = f" (tracking id {printable(tracking_id)})" if tracking_id else ""
    return kind(
        f"{where} refused, {condition}: {words}{tracking}",
        status=status,
        hub_code=condition,
        tracking_id=tracking_id,
        hint=HINTS.get(condition),
    )


class LinkRedirected(Exception):
    """The other side wants a link to be opened elsewhere."""

    def __init__(self, redirect: Redirect) -> None:
        super().__init__(redirect.address)
        self.redirect = redirect


@contextmanager
def translated(library: AmqpLibrary, endpoint: AmqpEndpoint, *, is_opening: bool = False) -> Iterator[None]:
    """Within it, what azure-eventhub raises becomes an error of ours, or LinkRedirected.

    is_opening: there is no connection yet.
    """
    where = endpoint.authority
    try:
        yield
    except library.link_redirect as err:
        raise LinkRedirected(_redirect(err)) from err
    except library.token_refused as err:
        raise _of_token(err, where) from err
    except library.error as err:
        raise _of_amqp(err, endpoint, is_opening=is_opening) from err
    except ImportError as err:
        raise OldDependency(f"AMQP over WebSocket needs the Python package websocket-client ({err}).") from err
    except _of_websockets(endpoint) as err:
        raise _of_socket(OSError(printable(str(err))), endpoint, is_opening=is_opening) from err
    except TimeoutError as err:
        raise AnswerTooLate(f"{where} did not answer in time ({err}).", waited_s=0.0) from err
    except OSError as err:
        raise _of_socket(err, endpoint, is_opening=is_opening) from err
    except NOT_AMQP as err:
        if is_opening:
            raise CannotConnect(
                f"{where} was reached, but it does not speak AMQP ({printable(str(err))}).", hint=_port_hint(endpoint)
            ) from err
        raise LinkLost(f"The connection to {where} ended: what came is not AMQP ({printable(str(err))}).") from err


def check_outcome(outcome: Mapping[Any, Any], where: str) -> None:
    """Raise the refusal of a message that was sent, unless it was accepted.

    outcome: as azure-eventhub has it: its name, and what came with it.  where: the server, for the message.
    """
    state = plain(outcome)
    if "accepted" in state:
        return
    details = (state.get("rejected") or [None])[0]
    if details is None:
        raise LinkLost(f"{where} has not accepted the message: {', '.join(state) or 'the connection ended'}.")
    condition, description, info = (*details, None, None, None)[:3]
    raise refusal(condition or "", description or "", info or {}, where)


def _of_websockets(endpoint: AmqpEndpoint) -> tuple[type[Exception], ...]:
    """What websocket-client raises, where it is used: its errors are none of the system's."""
    if not endpoint.is_websocket:
        return ()
    return (import_module("websocket").WebSocketException,)


def _of_amqp(err: Any, endpoint: AmqpEndpoint, *, is_opening: bool) -> Exception:
    inner = err.inner_error
    if isinstance(inner, OSError):
        return _of_socket(inner, endpoint, is_opening=is_opening)
    condition = plain(getattr(err.condition, "value", err.condition))
    description = err.description or err.message or str(err)
    info = plain(err.info) if isinstance(err.info, Mapping) else {}
    return refusal(str(condition), str(plain(description)), info, endpoint.authority)


def _of_token(err: Any, where: str) -> Exception:
    words = printable(str(plain(err.status_description or b""))) or "no reason was given"
    kind, status = (NotFound, 404) if err.status_code == 404 else (Unauthorized, 401)
    return kind(f"{where} did not accept the token ({err.status_code}): {words}", status=status)


def _of_socket(err: OSError, endpoint: AmqpEndpoint, *, is_opening: bool) -> Exception:
    where = endpoint.authority
    if isinstance(err, ssl.SSLCertVerificationError):
        return untrusted(where, err)
    words = printable(err.strerror or str(err)) or type(err).__name__
    if not is_opening:
        return LinkLost(f"The connection to {where} ended: {words}.")
    if isinstance(err, ssl.SSLError):
        return CannotConnect(
            f"{where} was reached, but no TLS connection could be made ({words}).", hint=_port_hint(endpoint)
        )
    return CannotConnect(f"{where} was not reached ({words}).", hint=_port_hint(endpoint))


def _port_hint(endpoint: AmqpEndpoint) -> str:
    return PROXY_HINT if endpoint.is_websocket else Text.of(PORT_HINT, port=endpoint.port)


def _redirect(err: Any) -> Redirect:
    return Redirect(host=err.network_host or err.hostname, port=err.port, address=err.address)
