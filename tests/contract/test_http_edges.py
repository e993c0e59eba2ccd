"""The edges of HTTP: what no SDK sends on purpose, by connections on which a test says every byte."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.helpers.http_line import LIMIT_S, VERSION, Line, tls
from tests.helpers.hub_process import HubProcess

pytestmark = pytest.mark.local_hub("sends odd HTTP, byte by byte")


@pytest.fixture
def line(hub: HubProcess) -> Iterator[Line]:
    line = Line(hub)
    yield line
    line.connection.close()
    assert "Traceback" not in hub.errors, hub.errors


@pytest.fixture
def device(hub: HubProcess, name: str) -> str:
    hub.new_device(name)
    return name


def test_one_connection_serves_on_after_every_refusal(line: Line, device: str) -> None:
    refusals = [
        line.ask("GET", f"/devices/{device}-gone"),
        line.ask("GET", "/nowhere"),
        line.ask("PATCH", f"/devices/{device}"),
        line.ask("PUT", f"/devices/{device}", {"deviceId": device}),
        line.ask("PUT", f"/devices/{device}", "{"),
        line.ask("DELETE", f"/devices/{device}"),
        line.ask("GET", f"/devices/{device}", Authorization="Bearer x"),
    ]
    assert [each.status for each in refusals] == [404, 404, 405, 409, 400, 412, 401]
    assert all(each.error_code and each.json()["Message"] for each in refusals)
    socket_before = line.connection.sock
    assert line.ask("GET", f"/devices/{device}").status == 200
    assert line.connection.sock is socket_before


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "POST"])
def test_a_verb_that_is_not_served_is_405_and_the_connection_lives(line: Line, device: str, method: str) -> None:
    refusal = line.ask(method, f"/devices/{device}")
    assert (refusal.status, refusal.error_code) == (405, "GenericMethodNotAllowed")
    assert refusal.headers["allow"] == "DELETE, GET, PUT"
    assert method == "HEAD" or refusal.json()["Message"].endswith("is not allowed here. Allowed: DELETE, GET, PUT.")
    assert (refusal.text == "") is (method == "HEAD")
    assert line.ask("GET", f"/devices/{device}").json()["deviceId"] == device


def test_two_requests_in_one_breath_get_two_answers_in_order(hub: HubProcess, device: str) -> None:
    def request(asked: str, more: str) -> bytes:
        start = f"GET /devices/{asked}?{VERSION} HTTP/1.1\r\nHost: localhost\r\n"
        return f"{start}Authorization: {hub.token()}\r\n{more}\r\n".encode()

    with socket.create_connection(("localhost", hub.ports[0]), timeout=LIMIT_S) as bare:
        with tls(hub).wrap_socket(bare, server_hostname="localhost") as sock:
            sock.sendall(request("nobody", "") + request(device, "Connection: close\r\n"))
            said = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    assert said.index("404 ") < said.index("DeviceNotFound") < said.index("200 ") < said.index(f'"{device}"')


def test_http_1_0_is_answered(hub: HubProcess, device: str) -> None:
    with socket.create_connection(("localhost", hub.ports[0]), timeout=LIMIT_S) as bare:
        with tls(hub).wrap_socket(bare, server_hostname="localhost") as sock:
            request = f"GET /devices/{device}?{VERSION} HTTP/1.0\r\nAuthorization: {hub.token()}\r\n\r\n"
            sock.sendall(request.encode())
            said = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    assert said.startswith("HTTP/1.0 200 ") and f'"{device}"' in said


# --- bodies


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json", "application/merge-patch+json", "", "?"],
)
def test_the_content_type_does_not_matter(line: Line, device: str, content_type: str) -> None:
    twin = line.ask("PATCH", f"/twins/{device}", {"tags": {"a": "é"}}, Content_Type=content_type)
    assert (twin.status, twin.json()["tags"]) == (200, {"a": "é"})


def test_a_body_in_chunks_is_read(line: Line, device: str) -> None:
    document = json.dumps({"tags": {"long": "x" * 4000, "u": "ü"}}).encode()
    chunks = (document[start : start + 7] for start in range(0, len(document), 7))
    assert line.ask("PATCH", f"/twins/{device}", chunks).json()["tags"]["u"] == "ü"


def test_a_body_in_chunks_that_never_ends_is_refused_when_it_is_too_large(hub: HubProcess, device: str) -> None:
    """Nobody counts on Content-Length alone."""
    line = Line(hub)
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield b" " * 65536

    refusal = line.ask("PATCH", f"/twins/{device}", chunks())
    assert (refusal.status, refusal.error_code) == (413, "MessageTooLarge")
    line.connection.close()
    assert "tags" not in hub.ok("GET", f"/twins/{device}")


def test_twenty_megabytes_are_refused_with_an_answer(hub: HubProcess, device: str) -> None:
    line = Line(hub)
    refusal = line.ask("PATCH", f"/twins/{device}", b"x" * 20_000_000)
    assert (refusal.status, refusal.error_code) == (413, "MessageTooLarge")
    line.connection.close()


# --- paths


@pytest.mark.parametrize("path", ["/DEVICES/{id}", "/Devices/{id}", "/dEvIcEs/{id}/"])
def test_fixed_words_are_found_in_any_case(line: Line, device: str, path: str) -> None:
    assert line.ask("GET", path.format(id=device)).json()["deviceId"] == device


@pytest.mark.parametrize("path", ["//devices/{id}", "/devices//{id}", "/devices/{id}//", "/./devices/{id}/../{id}x"])
def test_slashes_and_dots_lead_to_nothing_else(line: Line, device: str, path: str) -> None:
    assert line.ask("GET", path.format(id=device)).status == 404


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{id}%23x", "{id}#x"),
        ("{id}%2523", "{id}%23"),
        ("{id}%2B+", "{id}++"),
        ("%7Bid%7D", None),
        ("{id}%2Fx", None),
        ("{id}%00", None),
        ("{id}%E4", "{id}%E4"),
        ("{id}%zz", "{id}%zz"),
        ("{id}%C3%BC", None),
    ],
)
def test_an_id_is_decoded_once(line: Line, name: str, written: str, meant: str | None) -> None:
    answer = line.ask("PUT", f"/devices/{written.replace('{id}', name)}", {})
    if meant is None:
        assert answer.status in (400, 404)
    else:
        assert answer.json()["deviceId"] == meant.replace("{id}", name)


def test_an_encoded_slash_does_not_lead_to_modules(line: Line, device: str) -> None:
    assert line.ask("PUT", f"/devices/{device}/modules/m1", {}).status == 200
    assert line.ask("GET", f"/devices/{device}%2Fmodules%2Fm1").status in (400, 404)


# --- headers


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("{etag}", 412),
        ('"{etag}"', 200),
        ('W/"{etag}"', 200),
        ('"{etag}', 412),
        ('""', 412),
        ("", 412),
        ("*", 200),
        ('"*"', 200),
        (' "{etag}" ', 200),
        ('"x", "{etag}"', 412),
    ],
)
def test_forms_of_if_match(line: Line, device: str, written: str, status: int) -> None:
    etag = line.ask("GET", f"/twins/{device}").json()["etag"]
    patch = {"tags": {"a": 1}}
    answer = line.ask("PUT", f"/twins/{device}", patch, If_Match=written.replace("{etag}", etag))
    assert answer.status == status
    assert line.ask("GET", f"/twins/{device}").json().get("tags") == (patch["tags"] if status == 200 else None)


def test_the_host_header_may_say_anything_as_the_token_says_who_is_meant(line: Line, device: str) -> None:
    assert line.ask("GET", f"/devices/{device}", Host="someone.azure-devices.net").status == 200


def test_headers_that_are_too_long_end_one_connection_only(hub: HubProcess, device: str) -> None:
    line = Line(hub)
    assert line.ask("GET", f"/devices/{device}", X_Long="x" * 20_000).status == 400
    line.connection.close()
    assert hub.ok("GET", f"/devices/{device}")["deviceId"] == device


# --- texts


@pytest.mark.parametrize("text", ["\U0001f40d", "\u0000", "\u2028", "e\u0301", "‮", "\ufeff", "\\", '"', "</script>"])
def test_every_text_comes_back_as_it_was(line: Line, device: str, text: str) -> None:
    for escaped in (True, False):
        body = json.dumps({"tags": {"t": text}, "properties": {"desired": {"t": text}}}, ensure_ascii=escaped)
        twin = line.ask("PATCH", f"/twins/{device}", body.encode()).json()
        assert (twin["tags"]["t"], twin["properties"]["desired"]["t"]) == (text, text)
    assert line.ask("GET", f"/twins/{device}").json()["tags"]["t"] == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_body_may_be_in_every_encoding_of_json(line: Line, device: str, encoding: str) -> None:
    body = '{"tags": {"a": "ü"}}'.encode(encoding)
    assert line.ask("PATCH", f"/twins/{device}", body).json()["tags"] == {"a": "ü"}
