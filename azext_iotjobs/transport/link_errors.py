"""requests' errors -> ours: the one table for what goes wrong on the way to a hub."""

import ssl
from collections.abc import Iterator
from traceback import walk_tb

import requests
import urllib3.connection
import urllib3.exceptions

from azext_iotjobs.model.errors import AnswerTooLate, BadValue, CannotConnect, LinkLost
from azext_iotjobs.model.host_names import HostKind, host_of_kind, kind_of
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.transport.open_files import LACK_HINT, lack_of_files
from azext_iotjobs.transport.sessions import PROXY_HINT, proxy_scheme
from azext_iotjobs.transport.trust import Bundle, ca_bundle, untrusted

CONNECT_TIMEOUT_S = 15.0
CONNECTING = urllib3.connection.HTTPSConnection.connect.__code__  # TCP, a proxy's tunnel, TLS; also through SOCKS
NO_TLS_HINT = "Is this a hub's HTTPS port? A proxy or firewall may also end the TLS handshake."
PERHAPS_DONE = "The request may have been carried out anyway: check before you repeat it."


def link_error(
    err: requests.exceptions.RequestException, target: HubTarget, *, timeout_s: float, is_safe_to_repeat: bool
) -> CannotConnect | LinkLost | AnswerTooLate | BadValue:
    """Our error for one of requests'; children stand before their parents.

    timeout_s: how long the answer was waited for.  is_safe_to_repeat: done twice is as good as done once.
    """
    where = target.authority
    hint = None if is_safe_to_repeat else PERHAPS_DONE
    if isinstance(err, requests.exceptions.InvalidSchema):  # our own URLs are https
        text = f"{where} was not reached: a SOCKS proxy is set, for which the Python package PySocks is missing."
        return CannotConnect(text, hint=PROXY_HINT)
    if isinstance(err, requests.exceptions.InvalidURL):
        return BadValue(f"{target.host!r} is not a host name.")
    if _was_connecting(err):
        return _not_connected(err, target)
    if isinstance(err, requests.exceptions.ReadTimeout):
        return AnswerTooLate(f"{where} did not answer within {timeout_s:.0f} s.", waited_s=timeout_s, hint=hint)
    cause = _tls_cause(err)
    reason = "" if cause is None else f" ({getattr(cause, 'reason', None) or 'TLS failed'})"
    return LinkLost(f"The connection to {where} broke before the answer was complete{reason}.", hint=hint)


def _was_connecting(err: Exception) -> bool:
    """Whether the connection was still being made, so that nothing of the request was sent.

    Nothing but the functions that an error came through says so: urllib3 has the same ones for before and after, and
    takes an answer that is lost behind a proxy for a proxy that was not reached.
    """
    return any(frame.f_code is CONNECTING for each in _causes(err) for frame, _ in walk_tb(each.__traceback__))


def _causes(err: BaseException) -> Iterator[BaseException]:
    """An error and those that it was made of; not its __context__, which may be of an earlier request."""
    yield err
    for each in (*err.args, getattr(err, "reason", None), err.__cause__):
        if isinstance(each, BaseException):
            yield from _causes(each)


def _not_connected(err: requests.exceptions.RequestException, target: HubTarget) -> CannotConnect:
    where = target.authority
    if isinstance(err, requests.exceptions.SSLError):
        return _not_secured(_tls_cause(err), target)
    if isinstance(err, requests.exceptions.ProxyError):
        return CannotConnect(f"{where} was not reached: the proxy refused.", hint=PROXY_HINT)
    if isinstance(err, requests.exceptions.ConnectTimeout):
        return CannotConnect(
            f"{where} did not accept a connection within {CONNECT_TIMEOUT_S:.0f} s.",
            hint="Check the host name, the firewall and the proxy.",
        )
    if not _was_never_open(err):  # it broke in a proxy's tunnel or in TLS
        is_late = isinstance(err, requests.exceptions.ReadTimeout)
        why = f"nothing came for {CONNECT_TIMEOUT_S:.0f} s" if is_late else "the connection broke"
        return CannotConnect(f"No TLS connection to {where} was made: {why}.", hint=NO_TLS_HINT, may_pass=True)
    if (lack := lack_of_files(err)) is not None:
        return CannotConnect(f"{where} was not reached: {lack}.", hint=LACK_HINT)
    if not target.is_loopback and (proxy_scheme(f"https://{where}") or "").startswith("socks"):
        return CannotConnect(f"{where} was not reached through the SOCKS proxy that is set.", hint=PROXY_HINT)
    return CannotConnect(
        f"{where} was not reached: no such host, or nothing listens there.",
        hint=_where_to_look(target),
    )


def _where_to_look(target: HubTarget) -> str:
    if target.is_local:
        return Text("Is it still running? ", command("iot local-hub show"))
    if kind_of(target.host) is HostKind.CLASSIC:
        return "Check the hub's name."
    return (
        "Check the hub's name. Only a hub on a newer gateway has one for devices and one for services; every hub has "
        f"{host_of_kind(target.host, HostKind.CLASSIC)}."
    )


def _tls_cause(err: Exception) -> ssl.SSLError | None:
    """The error of TLS that the libraries' errors hold; None: there is none."""
    return next((each for each in _causes(err) if isinstance(each, ssl.SSLError)), None)


def _not_secured(cause: ssl.SSLError | None, target: HubTarget) -> CannotConnect:
    where = target.authority
    if isinstance(cause, ssl.SSLCertVerificationError):
        return untrusted(where, cause)
    bundle = Bundle("", target.ca_file) if target.ca_file else ca_bundle()
    if bundle is not None and (problem := bundle.problem()) is not None:
        return CannotConnect(f"{where} cannot be trusted: {problem}")
    reason = getattr(cause, "reason", None) or "no reason was given"
    return CannotConnect(
        f"{where} was reached, but no TLS connection could be made ({reason}).",
        hint=NO_TLS_HINT,
    )


def _was_never_open(err: Exception) -> bool:
    return any(isinstance(each, urllib3.exceptions.NewConnectionError) for each in _causes(err))
