"""Many requests under way at once on one thread; what each alone comes to is in test_kept_connection.py."""

import http.server
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from azext_iotjobs.model.errors import AnswerTooLate
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport.exchanges import Exchanges, Outcome, ReadRest
from azext_iotjobs.transport.http import HttpTransport, Request, Response
from tests.helpers.clock_double import ClockDouble
from tests.helpers.tls_server import TlsServer, answer_with, serving
from tests.helpers.waiting import LIMIT_S, looks

AT_ONCE = 6


class Held:
    """A server that answers a request once its path is released; /open at once, when all of a kind are there."""

    def __init__(self) -> None:
        self.opened = threading.Barrier(AT_ONCE)
        self.released = {f"/held/{number}": threading.Event() for number in range(AT_ONCE)}

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        if path == "/open":
            self.opened.wait(LIMIT_S)
        else:
            self.released[path].wait(LIMIT_S)
        answer_with(200, path.encode())(request)


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    for each in held.released.values():
        each.set()


@pytest.fixture
def server(tmp_path: Path, held: Held) -> Iterator[TlsServer]:
    with ExitStack() as stack:
        yield stack.enter_context(serving(tmp_path, held.answer))


@pytest.fixture
def transport(server: TlsServer) -> Iterator[HttpTransport]:
    """With so many connections open as there are requests."""
    target = HubTarget(host="localhost", https_port=server.port, ca_file=str(server.ca_file))
    transport = HttpTransport(target, SasKey(policy="p", key="AAAA"), ClockDouble())
    with ThreadPoolExecutor(AT_ONCE) as threads:
        assert [each.status for each in threads.map(transport.send, [post("/open")] * AT_ONCE)] == [200] * AT_ONCE
    yield transport
    transport.close()


@pytest.fixture
def exchanges(transport: HttpTransport) -> Iterator[Exchanges]:
    exchanges = Exchanges(transport)
    yield exchanges
    exchanges.close()


def post(path: str, timeout_s: float = 60) -> Request:
    return Request(method="POST", path=path, body=1, has_body=True, timeout_s=timeout_s)


def all_ended(exchanges: Exchanges, count: int) -> dict[object, Outcome | ReadRest]:
    found: dict[object, Outcome | ReadRest] = {}
    for _ in looks(f"{count} answers"):
        found |= dict(exchanges.ended(1))
        if len(found) == count:
            break
    return found


def test_each_answer_is_given_to_its_request_in_whatever_order_they_come(
    held: Held, exchanges: Exchanges, server: TlsServer
) -> None:
    paths = list(held.released)
    assert all(exchanges.begin(path, post(path)) for path in paths)
    for path in reversed(paths):
        held.released[path].set()
        [(key, response)] = all_ended(exchanges, 1).items()
        assert isinstance(response, Response)
        assert (key, response.body.decode()) == (path, path)
    assert len(server.seen) == 2 * AT_ONCE


def test_without_a_connection_that_is_free_nothing_is_sent(held: Held, exchanges: Exchanges, server: TlsServer) -> None:
    paths = list(held.released)
    assert all(exchanges.begin(path, post(path)) for path in paths)
    assert not exchanges.begin("more", post(paths[0]))
    for each in held.released.values():
        each.set()
    assert set(all_ended(exchanges, AT_ONCE)) == set(paths)
    assert exchanges.begin("more", post(paths[0]))
    assert set(all_ended(exchanges, 1)) == {"more"}
    assert len(server.seen) == 2 * AT_ONCE + 1


def test_one_that_is_late_is_an_error_and_the_others_are_waited_for(held: Held, exchanges: Exchanges) -> None:
    late, good = list(held.released)[:2]
    assert exchanges.begin(late, post(late, timeout_s=0.2))
    assert exchanges.begin(good, post(good))
    [(key, error)] = all_ended(exchanges, 1).items()
    assert key == late and isinstance(error, AnswerTooLate) and error.waited_s == 0.2
    held.released[good].set()
    [(key, response)] = all_ended(exchanges, 1).items()
    assert key == good and isinstance(response, Response)


def test_another_thread_ends_the_wait(held: Held, exchanges: Exchanges) -> None:
    path = next(iter(held.released))
    assert exchanges.begin(path, post(path))
    began = time.monotonic()
    thread = threading.Timer(0.1, exchanges.wake)
    thread.start()
    assert exchanges.ended(LIMIT_S) == []
    assert time.monotonic() - began < LIMIT_S
    thread.join()


def test_connections_are_used_by_others_afterwards_but_for_those_that_wait(
    held: Held, transport: HttpTransport, server: TlsServer
) -> None:
    exchanges = Exchanges(transport)
    path, other = list(held.released)[:2]
    assert exchanges.begin(path, post(path))
    exchanges.close()
    exchanges.wake()
    for each in held.released.values():
        each.set()
    assert transport.send(post(other)).body == other.encode(), "not the answer to what was given up"


def test_a_body_that_may_not_be_sent_at_once_is_for_a_thread(held: Held, exchanges: Exchanges) -> None:
    path = next(iter(held.released))
    assert not exchanges.begin(path, post(path)._replace(body="a" * 100_000))
