"""A caller's text as a part of a path: it arrives as it is, or nothing is sent."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.model.errors import IotJobsError, UserError
from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.message import DeviceMessage, NewC2dMessage, Settlement
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.model.twin import NewTwin, TwinPatch
from azext_iotjobs.transport.http import HttpTransport
from tests.helpers.clock_double import ClockDouble
from tests.helpers.tls_server import TlsServer, answer_with, serving
from tests.helpers.transport_double import TransportDouble, answering

NO_ID = ("", ".", "..", " ", "a/b", "../victim", "a b", "\r\n", "🙂", "\udcff", "x" * 300)
PATCH = TwinPatch(document={"tags": {}})
CALL = MethodCall(name="m")
MESSAGE = NewC2dMessage(body=b"", properties={})
Call = Callable[[HubClient, str], Any]

CALLS: dict[str, Call] = {
    "a device": lambda hub, text: hub.identities.get(text),
    "its modules": lambda hub, text: hub.identities.modules(text),
    "a device to remove": lambda hub, text: hub.identities.delete(text, etag="*"),
    "a device to replace": lambda hub, text: hub.identities.replace(text, {}, etag="*"),
    "a module": lambda hub, text: hub.identities.get("d", text),
    "a module's device": lambda hub, text: hub.identities.get(text, "m"),
    "a module to make": lambda hub, text: hub.identities.create(NewIdentity(device_id="d", module_id=text)),
    "a module to remove": lambda hub, text: hub.identities.delete("d", etag="*", module_id=text),
    "a twin": lambda hub, text: hub.twins.get(text),
    "a module's twin": lambda hub, text: hub.twins.get("d", text),
    "a twin to change": lambda hub, text: hub.twins.patch("d", PATCH, text),
    "a twin to replace": lambda hub, text: hub.twins.replace("d", NewTwin(), etag="*", module_id=text),
    "a device to call": lambda hub, text: hub.methods.invoke(text, CALL),
    "a module to call": lambda hub, text: hub.methods.invoke("d", CALL, text),
    "whose messages to remove": lambda hub, text: hub.messages.purge(text),
    "content": lambda hub, text: hub.configurations.apply(text, {}),
    "who sends": lambda hub, text: hub.device(text).send(DeviceMessage(body=b"", properties={})),
    "a lock token": lambda hub, text: hub.device("d").settle(text, Settlement.COMPLETE),
    "a token given back": lambda hub, text: hub.device("d").settle(text, Settlement.ABANDON),
    "a job": lambda hub, text: hub.jobs.get(text),
    "a job to cancel": lambda hub, text: hub.jobs.cancel(text),
    "an old job": lambda hub, text: hub.jobs.get_v1(text),
    "an old job to cancel": lambda hub, text: hub.jobs.cancel_v1(text),
    "a local hub's device": lambda hub, text: LocalHubClient(hub.transport).send(text, MESSAGE),
    "a certificate": lambda hub, text: LocalHubClient(hub.transport).put_certificate(text, ""),
    "a certificate to remove": lambda hub, text: LocalHubClient(hub.transport).delete_certificate(text),
}
OF_IDENTITIES = [name for name in CALLS if not any(word in name for word in ("job", "certificate", "token"))]


@pytest.mark.parametrize("what", CALLS)
@pytest.mark.parametrize("text", NO_ID)
def test_what_is_no_id_is_refused_and_nothing_is_sent(what: str, text: str) -> None:
    transport = TransportDouble(answering({}))
    with pytest.raises(UserError):
        CALLS[what](HubClient(HubTarget(host="h"), transport), text)
    assert transport.requests == []


@pytest.mark.parametrize("etag", ["", "a\r\nX-Evil: 1", "🙂", 'a"b', "a b"])
def test_what_is_no_etag_is_refused_and_nothing_is_sent(etag: str) -> None:
    transport = TransportDouble(answering({}))
    hub = HubClient(HubTarget(host="h"), transport)
    for call in (
        lambda: hub.identities.delete("d", etag=etag),
        lambda: hub.identities.replace("d", {}, etag=etag),
        lambda: hub.twins.patch("d", TwinPatch(document={}, etag=etag)),
        lambda: hub.twins.replace("d", NewTwin(), etag=etag),
    ):
        with pytest.raises(UserError):
            call()
    assert transport.requests == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with ExitStack() as stack:
        folder: Path = tmp_path_factory.mktemp("server")
        yield stack.enter_context(serving(folder, answer_with(200)))


@pytest.mark.parametrize("what", OF_IDENTITIES)
@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("...", "..."),
        ("a..b", "a..b"),
        (".x", ".x"),
        ("a%2e", "a%252e"),
        ("%2e%2e%2e", "%252e%252e%252e"),
        ("%2E-", "%252E-"),
        ("a;b=c", "a%3Bb%3Dc"),
        ("-x", "-x"),
    ],
)
def test_an_id_that_looks_like_a_step_arrives_as_it_is(server: TlsServer, what: str, text: str, arrives: str) -> None:
    target = HubTarget(host="localhost", https_port=server.port, ca_file=str(server.ca_file))
    transport = HttpTransport(target, SasKey(policy="p", key="AAAA"), ClockDouble())
    before = len(server.seen)
    with suppress(IotJobsError):  # the server's answer, {}, is not what each call reads
        CALLS[what](HubClient(target, transport), text)
    transport.close()
    (seen,) = server.seen[before:]
    assert arrives in seen.path.partition("?")[0].split("/")
