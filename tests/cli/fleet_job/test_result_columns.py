"""Results with columns from twins, and with details of the run: at the handler, on real files; the hub is a double."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job import results
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, RUN_COLUMNS, RUN_DETAILS
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.model.errors import BadValue, HubAnswer, NotFound
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import World, definition_of
from tests.helpers.fleet_job_setup import METHOD, ids
from tests.helpers.transport_double import TransportDouble, response

MANY = 600  # more than the store gives at a time
TWO = "deviceId,tags.site"


def az(**config: str) -> Any:
    """What a handler gets of az. config: of the section iotjobs."""
    get = lambda _section, name, fallback=None: config.get(name, fallback)  # noqa: E731
    return SimpleNamespace(cli_ctx=SimpleNamespace(only_show_errors=False, config=SimpleNamespace(get=get)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a run that was made, and not begun."""
    folder = tmp_path_factory.mktemp("state")
    world = World(folder)
    store = world.open()
    world.new_run(store, world.save(store, definition_of(METHOD, ids(MANY), Driver.CALLS)))
    store.close()
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> TransportDouble:
    """Devices have their ids as their sites; d001 is gone."""
    double = TransportDouble(sites)
    monkeypatch.setattr(FleetJobContext, "_opened", lambda *_: HubClient(HubTarget(host="h.example"), double))
    return double


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FleetJobContext, "_opened", lambda *_: pytest.fail("the hub is asked"))


def sites(request: Request) -> Response:
    devices = re.findall(r"'([^']+)'", request.body["query"])
    return response([{"deviceId": each, "c1": f"at {each}"} for each in devices if each != "d001"])


def show(folder: Path, cmd: Any = None, **typed: Any) -> list[dict[str, Any]]:
    context = FleetJobContext(None, {}, str(folder), None, Access.READ)
    return results.show_results(cmd or az(), context, "job", **typed) or []


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("typed", [{}, {"columns": "deviceId,batch"}, {"job_details": True}, {"columns": "run,hub"}])
def test_no_hub_is_asked_for_what_the_store_has(folder: Path, typed: dict[str, Any]) -> None:
    assert len(show(folder, **typed)) == MANY


@pytest.mark.usefixtures("no_hub")
def test_who_asks_for_nothing_gets_what_there_was(folder: Path) -> None:
    assert list(show(folder)[0]) == [*CALL_COLUMNS, *RUN_COLUMNS]


def test_columns_of_twins_are_read_page_by_page(folder: Path, hub: TransportDouble) -> None:
    rows = show(folder, columns=TWO)
    assert [row["deviceId"] for row in rows] == list(ids(MANY))
    assert [row["tags.site"] for row in rows[:3]] == ["at d000", None, "at d002"] and list(rows[0]) == TWO.split(",")
    assert len(hub.requests) == 6
    assert all(re.match("SELECT deviceId, tags.site AS c1 FROM devices", each.body["query"]) for each in hub.requests)


def test_a_kept_choice_has_twins_looked_at(folder: Path, hub: TransportDouble) -> None:
    cmd = az(columns="deviceId,displayName", display_name_tag="name")
    [row] = show(folder, cmd, our_device_id="d007")
    assert row == {"deviceId": "d007", "displayName": "at d007"}
    assert [each.body["query"] for each in hub.requests] == [
        "SELECT deviceId, tags.name AS c1 FROM devices WHERE deviceId IN ['d007']"
    ]


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_a_file_whose_twins_could_not_all_be_read_goes_on_to_the_same_end(
    tmp_path: Path, folder: Path, hub: TransportDouble, form: str
) -> None:
    whole, broken = (str(tmp_path / f"{name}.{form}") for name in ("whole", "broken"))
    show(folder, columns=TWO, output_file=whole)
    hub._answer = refusing_after(5)
    with pytest.raises(HubAnswer):
        show(folder, columns=TWO, output_file=broken)
    hub.requests.clear()
    hub._answer = sites
    show(folder, columns=TWO, output_file=broken)
    assert len(hub.requests) == 1 and Path(broken).read_bytes() == Path(whole).read_bytes()


def refusing_after(count: int) -> Callable[[Request], Response]:
    left = [sites] * count
    return lambda request: left.pop()(request) if left else response({"Message": "no"}, status=403)


@pytest.mark.usefixtures("no_hub")
def test_what_no_twin_has_is_refused_before_anything_is_asked(folder: Path) -> None:
    with pytest.raises(BadValue, match="'tag.site' is not a column"):
        show(folder, columns="deviceId,tag.site")


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize(
    "typed", [{"output_file": "rows.xml"}, {"output_file": "no/such/f.csv"}, {"our_device_id": "nobody"}, {"run": 7}]
)
def test_what_is_typed_wrong_is_refused_before_the_hub_is_asked(folder: Path, typed: dict[str, Any]) -> None:
    with pytest.raises((BadValue, NotFound)):
        show(folder, columns=TWO, **typed)


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_details_of_the_run_stand_in_each_row(tmp_path: Path, folder: Path, form: str) -> None:
    path = tmp_path / f"f.{form}"
    show(folder, columns="deviceId,status", job_details=True, output_file=str(path))
    text = path.read_text()
    if form == "csv":
        rows: list[dict[str, Any]] = list(csv.DictReader(text.splitlines()))
    else:
        rows = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
    assert len(rows) == MANY and [list(row) for row in rows] == [["deviceId", "status", *RUN_DETAILS]] * MANY
    shown = {name: str(value or "") for name, value in rows[-1].items()}
    assert shown == {
        "deviceId": f"d{MANY - 1}",
        "status": "pending",
        "fleetJobId": "job",
        "fleetJobName": "job",
        "fleetJobVersion": "1",
        "action": "method",
        "hub": "h.example",
        "run": "1",
        "driver": "calls",
        "runStatus": "pending",
        "runReason": "",
        "runStarted": "",
        "runEnded": "",
    }


@pytest.mark.usefixtures("no_hub")
def test_single_details_may_be_columns(folder: Path) -> None:
    assert show(folder, columns="run,deviceId,fleetJobId", our_device_id="d001") == [
        {"run": 1, "deviceId": "d001", "fleetJobId": "job"}
    ]
    [row] = show(folder, columns="run,deviceId", job_details=True, our_device_id="d001")
    assert list(row) == ["run", "deviceId", *(name for name in RUN_DETAILS if name != "run")]
