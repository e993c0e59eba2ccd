"""What is sent and read over a kept connection, beside what `requests` does; a real TLS server on the other end."""

import gzip
import http.server
import io
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.model.errors import AnswerTooLate, HubFault, IotJobsError, LinkLost
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport.connection import MAX_RESPONSE_BYTES
from azext_iotjobs.transport.exchanges import Exchanges
from azext_iotjobs.transport.http import HttpTransport, Request, Response
from azext_iotjobs.transport.kept_connection import rendered
from tests.helpers.clock_double import ClockDouble
from tests.helpers.tls_server import Handler, TlsServer, answer_with, serving
from tests.helpers.waiting import looks, wait_until

GET = Request(method="GET", path="/devices/d1")
CALL = Request(method="POST", path="/twins/d/methods", body={"a": None}, has_body=True)
HEADERS = {"Accept": "application/json", "x-ms-client-request-id": "1"}
Serve = Callable[..., TlsServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server that gives these answers one after the other, the last one again and again."""
    with ExitStack() as stack:

        def start(*handlers: Handler) -> TlsServer:
            left, connections = list(handlers), []

            def answer(request: http.server.BaseHTTPRequestHandler) -> None:
                if request.connection not in connections:
                    connections.append(request.connection)
                request.headers["x-connection"] = str(connections.index(request.connection))
                server.seen[-1].headers["x-connection"] = request.headers["x-connection"]
                (left.pop(0) if len(left) > 1 else left[0])(request)

            server = stack.enter_context(serving(tmp_path, answer))
            return server

        yield start


class AmongMany:
    """A transport whose requests, once a connection is open, are made as of many at once."""

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = transport
        self._exchanges = Exchanges(transport)

    def send(self, request: Request) -> Response:
        if not self._exchanges.begin("one", request):
            return self._transport.send(request)
        ended = next(each for _ in looks("an answer") if (each := self._exchanges.ended(1)))
        [(key, outcome)] = ended
        assert key == "one"
        outcome = outcome() if callable(outcome) else outcome
        if isinstance(outcome, IotJobsError):
            raise outcome
        return outcome

    def close(self) -> None:
        self._exchanges.close()
        self._transport.close()
        self._exchanges = Exchanges(self._transport)


MakeTransport = Callable[[TlsServer], HttpTransport | AmongMany]


@pytest.fixture(params=["alone", "among many"])
def transport_to(request: pytest.FixtureRequest) -> Iterator[MakeTransport]:
    made: list[HttpTransport | AmongMany] = []

    def make(server: TlsServer) -> HttpTransport | AmongMany:
        target = HubTarget(host="localhost", https_port=server.port, ca_file=str(server.ca_file))
        transport = HttpTransport(target, SasKey(policy="p", key="AAAA"), ClockDouble())
        made.append(transport if request.param == "alone" else AmongMany(transport))
        return made[-1]

    yield make
    for each in made:
        each.close()
        if isinstance(each, AmongMany):
            each._exchanges.close()


def connections(server: TlsServer) -> list[int]:
    """On which of its connections each request came."""
    return [int(each.headers["x-connection"]) for each in server.seen]


def write(*parts: bytes, closes: bool = False) -> Handler:
    """A handler that writes bytes, and may end the connection then."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        for each in parts:
            request.wfile.write(each)
            request.wfile.flush()
        if closes:
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)

    return answer


OK = answer_with(200, b'{"n": 1}')


def test_requests_follow_each_other_on_one_connection(serve: Serve, transport_to: MakeTransport) -> None:
    server = serve(OK)
    transport = transport_to(server)
    for _ in range(3):
        assert transport.send(CALL).body == b'{"n": 1}'
    assert connections(server) == [0, 0, 0]


def test_what_is_sent_over_a_kept_connection_is_what_requests_sends(serve: Serve, transport_to: MakeTransport) -> None:
    server = serve(OK)
    transport = transport_to(server)
    every = [
        CALL,
        GET,
        Request(method="PUT", path="/jobs/v2/a%2Fb", query={"q": "ä b", "n": "~"}, body=[1], has_body=True),
        Request(method="DELETE", path="/devices/d", headers={"If-Match": '"AAAA"'}),
        Request(method="POST", path="/x", content=b"\x00bytes"),
        Request(method="POST", path="/no/body"),
    ]
    for request in every:
        transport_to(server).send(request)
    by_requests = list(server.seen)
    transport.send(GET)
    server.seen.clear()
    for request in every:
        transport.send(request)
    assert set(connections(server)) == {len(every)}, "each was sent on the kept connection"
    for ours, theirs in zip(server.seen, by_requests, strict=True):
        assert (ours.method, ours.path, ours.body) == (theirs.method, theirs.path, theirs.body)
        differing = ("x-connection", "x-ms-client-request-id")
        assert {k: v for k, v in ours.headers.items() if k not in differing} == {
            k: v for k, v in theirs.headers.items() if k not in differing
        }


IDS = st.text(st.characters(max_codepoint=0x17F, exclude_categories=["Cs"]), min_size=1, max_size=8)
PARTS = st.one_of(st.sampled_from([".", "..", "...", "%2e", "%2F", "%41", "%7E", "%zz", "a%", "a b", "ä"]), IDS)


@given(st.lists(PARTS, min_size=1, max_size=3), st.dictionaries(IDS, IDS, max_size=2))
def test_a_path_is_sent_as_requests_sends_it_or_left_to_it(parts: list[str], query: dict[str, str]) -> None:
    path = "".join(f"/{each}" for each in parts)
    query = {"api-version": "1", **query}
    data = rendered("GET", "h", path, query, HEADERS, None)
    if data is not None:
        target = data.split(b" ")[1].decode()
        assert target == requests.Request("GET", f"https://h{path}", params=query).prepare().path_url


@given(st.from_regex(r"(/([a-zA-Z0-9._~-]|%2[0-9A-CF]|%C3%A4){1,9}){1,3}", fullmatch=True))
def test_paths_of_ids_are_plain_but_for_steps(path: str) -> None:
    is_step = any(set(each) <= {"."} and len(each) < 3 for each in path[1:].split("/"))
    assert (rendered("GET", "h", path, {}, HEADERS, None) is None) is is_step


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "ä", "\x00", "🙂"])
def test_a_header_that_is_not_plain_is_left_to_requests(value: str) -> None:
    assert rendered("GET", "h", "/d", {}, {"If-Match": value}, None) is None


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        write(PLAIN + b'{"n": 1}'),
        write(PLAIN[:9], PLAIN[9:30], PLAIN[30:] + b'{"n"', b": 1}"),
        write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b'3\r\n{"n\r\n', b'5\r\n": 1}\r\n0\r\n\r\n'),
        answer_with(200, gzip.compress(b'{"n": 1}'), content_encoding="gzip"),
        write(b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN + b'{"n": 1}'),
        write(b"HTTP/1.1 200\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 8\r\n\r\n" + b'{"n": 1}'),
        write(b'HTTP/1.1 200 OK\r\nX-A: 1\r\n folded\r\nContent-Length: 8\r\n\r\n{"n": 1}'),
    ],
    ids=["whole", "in pieces", "in chunks", "compressed", "after a 100", "with a header twice", "with a folded header"],
)
def test_an_answer_is_read_however_it_comes_and_the_connection_is_kept(
    serve: Serve, answer: Handler, transport_to: MakeTransport
) -> None:
    server = serve(OK, answer, OK)
    transport = transport_to(server)
    assert [transport.send(CALL).body for _ in range(3)] == [b'{"n": 1}'] * 3
    assert connections(server) == [0, 0, 0]


@pytest.mark.parametrize(
    "answer",
    [
        write(b'HTTP/1.1 200 OK\r\n\r\n{"n": 1}', closes=True),
        write(b'HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\n{"n": 1}'),
        write(PLAIN.replace(b"Content", b"Connection: Close\r\nContent") + b'{"n": 1}', closes=True),
        write(PLAIN.replace(b"Content", b"Connection: keep-alive, close\r\nContent") + b'{"n": 1}'),
        write(PLAIN + b'{"n": 1}HTTP/1.1 200 OK\r\n\r\n'),
    ],
    ids=["ends with it", "of HTTP/1.0", "that says so", "that says so among others", "with more behind it"],
)
def test_after_an_answer_that_ends_a_connection_another_is_opened(
    serve: Serve, answer: Handler, transport_to: MakeTransport
) -> None:
    server = serve(OK, answer, OK)
    transport = transport_to(server)
    assert [transport.send(CALL).body for _ in range(3)] == [b'{"n": 1}'] * 3
    assert connections(server) == [0, 0, 1]


def test_headers_are_found_in_any_case_and_twice_the_same_is_one(serve: Serve, transport_to: MakeTransport) -> None:
    several = write(b"HTTP/1.1 200 OK\r\nETag: a\r\nx-a: 1\r\nX-A: 2\r\nContent-Length: 0\r\n\r\n")
    server = serve(OK, answer_with(200, x_ms_request_id="r-1"), several)
    transport = transport_to(server)
    transport.send(GET)
    assert transport.send(GET).headers["X-Ms-Request-ID"] == "r-1"
    headers = transport.send(GET).headers
    assert (headers["etag"], headers["X-a"], headers.get("none")) == ("a", "1, 2", None)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_never_has_a_body_needs_no_length(
    serve: Serve, status: int, transport_to: MakeTransport
) -> None:
    server = serve(OK, write(b"HTTP/1.1 %d Nothing\r\n\r\n" % status), OK)
    transport = transport_to(server)
    assert [transport.send(GET).status for _ in range(3)] == [200, status, 200]
    assert connections(server) == [0, 0, 0]


def test_a_connection_that_the_hub_has_ended_meanwhile_costs_no_call(serve: Serve, transport_to: MakeTransport) -> None:
    ended: list[bool] = []

    def answer_and_end(request: http.server.BaseHTTPRequestHandler) -> None:
        OK(request)
        request.wfile.flush()
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)
        ended.append(True)

    server = serve(OK, answer_and_end, OK)
    transport = transport_to(server)
    transport.send(CALL)
    transport.send(CALL)
    wait_until("the hub has ended the connection", lambda: ended)
    assert transport.send(CALL).status == 200
    assert connections(server) == [0, 0, 1]


@pytest.mark.parametrize(
    "answer",
    [
        write(closes=True),
        write(PLAIN[:20], closes=True),
        write(PLAIN + b"{", closes=True),
        write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", closes=True),
        write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n"),
        write(b"no HTTP at all\r\n\r\n"),
        write(PLAIN.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n") + b'{"n": 1}'),
        write(PLAIN.replace(b"OK\r\n", b"OK\r\nX-A: 1\nContent-Length: 3\r\n") + b'{"n": 1}'),
        write(b"HTTP/1.1 103 Early Hints\r\n\r\n", PLAIN + b'{"n": 1}'),
        write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    ],
    ids=[
        "with nothing",
        "in its head",
        "in its body",
        "in a chunk",
        "with a head without end",
        "as something else",
        "with two lengths",
        "with a header in a header",
        "with something before it",
        "as another protocol",
    ],
)
def test_an_answer_that_breaks_off_is_a_lost_link_and_nothing_is_sent_again(
    serve: Serve, answer: Handler, transport_to: MakeTransport
) -> None:
    server = serve(OK, answer, OK)
    transport = transport_to(server)
    transport.send(CALL)
    with pytest.raises(LinkLost, match="broke") as raised:
        transport.send(CALL)
    assert "may have been carried out" in str(raised.value.hint)
    assert transport.send(CALL).body == b'{"n": 1}'
    assert connections(server) == [0, 0, 1]


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_ones(
    serve: Serve, transport_to: MakeTransport
) -> None:
    def answer_late(request: http.server.BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        request.connection.recv(1)  # until the client has left

    server = serve(OK, answer_late, answer_with(200, b'{"n": 2}'))
    transport = transport_to(server)
    transport.send(CALL)
    with pytest.raises(AnswerTooLate) as raised:
        transport.send(CALL._replace(timeout_s=0.2))
    assert raised.value.waited_s == 0.2
    assert transport.send(CALL).body == b'{"n": 2}'
    assert connections(server) == [0, 0, 1]


STRAY = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"n": 9}'


@pytest.mark.parametrize("before", [0, 1], ids=["the first", "a later"])
@pytest.mark.parametrize(
    "answer",
    [
        # As much as is read at once, so that TLS holds what follows.
        write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b'8\r\n{"n": 1}\r\n0\r\n\r\n'.ljust(io.DEFAULT_BUFFER_SIZE) + STRAY,
        ),
        write(b"HTTP/1.1 204 Nothing\r\nContent-Length: %d\r\n\r\n" % len(STRAY), STRAY),
        write(b"HTTP/1.1 102 Processing\r\n\r\n", STRAY),
    ],
    ids=["after chunks", "after one without a body", "after an interim one"],
)
def test_what_follows_an_answer_is_not_taken_for_the_next_ones(
    serve: Serve, answer: Handler, before: int, transport_to: MakeTransport
) -> None:
    answered: list[bool] = []

    def answer_twice(request: http.server.BaseHTTPRequestHandler) -> None:
        answer(request)
        answered.append(True)

    server = serve(*[OK] * before, answer_twice, answer_with(200, b'{"n": 2}'))
    transport = transport_to(server)
    for _ in range(before):
        transport.send(CALL)
    with suppress(LinkLost):
        transport.send(CALL)
    wait_until("all of it was sent", lambda: answered)
    assert transport.send(CALL).body == b'{"n": 2}'


@pytest.mark.parametrize(
    "announced",
    [
        b"Content-Length: %d" % (MAX_RESPONSE_BYTES + 1),
        b"Content-Length: " + b"9" * 5000,
        b"Transfer-Encoding: chunked",
    ],
    ids=["a length", "a very long length", "chunks"],
)
def test_a_body_without_end_is_not_read(serve: Serve, announced: bytes, transport_to: MakeTransport) -> None:
    if b"chunked" not in announced:
        answer = write(b"HTTP/1.1 200 OK\r\n" + announced + b"\r\n\r\n")
    else:
        chunk = b"%x\r\n" % 2**20 + bytes(2**20) + b"\r\n"
        answer = write(b"HTTP/1.1 200 OK\r\n" + announced + b"\r\n\r\n", *[chunk] * (MAX_RESPONSE_BYTES // 2**20 + 1))
    server = serve(OK, answer, OK)
    transport = transport_to(server)
    transport.send(CALL)
    with pytest.raises(HubFault, match="larger"):
        transport.send(CALL)
    assert transport.send(CALL).status == 200
    assert connections(server) == [0, 0, 1]


def test_a_refusal_of_a_body_that_is_still_being_sent_is_read(serve: Serve, transport_to: MakeTransport) -> None:
    server = serve(OK, answer_with(413, b"too long", connection="close"))
    transport = transport_to(server)
    transport.send(CALL)
    assert transport.send(CALL).status == 413


def test_a_connection_that_was_closed_is_opened_anew(serve: Serve, transport_to: MakeTransport) -> None:
    server = serve(OK)
    transport = transport_to(server)
    for _ in range(2):
        transport.send(CALL)
        transport.close()
    assert transport.send(CALL).status == 200
    assert connections(server) == [0, 1, 2]
