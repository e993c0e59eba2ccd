"""Whatever is asked, on every route of the table: an answer in the service's shapes, never a mistake of the hub's own.

The short form is the same on every run; IOTJOBS_TORTURE=1 looks further.
"""

import copy
import gzip
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azext_iotjobs.localhub.http.route import Caller, Route
from azext_iotjobs.localhub.http.routes import ROUTES as ALL_ROUTES
from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.kept_connection import KeptConnection, Seen
from tests.helpers.short_form import examples

BOUNDS = settings(
    examples(200, 10_000),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
DEVICE = "known"
BATCH = 50  # requests between two looks at whether others are served on


ROUTES = [route for route in ALL_ROUTES if route.path != "/_local/stop"]
FILE_TYPES = ("application/x-pem-file", "application/zip")  # of the hub's CA certificate, and of a snapshot
ROUTES_WITH_A_KEY = [route for route in ROUTES if route.caller is not Caller.ANYBODY]

# What clients send, whole and well-formed: the start for what they do not.
METHOD = {"methodName": "m", "payload": {"a": [1, 2]}, "responseTimeoutInSeconds": 5, "connectTimeoutInSeconds": 0}
TWIN = {"tags": {"a": 1}, "properties": {"desired": {"b": {"c": "d"}}}, "etag": "*"}
IDENTITY = {
    "deviceId": DEVICE,
    "status": "enabled",
    "statusReason": "why",
    "capabilities": {"iotEdge": True},
    "deviceScope": "ms-azure-iot-edge://a-1",
    "parentScopes": ["ms-azure-iot-edge://a-1"],
    "authentication": {
        "type": "sas",
        "symmetricKey": {"primaryKey": "a" * 44, "secondaryKey": "b" * 44},
        "x509Thumbprint": {"primaryThumbprint": "A" * 40, "secondaryThumbprint": "B" * 64},
    },
}
METHOD_JOB = {
    "type": "scheduleDeviceMethod",
    "queryCondition": "tags.a = 1 AND deviceId IN ['known']",
    "cloudToDeviceMethod": METHOD,
    "startTime": "2030-01-01T00:00:00Z",
    "maxExecutionTimeInSeconds": 5,
}
TWIN_JOB = {"type": "scheduleUpdateTwin", "queryCondition": "*", "updateTwin": TWIN, "maxExecutionTimeInSeconds": 5}
QUERIES = [
    {"query": "SELECT * FROM devices"},
    {"query": "SELECT TOP 5 deviceId, tags.a AS x FROM devices WHERE tags.a > 1 AND NOT IS_DEFINED(tags.b)"},
    {"query": "SELECT * FROM devices.jobs WHERE devices.jobs.status = 'failed'"},
    {"query": "SELECT COUNT() AS n FROM devices WHERE STARTSWITH(deviceId, 'k')"},
]
BULK = [{"id": "bulk-1", "importMode": "create", **IDENTITY}, {"id": "bulk-2", "importMode": "delete"}]
KEYS = {"policyKey": "primary", "devices": [{"id": DEVICE}, {"id": "nobody", "moduleId": "m"}]}
MESSAGE = {
    "body": "aGk=",
    "messageId": "m-1",
    "correlationId": "c",
    "userId": "u",
    "contentType": "text/plain",
    "ack": "full",
    "contentEncoding": "utf-8",
    "properties": {"a": "b", "c d": ""},
    "expiryTimeUtc": "2030-01-01T00:00:00Z",
}
BATCH_OF_EVENTS = [{"body": "aGk=", "base64Encoded": True, "properties": {"iothub-app-a": "b"}}, {"body": "hi"}]
# Of a kind that no request over HTTPS meets.
FAULT = {
    "kind": "no-ack",
    "operation": "telemetry",
    "device": DEVICE,
    "times": 3,
    "percent": 12.5,
    "seed": 7,
    "forSeconds": 60,
}
DOCUMENTS: list[Any] = [
    FAULT,
    KEYS,
    MESSAGE,
    BATCH_OF_EVENTS,
    METHOD,
    TWIN,
    IDENTITY,
    METHOD_JOB,
    TWIN_JOB,
    *QUERIES,
    BULK,
    {},
    [],
    None,
]

ODD_TEXTS = ["", " ", "\0", "\ud800", "ü", "\U0001f600", "a" * 200, "a" * 5000, "9" * 5000, "*", "'", "%", "enabled"]
ODD_NUMBERS = [0, -1, 1.5, 1e308, 2**31, 2**52, 2**63, 2**64, 10**400, -(10**400)]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.sampled_from(ODD_NUMBERS), st.sampled_from(ODD_TEXTS), st.text(max_size=20)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "$version", "", *ODD_TEXTS]), inner)
    ),
    max_leaves=5,
)
# A wait of more than 0 s for a device that never comes would only take time.
WAITS = {"responseTimeoutInSeconds", "connectTimeoutInSeconds", "waitTimeoutInSeconds"}
ODD_WAITS = st.sampled_from([0, -1, True, 1.5, "x", "", [], {}, 10**30, "9" * 5000])


def places(document: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to every value inside a document, itself included."""
    yield before
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield from places(value, (*before, key))


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A document as clients send it, with up to three of its values replaced or left out."""
    whole = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from(list(places(whole)))) or (None,)
        if last is None:
            return draw(TREES)
        around = whole
        for key in way:
            around = around[key]
        if draw(st.booleans()) or isinstance(around, list):
            around[last] = draw(ODD_WAITS if last in WAITS else TREES)
        else:
            del around[last]
    return whole


def nested(depth: int) -> bytes:
    return b'{"methodName": "m", "payload": ' + b"[" * depth + b"]" * depth + b"}"


BODIES = st.one_of(
    documents().map(lambda each: json.dumps(each).encode()),
    documents().map(lambda each: json.dumps(each, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    documents().map(lambda each: json.dumps(each).encode("utf-16")),
    st.binary(max_size=30),
    st.sampled_from([b"", b"NaN", b'{"query": NaN}', b'{"tags": {"a": 1e999}}', b"\xff\xfe", b"[" * 5000, b'"x"']),
    st.integers(80, 1000).map(nested),
)
ODD_IDS = [
    "",
    ".",
    "..",
    "query",
    "v2",
    "%00",
    "%ff",
    "%ed%a0%80",
    "%2f",
    "%25",
    "%0d%0a",
    "%",
    "$",
    "*",
    "a" * 128,
    "a" * 129,
    "'",
    "%20",
    "a" * 1000,
    ";",
    "@",
]
IDS = st.one_of(
    st.just(DEVICE),
    st.sampled_from(ODD_IDS),
    st.text(max_size=8).map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="$()*!,:;=@'")),
)
VALUES = st.one_of(
    st.sampled_from(ODD_TEXTS + ["0", "1", "-1", "100", "scheduleUpdateTwin", "running"]), st.text(max_size=10)
).map(lambda text: quote(text.encode("utf-8", "surrogatepass")))
QUERY_NAMES = ["top", "after", "jobType", "jobStatus", "reject", "x", "api-version"]
VERSIONS = st.one_of(*[st.just("2021-04-12")] * 9, st.sampled_from(["", "2021", "x", "2021-04-12,2018-06-30"]))
# What may be in a header's value: all but what ends it.
PLAIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=20)
EVENTS_TYPE = "application/vnd.microsoft.iothub.json"
ETAGS = ['"*"', "*", "AAAA", '"AAAAAAAAAAE="', '"', '""', 'W/"x"', "9" * 4000]
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.just("If-Match"), st.sampled_from(ETAGS) | PLAIN),
        st.tuples(st.just("x-ms-max-item-count"), st.sampled_from(["0", "-1", "1", "1e3", "-", "9" * 5000]) | PLAIN),
        st.tuples(st.just("x-ms-continuation"), st.sampled_from(["MS4xLmFhYWE=", "MS4x", "=", "a" * 4000]) | PLAIN),
        st.tuples(st.just("Content-Type"), st.sampled_from(["text/plain", EVENTS_TYPE, "x/y; charset=utf-7", ";", ""])),
        st.tuples(st.just("Content-Encoding"), st.sampled_from(["gzip", "identity", "x"])),
        st.tuples(st.just("IotHub-MessageLockTimeout"), st.sampled_from(["0", "5", "-1", "9" * 5000]) | PLAIN),
        st.tuples(st.sampled_from(["iothub-app-Ab", "iothub-app-", "iothub-messageid", "x"]), PLAIN),
    ),
    max_size=3,
    unique_by=lambda each: each[0],  # twice the same one is no HTTP
)


@st.composite
def requests(draw: st.DrawFn, routes: list[Route]) -> dict[str, Any]:
    """A request on some route; often one that is nearly good."""
    route = draw(st.sampled_from(routes))
    path = re.sub(r"\{[^}]*\}", lambda _: draw(IDS), route.path)
    query = draw(st.lists(st.tuples(st.sampled_from(QUERY_NAMES), VALUES), max_size=1))
    pairs = [("api-version", draw(VERSIONS)), *query]
    headers, body = draw(HEADERS), draw(BODIES)
    if draw(st.integers(0, 9)) == 0:
        headers = [*(each for each in headers if each[0] != "Content-Encoding"), ("Content-Encoding", "gzip")]
        body = gzip.compress(body, mtime=0)
    return {
        "verb": draw(st.sampled_from([route.verb] * 9 + ["PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND"])),
        "path": f"{path}?{'&'.join(f'{name}={value}' for name, value in pairs)}",
        "headers": headers,
        "body": body,
        "is_chunked": draw(st.booleans()),
    }


def check_shape(asked: dict[str, Any], seen: Seen) -> None:
    """Below 500; and a refusal has the service's header and one of its shapes."""
    told = f"{asked['verb']} {asked['path'][:200]} {asked['headers']} {asked['body'][:300]!r}: {seen}"
    # 502 and 504 are a device's; none is connected here.
    assert 200 <= seen.status < 500, told
    assert seen.headers["x-ms-request-id"], told
    if seen.status < 400:
        is_file = seen.headers.get("content-type") in FILE_TYPES
        assert is_file or not seen.body or json.loads(seen.body) is not None, told
        return
    if seen.status == 400 and b'"errors":[{' in seen.body:  # a bulk request, some of which failed
        assert all(re.fullmatch("[A-Z][A-Za-z]+", each["errorCode"]) for each in json.loads(seen.body)["errors"]), told
        return
    name = seen.headers["iothub-errorcode"]
    assert re.fullmatch("[A-Z][A-Za-z]+", name), told
    if asked["verb"] == "HEAD":
        return
    body = json.loads(seen.body)
    if name == "ModuleAlreadyExistsOnDevice":  # the service answers this one with the inner shape alone
        assert body.keys() == {"errorCode", "trackingId", "message", "timestampUtc"}, told
        return
    assert body.keys() == {"Message", "ExceptionMessage"}, told
    if body["ExceptionMessage"]:
        assert body["Message"].startswith(f"ErrorCode:{name};"), told
        assert body["ExceptionMessage"].startswith("Tracking ID:"), told
    else:
        inner = json.loads(body["Message"])
        assert inner.keys() == {"errorCode", "trackingId", "message", "info", "timestampUtc"}, told
        assert inner["errorCode"] // 1000 == seen.status, told


@pytest.fixture(scope="module")
def own_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub of its own: it is reset again and again. At the end it stops cleanly, and has traced nothing."""
    with HubProcess(tmp_path_factory.mktemp("any")) as process:
        yield process
        assert process.stop() == 0
        assert process.errors == ""


@pytest.fixture
def connection(own_hub: HubProcess) -> Iterator[KeptConnection]:
    kept = KeptConnection(own_hub)
    yield kept
    kept.close()


@pytest.fixture
def look(own_hub: HubProcess) -> Callable[[], None]:
    """Every so many calls an honest client creates, reads, changes and deletes a device."""
    honest, count = KeptConnection(own_hub), 0

    def served(verb: str, path: str, document: Any = None) -> Any:
        seen = honest.request(
            verb,
            f"{path}?api-version=2021-04-12",
            body=b"" if document is None else json.dumps(document).encode(),
            headers=[("If-Match", "*")] if verb == "DELETE" else [],
        )
        assert seen.status < 300, seen
        return json.loads(seen.body) if seen.body else None

    def look() -> None:
        nonlocal count
        count += 1
        if count % BATCH != 1:
            return
        served("PUT", "/devices/honest", {"deviceId": "honest"})
        assert served("PATCH", "/twins/honest", {"tags": {"a": count}})["tags"] == {"a": count}
        assert served("POST", "/devices/query", {"query": "SELECT COUNT() AS n FROM devices"})[0]["n"] > 0
        served("DELETE", "/devices/honest")
        honest.request("PUT", f"/devices/{DEVICE}?api-version=2021-04-12", body=b"{}")
        honest.close()

    return look


def test_every_request_is_answered_in_the_service_s_shapes(
    connection: KeptConnection, look: Callable[[], None]
) -> None:
    @BOUNDS
    @given(requests(ROUTES))
    def any_request(asked: dict[str, Any]) -> None:
        look()
        check_shape(asked, connection.request(**asked))

    any_request()


BAD_TOKENS = st.one_of(
    st.just(""),
    PLAIN,
    PLAIN.map(lambda text: f"SharedAccessSignature {text}"),
    st.tuples(PLAIN, PLAIN, PLAIN).map(lambda each: "SharedAccessSignature sr={}&sig={}&se={}".format(*each)),
    st.sampled_from(["9" * 4000, "-" + "9" * 4000, "1e9", "x", "\xff"]).map(
        lambda end: f"SharedAccessSignature sr=localhost&sig=AAAA&se={end}&skn=iothubowner"
    ),
    st.just(sas("YmFk", "localhost", policy="iothubowner")),
    st.just(sas("YmFk", "localhost/devices/known")),
)


def test_without_a_valid_token_there_is_nothing_but_401(connection: KeptConnection, look: Callable[[], None]) -> None:
    @BOUNDS
    @given(requests(ROUTES_WITH_A_KEY), BAD_TOKENS, st.booleans())
    def any_request(asked: dict[str, Any], authorization: str, is_elsewhere: bool) -> None:
        look()
        path = f"/x{asked['path']}" if is_elsewhere else asked["path"]
        seen = connection.request(**{**asked, "path": path}, authorization=authorization)
        check_shape(asked, seen)
        assert seen.status == 401, (authorization, asked, seen)

    any_request()
