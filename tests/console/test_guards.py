"""What reaches the console, and what does not: attacks from other pages, other names, and without signing in."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.console.guards import NAMES, authorities
from azext_iotjobs.console.pages import PAGES
from azext_iotjobs.console.routes import ROUTES
from tests.helpers.clock_double import ClockDouble
from tests.helpers.console import JSON, ServedConsole, served

READING = [each.path for each in ROUTES if each.method == "GET"] + ["/api/events"]
CHANGING = [each.path for each in ROUTES if each.method != "GET" and each.path != "/api/session"]
STOP = "/api/fleet-jobs/job/actions/stop"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedConsole]:
    """One that somebody has signed in to."""
    with served(tmp_path_factory.mktemp("console")) as running:
        assert running.sign_in().status == 200
        yield running


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedConsole]:
    with served(tmp_path_factory.mktemp("console"), is_read_only=True) as running:
        assert running.sign_in().status == 200
        yield running


# -- other names and other pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/jobs", "/static/console.js", "/api/session", "/nowhere"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}"])
def test_another_name_that_points_to_this_machine_is_refused(console: ServedConsole, path: str, host: str) -> None:
    assert console.get(path, Host=host.format(port=console.port)).status == 403


@pytest.mark.parametrize(("port", "may_leave_it_out"), [(80, True), (8480, False)])
def test_a_browser_leaves_out_the_usual_port(port: int, may_leave_it_out: bool) -> None:
    found = {authority for name in NAMES for authority in authorities(name, port)}
    assert (set(NAMES) <= found) is may_leave_it_out and {f"{name}:{port}" for name in NAMES} <= found


def test_localhost_is_the_same_name(console: ServedConsole) -> None:
    host = f"localhost:{console.port}"
    assert console.get("/api/session", Host=host).status == 200
    assert console.get("/api/session", Host=host, Origin=f"http://{console.host}").status == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://{host}"])
@pytest.mark.parametrize("path", ["/api/session", "/api/events?topic=fleet-jobs", "/jobs"])
def test_a_request_from_another_page_is_refused(console: ServedConsole, path: str, origin: str) -> None:
    assert console.get(path, Origin=origin.format(host=console.host)).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/jobs", "/static/console.js", "/api/events?topic=fleet-jobs"])
def test_a_request_that_the_browser_says_is_anothers_is_refused(console: ServedConsole, path: str, site: str) -> None:
    assert console.get(path, Sec_Fetch_Site=site).status == 403


@pytest.mark.parametrize("path", CHANGING)
def test_a_change_from_another_page_or_from_none_that_is_known_is_refused(console: ServedConsole, path: str) -> None:
    assert console.post(path, {}, Origin="http://evil.example").status == 403
    answer = console.send("POST", path, b"{}", {"Content-Type": JSON})
    assert answer.status == 403 and "Origin" in answer.json["error"]["message"]


# -- signing in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", READING)
@pytest.mark.parametrize(
    "cookie",
    ["", "iotjobs-console-{port}=1.2.3", "iotjobs-console-{port}=9999999999.a.é", "iotjobs-console-{port}=é.a"],
)
def test_the_api_needs_the_cookie(console: ServedConsole, path: str, cookie: str) -> None:
    assert console.get(path, Cookie=cookie.format(port=console.port)).status == 401


@pytest.mark.parametrize("path", CHANGING)
def test_a_change_needs_the_cookie(console: ServedConsole, path: str) -> None:
    assert console.post(path, {}, Cookie="").status == 401


@pytest.mark.parametrize("page", [each.path for each in PAGES if each.path != "/"])
def test_a_page_leads_whoever_is_not_signed_in_to_where_it_is_done(console: ServedConsole, page: str) -> None:
    answer = console.get(page, Cookie="")
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_a_token_is_used_once_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        token = console.token
        assert console.post("/api/session", {"token": token + "x"}).status == 401
        assert console.post("/api/session", {}).status == 401
        assert console.post("/api/session", {"token": token}).status == 200
        assert console.post("/api/session", {"token": token}).status == 401
        assert console.post("/api/session", {"token": "None"}).status == 401


def test_no_script_and_no_other_site_has_the_cookie(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        cookie = console.sign_in().headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(re.split("; ", cookie))


def test_a_session_outlives_the_console_at_its_port_alone_and_ends_after_a_week(tmp_path: Path) -> None:
    clock = ClockDouble()
    with served(tmp_path, clock=clock) as console:
        console.sign_in()
        cookie, port = console.cookie, console.port
    with served(tmp_path, port=port, clock=clock) as again:
        assert again.get("/api/session", Cookie=cookie).status == 200
        clock.passed_s = 7 * 86_400 + 1
        assert again.get("/api/session", Cookie=cookie).status == 401
    clock.passed_s = 0
    with served(tmp_path, clock=clock) as other:
        renamed = cookie.replace(f"-{port}=", f"-{other.port}=")
        assert other.get("/api/session", Cookie=renamed).status == 401


def test_the_secret_is_its_owners_alone(tmp_path: Path) -> None:
    with served(tmp_path):
        assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "secret" / "session-secret").stat().st_mode & 0o777 == 0o600


# -- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_a_form_may_send_is_refused(console: ServedConsole, kind: str) -> None:
    assert console.post(STOP, {}, Content_Type=kind).status == 415


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"reason": 1}', "reason"),
        (b'{"reson": "x"}', "reson"),
        (json.dumps({"reason": "x" * 2049}).encode(), "2049"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_and_named(console: ServedConsole, body: bytes, named: str) -> None:
    headers = {"Origin": f"http://{console.host}", "Content-Type": JSON}
    answer = console.send("POST", STOP, body, headers)
    assert answer.status == 400 and named in answer.json["error"]["message"]


def test_a_body_is_json_in_utf_8_whatever_its_type_says(console: ServedConsole) -> None:
    kind = f"{JSON}; charset=klingon"
    assert console.post("/api/job-form/check", {"form": {}}, Content_Type=kind).status == 200
    as_page = {"Origin": f"http://{console.host}", "Content-Type": JSON}
    assert console.send("POST", STOP, b'{"reason": "\xff"}', as_page).status == 400


def test_a_body_that_is_too_large_is_refused(console: ServedConsole) -> None:
    assert console.post(STOP, {"reason": "x" * 1024 * 1024}).status == 413


# -- only looking ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CHANGING)
def test_who_may_only_look_changes_nothing(read_only: ServedConsole, path: str) -> None:
    answer = read_only.post(path, {})
    assert answer.status == 403 and "--read-only" in answer.json["error"]["message"]
    assert read_only.commands == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_other_method_gets_past_it(read_only: ServedConsole, method: str) -> None:
    headers = {"Origin": f"http://{read_only.host}", "Content-Type": JSON}
    assert read_only.send(method, STOP, b"{}", headers).status == 403


# -- what answers say to the browser --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/jobs", "/static/console.js", "/api/session", "/api/nothing", "/nowhere"])
def test_every_answer_has_the_policy(console: ServedConsole, path: str) -> None:
    headers = console.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers and "access-control-allow-origin" not in headers


def test_a_file_outside_of_the_pages_is_not_served(console: ServedConsole) -> None:
    for path in (
        "/static/../layout.html",
        "/static/%2e%2e/layout.html",
        "/static//etc/passwd",
        "/static/libraries.json",
    ):
        assert console.get(path).status == 404


# -- what pages are made of -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/jobs", "/static/console.js"])
def test_who_takes_compressed_files_gets_them_and_others_do_not(console: ServedConsole, path: str) -> None:
    plain, compressed = console.get(path), console.get(path, Accept_Encoding="br, gzip")
    assert "content-encoding" not in plain.headers and compressed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(compressed.body) == plain.body
    assert plain.headers["vary"] == compressed.headers["vary"] == "Accept-Encoding"
