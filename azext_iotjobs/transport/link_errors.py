"""requests' errors -> ours: the one table for what goes wrong on the way to a hub."""

import ssl

import requests
import urllib3.exceptions

from azext_iotjobs.model.errors import AnswerTooLate, BadValue, CannotConnect, LinkLost
from azext_iotjobs.model.host_names import HostKind, host_of_kind, kind_of
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.transport.open_files import LACK_HINT, lack_of_files
from azext_iotjobs.transport.sessions import PROXY_HINT, proxy_scheme
from azext_iotjobs.transport.trust import Bundle, ca_bundle, untrusted

CONNECT_TIMEOUT_S = 15.0
AFTER_HANDSHAKE = ("read", "recv", "recv_into", "write", "send", "sendall")  # functions of ssl
PERHAPS_DONE = "The request may have been carried out anyway: check before you repeat it."


def link_error(
    err: requests.exceptions.RequestException, target: HubTarget, *, timeout_s: float, is_safe_to_repeat: bool
) -> CannotConnect | LinkLost | AnswerTooLate | BadValue:
    """Our error for one of requests'; children stand before their parents.

    timeout_s: how long the answer was waited for.  is_safe_to_repeat: done twice is as good as done once.
    """
    where = target.authority
    hint = None if is_safe_to_repeat else PERHAPS_DONE
    if isinstance(err, requests.exceptions.SSLError):
        cause = _tls_cause(err)
        return _broken_by(cause, where, hint) if _was_secured(cause) else _not_secured(cause, target)
    if isinstance(err, requests.exceptions.ProxyError):
        return CannotConnect(f"{where} was not reached: the proxy refused.", hint=PROXY_HINT)
    if isinstance(err, requests.exceptions.InvalidSchema):  # our own URLs are https
        text = f"{where} was not reached: a SOCKS proxy is set, for which the Python package PySocks is missing."
        return CannotConnect(text, hint=PROXY_HINT)
    if isinstance(err, requests.exceptions.ConnectTimeout):
        return CannotConnect(
            f"{where} did not accept a connection within {CONNECT_TIMEOUT_S:.0f} s.",
            hint="Check the host name, the firewall and the proxy.",
        )
    if isinstance(err, requests.exceptions.ReadTimeout):
        return AnswerTooLate(f"{where} did not answer within {timeout_s:.0f} s.", waited_s=timeout_s, hint=hint)
    if isinstance(err, requests.exceptions.ConnectionError) and _was_never_open(err):
        if (lack := lack_of_files(err)) is not None:
            return CannotConnect(f"{where} was not reached: {lack}.", hint=LACK_HINT)
        if not target.is_loopback and (proxy_scheme(f"https://{where}") or "").startswith("socks"):
            return CannotConnect(f"{where} was not reached through the SOCKS proxy that is set.", hint=PROXY_HINT)
        return CannotConnect(
            f"{where} was not reached: no such host, or nothing listens there.",
            hint=_where_to_look(target),
        )
    if isinstance(err, requests.exceptions.InvalidURL):
        return BadValue(f"{target.host!r} is not a host name.")
    return LinkLost(f"The connection to {where} broke before the answer was complete.", hint=hint)


def _where_to_look(target: HubTarget) -> str:
    if target.is_local:
        return Text("Is it still running? ", command("iot local-hub show"))
    if kind_of(target.host) is HostKind.CLASSIC:
        return "Check the hub's name."
    return (
        "Check the hub's name. Only a hub on a newer gateway has one for devices and one for services; every hub has "
        f"{host_of_kind(target.host, HostKind.CLASSIC)}."
    )


def _tls_cause(err: Exception) -> object:
    """The error of TLS that the libraries' errors hold; None: there is none."""
    cause: object = err
    while isinstance(cause, Exception) and not isinstance(cause, ssl.SSLError):
        cause = getattr(cause, "reason", None) or next(iter(cause.args), None)
    return cause


def _was_secured(cause: object) -> bool:
    """Whether TLS failed after its handshake, while something was written or read: the request may have arrived.

    Nothing but the function that it came from says so.
    """
    trace = cause.__traceback__ if isinstance(cause, ssl.SSLError) else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = None if trace is None else trace.tb_frame.f_code
    return code is not None and code.co_filename == ssl.__file__ and code.co_name in AFTER_HANDSHAKE


def _broken_by(cause: object, where: str, hint: str | None) -> LinkLost:
    reason = getattr(cause, "reason", None) or "TLS failed"
    return LinkLost(f"The connection to {where} broke before the answer was complete ({reason}).", hint=hint)


def _not_secured(cause: object, target: HubTarget) -> CannotConnect:
    where = target.authority
    if isinstance(cause, ssl.SSLCertVerificationError):
        return untrusted(where, cause)
    bundle = Bundle("", target.ca_file) if target.ca_file else ca_bundle()
    if bundle is not None and (problem := bundle.problem()) is not None:
        return CannotConnect(f"{where} cannot be trusted: {problem}")
    reason = getattr(cause, "reason", None) or "no reason was given"
    return CannotConnect(
        f"{where} was reached, but no TLS connection could be made ({reason}).",
        hint="Is this a hub's HTTPS port? A proxy or firewall may also end the TLS handshake.",
    )


def _was_never_open(err: requests.exceptions.ConnectionError) -> bool:
    reason = err.args[0] if err.args else None
    return isinstance(getattr(reason, "reason", reason), urllib3.exceptions.NewConnectionError)
