"""Devices of a table are registered in a real hub; what is lost or refused on the way is at the transport's seam."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.bulk import NewDevice
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_import import Existing, ImportRow, RowFault
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, LinkError, LinkLost
from azext_iotjobs.model.identity import NewIdentity, SignIn
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.identity.import_devices import DeviceImport, ImportOptions, ImportState, ImportStopped
from azext_iotjobs.transport.http import Request, Response, Transport
from tests.helpers.clock_double import ClockDouble
from tests.helpers.hub_process import HubProcess
from tests.helpers.transport_double import response

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER_KEY = "BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PRINT, OTHER_PRINT = "AB" * 20, "CD" * 20
UPDATE = ImportOptions(existing=Existing.UPDATE)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    process = HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory")
    yield process
    process.stop()


class Between:
    """What stands between the client and the hub; `meddle` is given each bulk request, and what passes it on."""

    def __init__(self, inner: Transport) -> None:
        self.meddle: Callable[[Request, Callable[[Request], Response]], Response] = lambda request, send: send(request)
        self.bulk: list[Request] = []
        self.paths: list[str] = []
        self._inner = inner

    def send(self, request: Request) -> Response:
        self.paths.append(request.path)
        if request.path != "/devices":
            return self._inner.send(request)
        self.bulk.append(request)
        return self.meddle(request, self._inner.send)


class Importing:
    """A client of the hub, and what it imports."""

    def __init__(self, hub: HubProcess) -> None:
        target = HubTarget(host="localhost", https_port=hub.https_port, ca_file=hub.ca, is_local=True)
        real = HubClient.open(target, SasKey(policy="iothubowner", key=hub.key()), SystemClock())
        self.between = Between(real.transport)
        self.client = HubClient(target, self.between)
        self.clock = ClockDouble()
        self.stop = threading.Event()
        self.run: DeviceImport | None = None

    def __call__(
        self, rows: Sequence[ImportRow], options: ImportOptions | None = None, token: str = ""
    ) -> list[tuple[str, str, str | None]]:
        self.run = DeviceImport(self.client, options or ImportOptions(), self.clock, self.stop)
        results = [each for page, _ in self.run.pages(iter(rows), token) for each in page]
        return [
            (each.device_id, each.status.value, None if each.fault is None else each.fault.code) for each in results
        ]


@pytest.fixture
def importing(hub: HubProcess) -> Importing:
    return Importing(hub)


def device(device_id: str, line: int = 2, tags: dict[str, Any] | None = None, **identity: Any) -> ImportRow:
    return ImportRow(
        line=line,
        device_id=device_id,
        device=NewDevice(identity=NewIdentity(device_id=device_id, **identity), tags=tags or {}),
        states_sign_in="primary_key" in identity or "primary_thumbprint" in identity,
        states_status="is_enabled" in identity,
    )


def keyed(device_id: str, primary: str = KEY, **more: Any) -> ImportRow:
    return device(device_id, primary_key=primary, secondary_key=KEY, **more)


def bad(line: int) -> ImportRow:
    return ImportRow(line=line, device_id="", fault=RowFault(code="NoDeviceId", text="none"))


def key_of(hub: HubProcess, device_id: str) -> str:
    return str(hub.ok("GET", f"/devices/{device_id}")["authentication"]["symmetricKey"]["primaryKey"])


def test_devices_are_registered_as_their_rows_say(hub: HubProcess, importing: Importing) -> None:
    rows = [
        keyed("as-1", tags={"displayName": "One", "place": {"floor": 3}}),
        bad(3),
        device("as-2", sign_in=SignIn.THUMBPRINT, primary_thumbprint=PRINT, secondary_thumbprint=OTHER_PRINT),
        device("as-3", sign_in=SignIn.CA, is_enabled=False, status_reason="sold", is_edge=True),
        device("as-4"),
    ]
    assert importing(rows) == [
        ("as-1", "created", None),
        ("", "failed", "NoDeviceId"),
        ("as-2", "created", None),
        ("as-3", "created", None),
        ("as-4", "created", None),
    ]
    assert key_of(hub, "as-1") == KEY
    assert hub.ok("GET", "/twins/as-1")["tags"] == {"displayName": "One", "place": {"floor": 3}}
    assert hub.ok("GET", "/devices/as-2")["authentication"]["x509Thumbprint"] == {
        "primaryThumbprint": PRINT,
        "secondaryThumbprint": OTHER_PRINT,
    }
    third = hub.ok("GET", "/devices/as-3")
    assert (third["status"], third["statusReason"], third["capabilities"]) == ("disabled", "sold", {"iotEdge": True})
    assert third["authentication"]["type"] == "certificateAuthority"
    assert len(key_of(hub, "as-4")) == 44


def test_a_request_has_a_hundred_devices_at_most_and_bad_rows_take_no_place(importing: Importing) -> None:
    rows = [bad(0) if number % 3 == 0 else device(f"many-{number}") for number in range(350)]
    found = importing(rows)
    assert [each[0] for each in found] == [each.device_id for each in rows]
    assert [len(each.body) for each in importing.between.bulk] == [100, 100, 33]
    assert importing.run is not None and importing.run.state.done_count == 350


@pytest.mark.parametrize(
    ("existing", "expected"),
    [(Existing.SKIP, ("skipped", None)), (Existing.FAIL, ("failed", "DeviceAlreadyExists"))],
)
def test_a_device_that_is_there_stays_as_it_is(
    hub: HubProcess, importing: Importing, existing: Existing, expected: tuple[str, str | None]
) -> None:
    name = f"there-{existing.value}"
    before = hub.new_device(name)
    found = importing([keyed(name, tags={"a": 1}), device(f"{name}-2")], ImportOptions(existing=existing))
    assert found == [(name, *expected), (f"{name}-2", "created", None)]
    assert hub.ok("GET", f"/devices/{name}") == before
    assert "tags" not in hub.ok("GET", f"/twins/{name}")
    assert importing.between.paths == ["/devices"], "nothing is read of a device that is left alone"


def test_an_update_merges_tags_and_never_changes_a_key_unasked(hub: HubProcess, importing: Importing) -> None:
    importing([keyed("up-1", tags={"a": 1, "b": 1}), keyed("up-2", tags={"a": 1}), device("up-3")])
    before = {name: key_of(hub, name) for name in ("up-1", "up-2", "up-3")}
    rows = [
        keyed("up-1", tags={"b": 2}, is_enabled=False, status_reason="sold"),
        keyed("up-2", OTHER_KEY, tags={"a": 2}),
        device("up-3", tags={"a": 3}),
    ]
    assert importing(rows, UPDATE) == [
        ("up-1", "updated", None),
        ("up-2", "failed", "SignInDiffers"),
        ("up-3", "updated", None),
    ]
    assert {name: key_of(hub, name) for name in before} == before
    assert [hub.ok("GET", f"/twins/{name}")["tags"] for name in before] == [{"a": 1, "b": 2}, {"a": 1}, {"a": 3}]
    first = hub.ok("GET", "/devices/up-1")
    assert (first["status"], first["statusReason"]) == ("disabled", "sold")
    assert importing([device("up-3")], UPDATE) == [("up-3", "skipped", None)]


def test_keys_are_replaced_only_when_that_is_asked_for(hub: HubProcess, importing: Importing) -> None:
    importing([keyed("re-1", tags={"a": 1}), device("re-2", is_enabled=False)])
    rows = [
        keyed("re-1", OTHER_KEY),
        device("re-2", sign_in=SignIn.THUMBPRINT, primary_thumbprint=PRINT),
    ]
    options = ImportOptions(existing=Existing.UPDATE, replaces_keys=True)
    assert importing(rows, options) == [("re-1", "updated", None), ("re-2", "updated", None)]
    assert key_of(hub, "re-1") == OTHER_KEY
    second = hub.ok("GET", "/devices/re-2")
    assert (second["authentication"]["type"], second["status"]) == ("selfSigned", "disabled")
    assert importing(rows, options) == [("re-1", "skipped", None), ("re-2", "skipped", None)]


@pytest.mark.parametrize(
    "loss", [LinkLost("it broke"), AnswerTooLate("none in time", waited_s=60)], ids=["lost", "late"]
)
def test_a_device_that_was_registered_by_a_request_whose_answer_was_lost_is_told_to_be_created(
    hub: HubProcess, importing: Importing, loss: LinkError
) -> None:
    name = f"lost-{loss.code}"
    hub.new_device(f"{name}-3")
    losses = iter([True, False])

    def lose(request: Request, send: Callable[[Request], Response]) -> Response:
        assert not request.may_repeat
        answer = send(request)
        if next(losses):
            raise loss
        return answer

    importing.between.meddle = lose
    rows = [device(f"{name}-1"), keyed(f"{name}-2"), device(f"{name}-3")]
    assert [each[1] for each in importing(rows)] == ["created", "created", "skipped"]


def test_an_update_that_was_interrupted_is_done_also_where_the_key_was_the_same_before(
    hub: HubProcess, importing: Importing
) -> None:
    importing([keyed("same-1", tags={"a": 1})])
    rows = [keyed("same-1", tags={"a": 2}), device("same-2")]
    interrupted = DeviceImport(importing.client, UPDATE, importing.clock, importing.stop).pages(iter(rows))
    _, token = next(interrupted)
    assert importing(rows, UPDATE, token) == [("same-1", "updated", None), ("same-2", "created", None)]
    assert hub.ok("GET", "/twins/same-1")["tags"] == {"a": 2}


def test_what_another_process_had_sent_is_known_again_by_the_token(hub: HubProcess, importing: Importing) -> None:
    hub.new_device("token-3")
    rows = [device("token-0"), *(device(f"token-{number}") for number in (1, 2, 3))]
    first = DeviceImport(importing.client, ImportOptions(), importing.clock, importing.stop)
    pages = first.pages(iter(rows))
    _, token = next(pages)  # what is kept before the page is sent

    def die(request: Request, send: Callable[[Request], Response]) -> Response:
        send(request)
        raise KeyboardInterrupt

    importing.between.meddle = die
    with pytest.raises(KeyboardInterrupt):
        next(pages)
    importing.between.meddle = lambda request, send: send(request)
    before = {each.device_id: key_of(hub, each.device_id) for each in rows}
    assert importing(rows, token=token) == [
        ("token-0", "created", None),
        ("token-1", "created", None),
        ("token-2", "created", None),
        ("token-3", "skipped", None),
    ]
    assert {each.device_id: key_of(hub, each.device_id) for each in rows} == before
    assert KEY not in token and before["token-0"] not in token


def test_a_token_behind_a_page_goes_on_behind_it(importing: Importing) -> None:
    rows = [device(f"behind-{number}") for number in range(150)]
    first = DeviceImport(importing.client, ImportOptions(), importing.clock, importing.stop)
    pages = first.pages(iter(rows))
    next(pages)
    _, token = next(pages)
    assert ImportState.of(token).counts == {"created": 100}
    assert [each[0] for each in importing(rows, token=token)] == [each.device_id for each in rows[100:]]
    assert importing.run is not None
    assert (importing.run.state.done_count, importing.run.state.counts) == (150, {"created": 150})


@pytest.mark.parametrize(
    "token",
    [
        "{",
        "[]",
        '{"done": 1}',
        '{"done": 1, "counts": {}, "sent": []}',
        '{"done": -1, "counts": {}, "sent": {}}',
        '{"done": 1e999, "counts": {}, "sent": {}}',
        '{"done": 1, "counts": {"created": "x"}, "sent": {}}',
    ],
)
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(BadValue, match="cannot be read"):
        ImportState.of(token)


def test_devices_that_the_hub_throttles_one_by_one_are_sent_again(importing: Importing) -> None:
    refused = iter([["thr-2", "thr-3"], ["thr-3"], []])

    def throttle(request: Request, send: Callable[[Request], Response]) -> Response:
        names = next(refused)
        taken = [each for each in request.body if each["id"] not in names]
        assert send(request._replace(body=taken)).status == 200 if taken else True
        errors = [{"deviceId": each, "errorCode": "ThrottlingException", "errorStatus": "slow"} for each in names]
        return response({"isSuccessful": not errors, "errors": errors}, status=400 if errors else 200)

    importing.between.meddle = throttle
    found = importing([device(f"thr-{number}") for number in (1, 2, 3)])
    assert [each[1] for each in found] == ["created"] * 3
    assert [[each["id"] for each in request.body] for request in importing.between.bulk] == [
        ["thr-1", "thr-2", "thr-3"],
        ["thr-2", "thr-3"],
        ["thr-3"],
    ]
    assert importing.clock.monotonic() == pytest.approx(40.0)


def test_a_request_that_is_throttled_waits_for_the_next_minutes_quota(importing: Importing) -> None:
    answers = iter([429, 429, 200])

    def throttle(request: Request, send: Callable[[Request], Response]) -> Response:
        if next(answers) == 429:
            return response({"Message": "ErrorCode:ThrottlingBacklogTimeout;wait"}, status=429)
        return send(request)

    importing.between.meddle = throttle
    assert importing([device("minute-1")]) == [("minute-1", "created", None)]


def test_the_pace_is_what_the_tier_allows(importing: Importing) -> None:
    importing([device(f"pace-{number}") for number in range(250)], ImportOptions(a_minute=100))
    assert importing.clock.monotonic() == pytest.approx(120.0)


def test_a_stop_ends_it_before_the_next_request(importing: Importing) -> None:
    rows = [device(f"stop-{number}") for number in range(150)]
    run = DeviceImport(importing.client, ImportOptions(a_minute=100), importing.clock, importing.stop)
    pages = run.pages(iter(rows))
    assert [len(next(pages)[0]) for _ in range(2)] == [0, 100]
    importing.stop.set()
    with pytest.raises(ImportStopped):
        next(pages)
    assert (run.state.done_count, len(importing.between.bulk)) == (100, 1)


def test_a_stop_ends_an_import_that_the_hub_throttles_again_and_again(importing: Importing) -> None:
    def throttle(request: Request, send: Callable[[Request], Response]) -> Response:
        importing.stop.set()
        errors = [{"deviceId": "slow-1", "errorCode": "ThrottlingException", "errorStatus": "slow"}]
        return response({"isSuccessful": False, "errors": errors}, status=400)

    importing.between.meddle = throttle
    with pytest.raises(ImportStopped):
        importing([device("slow-1")])
    assert len(importing.between.bulk) == 1
    assert importing.run is not None and "slow-1" in importing.run.state.sent


def test_tags_are_set_when_the_hub_made_no_twin_at_first(hub: HubProcess, importing: Importing) -> None:
    def without_twin(request: Request, send: Callable[[Request], Response]) -> Response:
        if request.body[0]["importMode"] != "create":
            return send(request)
        send(request._replace(body=[{**each, "tags": {}} for each in request.body]))
        warnings = [{"deviceId": each, "warningCode": "DeviceRegisteredWithoutTwin"} for each in ("bare-1", "bare-2")]
        return response({"isSuccessful": True, "errors": [], "warnings": warnings})

    importing.between.meddle = without_twin
    rows = [device("bare-1", tags={"a": 1}), device("bare-2", tags={"a.b": 2})]
    assert importing(rows) == [("bare-1", "created", None), ("bare-2", "failed", "ArgumentInvalid")]
    assert hub.ok("GET", "/twins/bare-1")["tags"] == {"a": 1}


def test_tags_are_set_too_when_whoever_registered_a_device_was_killed_before_it_did(
    hub: HubProcess, importing: Importing
) -> None:
    def die(request: Request, send: Callable[[Request], Response]) -> Response:
        send(request._replace(body=[{**each, "tags": {}} for each in request.body]))
        raise KeyboardInterrupt

    importing.between.meddle = die
    rows = [device("untagged-1", tags={"a": 1})]
    pages = DeviceImport(importing.client, ImportOptions(), importing.clock, importing.stop).pages(iter(rows))
    _, token = next(pages)
    with pytest.raises(KeyboardInterrupt):
        next(pages)
    importing.between.meddle = lambda request, send: send(request)
    assert importing(rows, token=token) == [("untagged-1", "created", None)]
    assert hub.ok("GET", "/twins/untagged-1")["tags"] == {"a": 1}
